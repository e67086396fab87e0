-- A copy of every table in a schema of its own.
create schema kept;
do $$
declare
  one text;
begin
  for one in select tablename from pg_tables where schemaname = 'public' and tablename <> 'daemon_heartbeats' loop
    execute format('create table kept.%I as table public.%1$I', one);
  end loop;
end
$$;
