-- The witness's place in every database, then the mark that the seed is whole (images/witness/stores/postgres.sh waits for it).
\set witness 'create table public.witness (n bigint primary key, proof text not null);'
\connect openwebui
:witness
\connect langfuse
:witness
\connect dagster
:witness
\connect litellm
:witness
\connect "we ""ird' db #1%"
:witness
\connect postgres
create table public.seeded (scale integer primary key);
insert into public.seeded values (:scale);
checkpoint;
