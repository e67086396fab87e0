-- Everything that Dagster remembers happened `days` earlier: every time in a column, and those inside the documents, so that windows
-- of days apply to runs that a test has just made. What the daemon says of itself stays.
create function pg_temp.aged(document text, days int) returns text language sql as $$
  select string_agg(
    case when part ~ '^\d{10}' then left(part, 10)::bigint - days * 86400 || substr(part, 11) else part end,
    'timestamp": ' order by place)
  from string_to_table(document, 'timestamp": ') with ordinality as parts (part, place)
$$;
create procedure pg_temp.age(days int) language plpgsql as $$
declare
  one record;
begin
  for one in
    select table_name, column_name,
      case
        when data_type like 'timestamp%' then format('%I - make_interval(days => %s)', column_name, days)
        when data_type = 'double precision' then format('%I - %s * 86400', column_name, days)
        else format('pg_temp.aged(%I, %s)', column_name, days)
      end as earlier
    from information_schema.columns
    where table_schema = 'public' and table_name not in ('daemon_heartbeats', 'alembic_version', 'secondary_indexes')
      and (data_type like 'timestamp%' or data_type = 'double precision' or data_type = 'text')
  loop
    execute format('update %I set %I = %s where %2$I is not null', one.table_name, one.column_name, one.earlier);
  end loop;
end
$$;
