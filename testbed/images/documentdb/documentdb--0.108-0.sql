\echo Use "CREATE EXTENSION documentdb CASCADE" to load this file. \quit
-- What pg_dump makes of the extension DocumentDB 0.108, without its C code: the same schemas, tables, sequences, types, roles and
-- seeded jobs, as its catalog shows them, and just so much behaviour that a lost catalog is felt. Documents live in tables that are
-- made when a collection is: those are ordinary ones, and dumped. The catalog that says which is which is not.

create schema documentdb_core;
create schema documentdb_api;
create schema documentdb_api_internal;
create schema documentdb_api_catalog;
create schema documentdb_data;

do $$
declare
    name text;
begin
    foreach name in array array['documentdb_admin_role', 'documentdb_readonly_role', 'documentdb_bg_worker_role'] loop
        if to_regrole(name) is null then
            execute format('create role %I', name);
        end if;
    end loop;
end $$;

-- The real type is written in C and holds any bytes.
create domain documentdb_core.bson as bytea;

create sequence documentdb_api_catalog.collections_collection_id_seq as bigint;
create table documentdb_api_catalog.collections (
    database_name text not null,
    collection_name text not null,
    collection_id bigint not null unique default nextval('documentdb_api_catalog.collections_collection_id_seq'),
    shard_key documentdb_core.bson,
    collection_uuid uuid,
    view_definition documentdb_core.bson,
    validator documentdb_core.bson,
    validation_level text constraint validation_level_check check (validation_level in ('off', 'strict', 'moderate')),
    validation_action text constraint validation_action_check check (validation_action in ('warn', 'error')),
    primary key (database_name, collection_name)
);

create type documentdb_api_catalog.index_spec_type_internal as (
    index_name text,
    index_key documentdb_core.bson,
    index_pfe documentdb_core.bson,
    index_wp documentdb_core.bson,
    index_is_sparse bool,
    index_is_unique bool,
    index_version int,
    index_expire_after_seconds int,
    cosmos_search_options documentdb_core.bson,
    index_options documentdb_core.bson
);
create domain documentdb_api_catalog.index_spec_type as documentdb_api_catalog.index_spec_type_internal
    check ((value).index_version > 0 and (value).index_name is not null and (value).index_key is not null);

create sequence documentdb_api_catalog.collection_indexes_index_id_seq as integer;
create table documentdb_api_catalog.collection_indexes (
    collection_id bigint not null,
    index_id integer primary key default nextval('documentdb_api_catalog.collection_indexes_index_id_seq'),
    index_spec documentdb_api_catalog.index_spec_type not null,
    index_is_valid bool not null
);
create index collection_index_name on documentdb_api_catalog.collection_indexes (collection_id, ((index_spec).index_name));

create table documentdb_api_catalog.documentdb_index_queue (
    index_cmd text not null,
    cmd_type char check (cmd_type in ('C', 'R')),
    index_id integer not null,
    -- 1 queued, 2 in progress, 3 failed, 4 to be skipped.
    index_cmd_status integer default 1,
    global_pid bigint,
    start_time timestamptz,
    collection_id bigint not null,
    comment documentdb_core.bson,
    attempt smallint,
    update_time timestamptz default now(),
    user_oid oid check (user_oid is null or user_oid <> '0'::oid)
);

grant usage on schema documentdb_core, documentdb_api, documentdb_api_internal, documentdb_api_catalog
    to documentdb_admin_role, documentdb_readonly_role;
grant all on schema documentdb_data to documentdb_admin_role;
grant select on all tables in schema documentdb_api_catalog to public;
grant all on all tables in schema documentdb_api_catalog to documentdb_admin_role;
grant all on all sequences in schema documentdb_api_catalog to documentdb_admin_role;

-- The table of a collection; an error if the catalog knows none.
create function documentdb_api_internal.documents_of(in_database text, in_collection text) returns regclass
language plpgsql stable as $$
declare
    id bigint;
begin
    select collection_id into id from documentdb_api_catalog.collections
    where database_name = in_database and collection_name = in_collection;
    if id is null then
        raise exception 'there is no collection %.%', in_database, in_collection;
    end if;
    return format('documentdb_data.documents_%s', id)::regclass;
end $$;

create function documentdb_api_internal.note_index(id bigint, name text, key documentdb_core.bson, is_unique bool, expires int, valid bool)
returns integer language sql as $$
    insert into documentdb_api_catalog.collection_indexes (collection_id, index_spec, index_is_valid)
    values (id, row(name, key, null, null, null, is_unique, 2, expires, null, null)::documentdb_api_catalog.index_spec_type_internal, valid)
    returning index_id
$$;

create function documentdb_api.create_collection(in_database text, in_collection text) returns bool
language plpgsql security definer as $$
declare
    id bigint;
begin
    if exists (select from documentdb_api_catalog.collections where database_name = in_database and collection_name = in_collection) then
        return false;
    end if;
    id := nextval('documentdb_api_catalog.collections_collection_id_seq');
    execute format('create table documentdb_data.documents_%s (shard_key_value bigint not null, object_id documentdb_core.bson not null, '
        'document documentdb_core.bson not null, constraint collection_pk_%1$s primary key (shard_key_value, object_id))', id);
    execute format('create table documentdb_data.retry_%s (shard_key_value bigint not null, transaction_id text not null, '
        'rows_affected bigint, write_time timestamptz not null default now(), primary key (shard_key_value, transaction_id))', id);
    execute format('alter table documentdb_data.documents_%s owner to documentdb_admin_role', id);
    execute format('alter table documentdb_data.retry_%s owner to documentdb_admin_role', id);
    insert into documentdb_api_catalog.collections (database_name, collection_name, collection_id, collection_uuid)
    values (in_database, in_collection, id, gen_random_uuid());
    perform documentdb_api_internal.note_index(id, '_id_', '_id'::bytea, null, null, true);
    return true;
