select format('drop table s%s.t%s', t % 20 + 1, t) from generate_series(1, 2000, 10) t \gexec
select format('update s%s.t%s set name = ''changed''', t % 20 + 1, t) from generate_series(2, 2000, 10) t \gexec
