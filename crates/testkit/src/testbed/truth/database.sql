-- What a database holds, as facts that survive a dump and a restore: names instead of oids, sorted privileges, rows as a count and an
-- order-independent sum of hashes. One JSON document per line: {"fact": name, "is": content}. Reads only: it must not look like a client.
-- Left out: members of extensions (CREATE EXTENSION brings them), planner statistics, public.witness (compared by itself), and the
-- column option pg_attver, which Debian's PostgreSQL 17.12 gives every column when it is made and pg_dump leaves out.
\set ON_ERROR_STOP on
-- A row's text depends on these.
set search_path = '';
set timezone = 'UTC';
set datestyle = 'ISO, YMD';
set intervalstyle = 'postgres';
set extra_float_digits = 1;
set bytea_output = 'hex';
set xmloption = 'content';
set statement_timeout = 0;
set row_security = on;
begin isolation level repeatable read read only;

select json_build_object('database', current_database());

\set members 'select d.objid from pg_depend d where d.deptype = ''e'' and d.classid = '
\set mine 'n.nspname !~ ''^pg_'' and n.nspname <> ''information_schema'''
\set relations 'from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ ''^pg_'' and n.nspname <> ''information_schema'' and c.oid not in (select d.objid from pg_depend d where d.deptype = ''e'' and d.classid = ''pg_class''::regclass) and (n.nspname, c.relname) <> (''public'', ''witness'')'

select json_build_object('fact', 'extension ' || e.extname, 'is', json_build_object(
    'version', e.extversion, 'schema', n.nspname, 'owner', pg_get_userbyid(e.extowner)))
from pg_extension e join pg_namespace n on n.oid = e.extnamespace;