end $$;

-- An id that is there keeps its document.
create function documentdb_api.insert_one(in_database text, in_collection text, id bytea, document bytea) returns void
language plpgsql security definer as $$
begin
    perform documentdb_api.create_collection(in_database, in_collection);
    execute format('insert into %s values (1, $1, $2) on conflict do nothing',
        documentdb_api_internal.documents_of(in_database, in_collection)) using id, document;
end $$;

create function documentdb_api.find(in_database text, in_collection text) returns table (id bytea, document bytea)
language plpgsql stable as $$
begin
    return query execute format('select object_id::bytea, document::bytea from %s order by 1',
        documentdb_api_internal.documents_of(in_database, in_collection));
end $$;

-- The index is built later, by a job, as whoever has asked for it.
create function documentdb_api.create_index(in_database text, in_collection text, name text, key bytea, is_unique bool, expires int)
returns void language plpgsql security definer as $$
declare
    of_table regclass := documentdb_api_internal.documents_of(in_database, in_collection);
    id bigint;
    index integer;
begin
    select collection_id into id from documentdb_api_catalog.collections
    where database_name = in_database and collection_name = in_collection;
    index := documentdb_api_internal.note_index(id, name, key, is_unique, expires, false);
    insert into documentdb_api_catalog.documentdb_index_queue (index_cmd, cmd_type, index_id, collection_id, user_oid)
    values (format('create %sindex documents_rum_index_%s on %s (documentdb_core.field(document, %L))',
        case when is_unique then 'unique ' else '' end, index, of_table, convert_from(key, 'UTF8')),
        'C', index, id, (select oid from pg_catalog.pg_roles where rolname = session_user));
end $$;

-- A field of a document that is JSON; of any other bytes none has one.
create function documentdb_core.field(document documentdb_core.bson, name text) returns text
language plpgsql immutable as $$
begin
    return pg_catalog.convert_from(document, 'UTF8')::pg_catalog.jsonb ->> name;
exception when others then
    return null;
end $$;

-- One build a call. A role that is not there is tried three times; then the index is forgotten without a word.
create procedure documentdb_api_internal.build_index_concurrently(worker integer) language plpgsql as $$
declare
    todo documentdb_api_catalog.documentdb_index_queue;
    role text;
begin
    select * into todo from documentdb_api_catalog.documentdb_index_queue
    where index_cmd_status in (1, 3) and index_id % 2 = worker % 2 order by index_id limit 1 for update skip locked;
    if todo is null then
        return;
    end if;
    select rolname into role from pg_catalog.pg_roles where oid = todo.user_oid;
    if todo.user_oid is not null and role is null then
        if coalesce(todo.attempt, 0) >= 3 then
            delete from documentdb_api_catalog.collection_indexes where index_id = todo.index_id;
            delete from documentdb_api_catalog.documentdb_index_queue where index_id = todo.index_id;
        else
            update documentdb_api_catalog.documentdb_index_queue
            set index_cmd_status = 3, attempt = coalesce(attempt, 0) + 1, update_time = now(),
                comment = convert_to(format('invalid role OID: %s', todo.user_oid), 'UTF8')
            where index_id = todo.index_id;
        end if;
        return;
    end if;
    execute todo.index_cmd;
    update documentdb_api_catalog.collection_indexes set index_is_valid = true where index_id = todo.index_id;
    delete from documentdb_api_catalog.documentdb_index_queue where index_id = todo.index_id;
end $$;

-- The field that a TTL index is on holds a time.
create procedure documentdb_api_internal.delete_expired_rows() language plpgsql as $$
declare
    ttl record;
begin
    for ttl in select collection_id, convert_from((index_spec).index_key, 'UTF8') as field, (index_spec).index_expire_after_seconds as expires
        from documentdb_api_catalog.collection_indexes where (index_spec).index_expire_after_seconds is not null and index_is_valid
    loop
        execute format('delete from documentdb_data.documents_%s where documentdb_core.field(document, %L)::timestamptz < now() - %L::interval',
            ttl.collection_id, ttl.field, format('%s seconds', ttl.expires));
    end loop;
end $$;

create function documentdb_api_internal.cursor_directory_cleanup() returns void language sql as 'select';

-- Jobs that are there as soon as the extension is: rows of a table that another extension registers for dumps.
select cron.schedule(name, schedule, command) from (values
    ('documentdb_ttl_task', '* * * * *', 'CALL documentdb_api_internal.delete_expired_rows();'),
    ('documentdb_index_build_task_1', '2 seconds', 'CALL documentdb_api_internal.build_index_concurrently(1);'),
    ('documentdb_index_build_task_2', '2 seconds', 'CALL documentdb_api_internal.build_index_concurrently(2);'),
    ('documentdb_cursor_cleanup_task', '* * * * *', 'SELECT documentdb_api_internal.cursor_directory_cleanup();')
) as jobs (name, schedule, command);
