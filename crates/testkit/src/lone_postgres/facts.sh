# What a server holds, in sections that begin with a line `== name`: definitions as pg_dump 17 writes them whatever the server,
# a hash of every table's rows, and what no dump tells. Run beside the server, with PGUSER and PGPASSWORD. Reads only.
export PGHOST=127.0.0.1 PGCLIENTENCODING=UTF8
set -o pipefail
# An event trigger must not take this for a visitor; older servers have none at the login.
version=$(psql -XAtqd template1 -c 'show server_version_num')
if [ "$version" -ge 170000 ]; then export PGOPTIONS='-c event_triggers=off'; fi
ask() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
# Comments in a dump name versions and a token of chance; what is left is its statements.
plain() { sed -E '/^(--.*|\\(un)?restrict .*|)$/d'; }

echo '== server'
pg_dumpall --globals-only --no-role-passwords --database=template1 | plain
ask -d template1 <<'SQL'
select 'password of', rolname, md5(rolpassword) from pg_authid where rolpassword is not null and oid >= 16384 order by 2;
select 'database', datname, datistemplate from pg_database where datallowconn order by 2;
SQL

ask -d template1 -c 'select datname from pg_database where datallowconn and datconnlimit <> -2 and not datistemplate order by 1' | while IFS= read -r database; do
  export PGDATABASE=$database
  printf '== definitions of %s\n' "$database"
  pg_dump --schema-only --create --encoding=UTF8 | plain
  printf '== rows of %s\n' "$database"
  ask <<'SQL'
set search_path = ''; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set extra_float_digits = 1; set timezone = 'UTC';
set lc_monetary = 'C'; set bytea_output = 'hex'; set xmloption = 'content'; set row_security = off; set statement_timeout = 0;
-- With every schema in the path: to plan a query, the functions of a table's indexes are looked into, and they may name others without
-- their schemas.
select 'set search_path = ' || (select string_agg(quote_ident(nspname), ', ' order by nspname <> 'public', nspname) from pg_namespace
        where nspname !~ '^(pg_|information_schema$)'),
    format($$select %L, count(*), md5(coalesce(string_agg(r.*::text, E'\n' order by r.*::text collate "C"), '')) from only %s r$$,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and c.relispopulated and n.nspname !~ '^(pg_|information_schema$)' order by 2 \gexec
SQL
  printf '== state of %s\n' "$database"
  ask <<'SQL'
set search_path = ''; set statement_timeout = 0;
select 'schema', nspname from pg_namespace where nspname !~ '^pg_(toast|temp)' order by 2;
select 'extension', extname, extversion from pg_extension order by 2;
select 'subscription', subname, subenabled, subslotname from pg_subscription
    where subdbid = (select oid from pg_database where datname = current_database()) order by 2;
select 'invalid index', indexrelid::regclass::text from pg_index where not indisvalid order by 2;
select 'materialised view', oid::regclass::text, relispopulated from pg_class where relkind = 'm' order by 2;
select 'member', e.extname, c.oid::regclass::text, c.relkind,
    (select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid)), ', ' order by attnum)
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and attnum > 0 and not attisdropped),
    (select string_agg(pg_get_indexdef(indexrelid), ', ' order by indexrelid::regclass::text) from pg_index where indrelid = c.oid)
    from pg_depend p join pg_extension e on e.oid = p.refobjid join pg_class c on c.oid = p.objid
    where p.refclassid = 'pg_extension'::regclass and p.classid = 'pg_class'::regclass and p.deptype = 'e' and c.relkind in ('r', 'p', 'S')
    order by 2, 3;
select 'large object', m.oid, pg_get_userbyid(lomowner), lomacl, md5(lo_get(m.oid)) from pg_largeobject_metadata m order by 2;
select 'comment', i.type, i.identity from pg_description d, lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
    where description like 'a comment on what is %' order by 3;
select format($$select 'sequence', %L, last_value, is_called from %s$$, oid::regclass, oid::regclass) from pg_class where relkind = 'S' order by 1 \gexec
SQL
done
