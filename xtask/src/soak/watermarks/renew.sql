-- What is dead for the next standstill.
select format('truncate soak.dead_%s', n) from generate_series(1, 12) n \gexec
select format('insert into soak.dead_%s select i, repeat(md5(i::text), 8) from generate_series(1, 6000) i', n)
from generate_series(1, 12) n \gexec
select format('delete from soak.dead_%s where n > 500', n) from generate_series(1, 12) n \gexec
