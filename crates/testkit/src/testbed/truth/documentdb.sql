-- What DocumentDB's catalog holds, and the jobs beside it: what no dump has. Roles by their names; what is in progress counts as waiting,
-- because nobody is at work on it after a restore.
set search_path = '';
set bytea_output = 'hex';
begin isolation level repeatable read read only;
select pg_catalog.json_build_object('database', 'catalog');
select pg_catalog.json_build_object('fact', pg_catalog.format('collection %L.%L', c.database_name, c.collection_name), 'is', pg_catalog.to_jsonb(c))
from documentdb_api_catalog.collections c where c.database_name <> 'witness';
select pg_catalog.json_build_object('fact', 'index ' || i.index_id, 'is', pg_catalog.to_jsonb(i))
from documentdb_api_catalog.collection_indexes i;
select pg_catalog.json_build_object('fact', 'waits ' || q.index_id, 'is', pg_catalog.to_jsonb(q) || pg_catalog.jsonb_build_object(
    'user_oid', pg_catalog.pg_get_userbyid(q.user_oid), 'global_pid', null,
    'index_cmd_status', case q.index_cmd_status when 2 then 1 else q.index_cmd_status end))
from documentdb_api_catalog.documentdb_index_queue q;
select pg_catalog.json_build_object('fact', 'next collection', 'is', pg_catalog.json_build_array(last_value, is_called))
from documentdb_api_catalog.collections_collection_id_seq;
select pg_catalog.json_build_object('fact', 'next index', 'is', pg_catalog.json_build_array(last_value, is_called))
from documentdb_api_catalog.collection_indexes_index_id_seq;
select pg_catalog.json_build_object('fact', 'job ' || j.jobid, 'is', pg_catalog.to_jsonb(j)) from cron.job j;
select pg_catalog.json_build_object('fact', 'next job', 'is', pg_catalog.json_build_array(last_value, is_called)) from cron.jobid_seq;
commit;
