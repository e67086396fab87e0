-- What a cluster holds outside its databases. One JSON document per line: {"fact": name, "is": content}. Reads only.
\set ON_ERROR_STOP on
set search_path = '';
set timezone = 'UTC';
begin isolation level repeatable read read only;

select json_build_object('fact', 'role ' || rolname, 'is', json_build_object(
    'superuser', rolsuper, 'inherit', rolinherit, 'createrole', rolcreaterole, 'createdb', rolcreatedb, 'login', rolcanlogin,
    'replication', rolreplication, 'bypassrls', rolbypassrls, 'connections', rolconnlimit, 'password', rolpassword,
    'valid until', rolvaliduntil, 'comment', shobj_description(oid, 'pg_authid')))
from pg_authid where rolname !~ '^pg_' order by rolname;

select json_build_object('fact', format('member %s of %s granted by %s', m.rolname, r.rolname, g.rolname), 'is', json_build_object(
    'admin', a.admin_option, 'inherit', a.inherit_option, 'set', a.set_option))
from pg_auth_members a join pg_authid r on r.oid = a.roleid join pg_authid m on m.oid = a.member join pg_authid g on g.oid = a.grantor
where m.rolname !~ '^pg_' order by 1::text;

select json_build_object('fact', format('settings of %s in %s', coalesce(r.rolname, 'all roles'), coalesce(d.datname, 'all databases')),
    'is', (select json_object_agg(split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) order by c) from unnest(s.setconfig) c))
from pg_db_role_setting s left join pg_authid r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase
order by r.rolname, d.datname;

select json_build_object('fact', 'parameter ' || parname, 'is', json_build_object(
    'acl', (select json_agg(a::text order by a::text) from unnest(paracl) a)))
from pg_parameter_acl order by parname;

select json_build_object('fact', 'database ' || datname, 'is', json_build_object(
    'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding), 'provider', datlocprovider, 'collate', datcollate,
    'ctype', datctype, 'locale', datlocale, 'rules', daticurules, 'connections', datconnlimit, 'allow', datallowconn,
    'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(datacl, acldefault('d', datdba))) a),
    'comment', shobj_description(oid, 'pg_database')))
from pg_database where not datistemplate order by datname;

select json_build_object('fact', 'tablespace ' || spcname, 'is', json_build_object('owner', pg_get_userbyid(spcowner)))
from pg_tablespace where spcname !~ '^pg_' order by spcname;
commit;