select json_build_object('fact', 'schema ' || n.nspname, 'is', json_build_object('owner', pg_get_userbyid(n.nspowner),
    'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(n.nspacl, acldefault('n', n.nspowner))) a)))
from pg_namespace n where :mine and n.oid not in (:members 'pg_namespace'::regclass);

-- Tables, partitioned tables, views, materialised views, foreign tables.
select json_build_object('fact', format('table %I.%I', n.nspname, c.relname), 'is', json_build_object(
    'kind', c.relkind, 'owner', pg_get_userbyid(c.relowner), 'persistence', c.relpersistence, 'populated', c.relispopulated,
    'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(c.relacl, acldefault('r', c.relowner))) a),
    'options', (select json_agg(o order by o) from unnest(c.reloptions) o),
    'toast options', (select json_agg(o order by o) from pg_class t, unnest(t.reloptions) o where t.oid = c.reltoastrelid),
    'row security', c.relrowsecurity, 'forced', c.relforcerowsecurity, 'replica identity', c.relreplident,
    'method', (select amname from pg_am where oid = c.relam),
    'partition key', case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
    'partition bound', pg_get_expr(c.relpartbound, c.oid),
    'parents', (select json_agg(i.inhparent::regclass::text order by i.inhseqno) from pg_inherits i where i.inhrelid = c.oid),
    'definition', case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
    'columns', (select json_agg(json_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull,
        'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity, 'generated', a.attgenerated,
        'collation', (select format('%I.%I', cn.nspname, co.collname) from pg_collation co join pg_namespace cn on cn.oid = co.collnamespace
            where co.oid = a.attcollation),
        'statistics', nullif(a.attstattarget, -1), 'storage', a.attstorage, 'compression', a.attcompression, 'local', a.attislocal,
        'options', (select array_agg(o order by o) from unnest(a.attoptions) o where o not like 'pg\_attver=%'), 'acl', (select json_agg(x::text order by x::text) from unnest(a.attacl) x)) order by a.attnum)
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)))
:relations and c.relkind in ('r', 'p', 'v', 'm', 'f');

-- Rows: the parent's own only, children count for themselves.
select format($$select json_build_object('fact', %L, 'is', json_build_object('count', count(*),
    'hash', coalesce(sum(hashtextextended((the_row.*)::text, 0)::numeric), 0)::text)) from only %I.%I the_row$$,
    format('rows %I.%I', n.nspname, c.relname), n.nspname, c.relname)
:relations and c.relkind in ('r', 'm') and c.relispopulated \gexec

select json_build_object('fact', format('sequence %I.%I', n.nspname, c.relname), 'is', json_build_object(
    'owner', pg_get_userbyid(c.relowner), 'type', s.seqtypid::regtype, 'start', s.seqstart, 'increment', s.seqincrement, 'min', s.seqmin,
    'max', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle,
    'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(c.relacl, acldefault('s', c.relowner))) a),
    'owned by', (select format('%s.%I', d.refobjid::regclass, a.attname) from pg_depend d join pg_attribute a on a.attrelid = d.refobjid
        and a.attnum = d.refobjsubid where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        and d.refclassid = 'pg_class'::regclass)))
from pg_sequence s, lateral (select c.* :relations and c.oid = s.seqrelid) c join pg_namespace n on n.oid = c.relnamespace;

select format($$select json_build_object('fact', %L, 'is', json_build_object('last', last_value, 'called', is_called)) from %I.%I$$,
    format('sequence value %I.%I', n.nspname, c.relname), n.nspname, c.relname)
:relations and c.relkind = 'S' \gexec

select json_build_object('fact', format('index %s', i.indexrelid::regclass), 'is', json_build_object(
    'definition', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid, 'clustered', i.indisclustered, 'replica identity', i.indisreplident))
from pg_index i where i.indrelid in (select c.oid :relations);

select json_build_object('fact', format('constraint %I on %s', k.conname, coalesce(nullif(k.conrelid, 0)::regclass::text,
    k.contypid::regtype::text)), 'is', json_build_object('definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated))
from pg_constraint k where k.conrelid in (select c.oid :relations)
    or k.contypid in (select t.oid from pg_type t join pg_namespace n on n.oid = t.typnamespace where :mine)
        and k.contypid not in (:members 'pg_type'::regclass);

select json_build_object('fact', format('function %s', p.oid::regprocedure), 'is', json_build_object(
    'owner', pg_get_userbyid(p.proowner), 'definition', case when p.prokind <> 'a' then pg_get_functiondef(p.oid) end,
    'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a)))
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where :mine and p.oid not in (:members 'pg_proc'::regclass);

select json_build_object('fact', format('trigger %I on %s', t.tgname, t.tgrelid::regclass), 'is', json_build_object(
    'definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled))
from pg_trigger t where not t.tgisinternal and t.tgrelid in (select c.oid :relations);

select json_build_object('fact', format('rule %I on %s', r.rulename, r.ev_class::regclass), 'is', json_build_object(
    'definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled))
from pg_rewrite r where r.rulename <> '_RETURN' and r.ev_class in (select c.oid :relations);

select json_build_object('fact', format('policy %I on %s', p.polname, p.polrelid::regclass), 'is', json_build_object(
    'command', p.polcmd, 'permissive', p.polpermissive, 'using', pg_get_expr(p.polqual, p.polrelid),
    'check', pg_get_expr(p.polwithcheck, p.polrelid),
    'roles', (select json_agg(case r when 0 then 'public' else pg_get_userbyid(r) end order by 1) from unnest(p.polroles) r)))
from pg_policy p;

select json_build_object('fact', format('type %s', t.oid::regtype), 'is', json_build_object(
    'kind', t.typtype, 'owner', pg_get_userbyid(t.typowner), 'base', nullif(t.typbasetype, 0)::regtype, 'not null', t.typnotnull,
    'default', t.typdefault, 'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(t.typacl, acldefault('T', t.typowner))) a),
    'labels', (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
    'attributes', (select json_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) order by a.attnum) from pg_attribute a
        where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)))
from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
where :mine and t.typtype in ('e', 'd', 'r', 'c') and coalesce(c.relkind, 'c') = 'c' and t.oid not in (:members 'pg_type'::regclass);

select json_build_object('fact', 'large object ' || m.oid, 'is', json_build_object('owner', pg_get_userbyid(m.lomowner),
    'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(m.lomacl, acldefault('L', m.lomowner))) a),
    'bytes', length(lo_get(m.oid)), 'md5', md5(lo_get(m.oid))))
from pg_largeobject_metadata m;

select json_build_object('fact', 'publication ' || p.pubname, 'is', json_build_object('owner', pg_get_userbyid(p.pubowner),
    'all', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete, 'truncate', p.pubtruncate,
    'via root', p.pubviaroot,
    'tables', case when not p.puballtables then (select json_agg(json_build_object('table', format('%I.%I', t.schemaname, t.tablename),
        'columns', t.attnames, 'where', t.rowfilter) order by t.schemaname, t.tablename) from pg_publication_tables t where t.pubname = p.pubname) end,
    'schemas', (select json_agg(n.nspname order by 1) from pg_publication_namespace s join pg_namespace n on n.oid = s.pnnspid where s.pnpubid = p.oid)))
from pg_publication p;

select json_build_object('fact', 'event trigger ' || e.evtname, 'is', json_build_object('owner', pg_get_userbyid(e.evtowner),
    'event', e.evtevent, 'function', e.evtfoid::regprocedure, 'enabled', e.evtenabled, 'tags', e.evttags))
from pg_event_trigger e where e.oid not in (:members 'pg_event_trigger'::regclass);

select json_build_object('fact', format('statistics %I.%I', n.nspname, s.stxname), 'is', json_build_object(
    'owner', pg_get_userbyid(s.stxowner), 'definition', pg_get_statisticsobjdef(s.oid), 'target', nullif(s.stxstattarget, -1)))
from pg_statistic_ext s join pg_namespace n on n.oid = s.stxnamespace where :mine;

select json_build_object('fact', format('default privileges of %s in %s for %s', pg_get_userbyid(d.defaclrole), coalesce(n.nspname, 'all schemas'),
    d.defaclobjtype), 'is', json_build_object('acl', (select json_agg(a::text order by a::text) from unnest(d.defaclacl) a)))
from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace;

-- 16384 is the first oid that is not the server's own (access/transam.h, FirstNormalObjectId).
select json_build_object('fact', format('comment on %s %s', i.type, i.identity), 'is', json_build_object('text', d.description))
from pg_description d, lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i where d.objoid >= 16384;
commit;
