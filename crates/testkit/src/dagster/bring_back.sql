-- Every table as it was copied. Rows are deleted and not truncated: Dagster reads meanwhile, and nobody has to wait.
begin;
set local session_replication_role = replica;
do $$
declare
  one text;
begin
  for one in select tablename from pg_tables where schemaname = 'kept' loop
    execute format('delete from public.%I', one);
    execute format('insert into public.%I select * from kept.%1$I', one);
  end loop;
end
$$;
commit;
