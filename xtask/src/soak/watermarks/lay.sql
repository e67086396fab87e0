-- Work for an autovacuum that is eager and slow: it begins again after every start of the server, and lasts.
alter system set autovacuum_naptime = '1s';
alter system set autovacuum_vacuum_threshold = 1;
alter system set autovacuum_vacuum_scale_factor = 0;
alter system set autovacuum_analyze_threshold = 1;
alter system set autovacuum_analyze_scale_factor = 0;
alter system set autovacuum_vacuum_cost_delay = '20ms';
alter system set autovacuum_vacuum_cost_limit = 200;
select pg_reload_conf();
create schema soak;
create table soak.outside (n int);
select format('create table soak.dead_%s (n int primary key, t text)', n) from generate_series(1, 12) n \gexec
