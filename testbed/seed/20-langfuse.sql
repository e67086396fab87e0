-- Traces: partitions (one of them a default, one detached in storage options), publication, composite type, statistics, foreign keys.
\connect langfuse
set client_min_messages = warning;
create schema analytics authorization langfuse;
set role langfuse;

create table public.projects (id text primary key, name text not null, tags text[] not null default '{}', budget numeric(12, 4));
insert into public.projects
select 'p' || g, 'Project ' || g, array['a' || g % 3, null, 'with "quote"'], case when g = 7 then 'NaN' else g * 1.2345 end
from generate_series(1, 20) g;

create table public.traces (
    id uuid not null,
    project_id text not null references public.projects,
    ts timestamptz not null,
    body jsonb not null,
    primary key (id, ts)) partition by range (ts);
create table public.traces_2026_01 partition of public.traces for values from ('2026-01-01 00:00:00+00') to ('2026-02-01 00:00:00+00');
create table public.traces_2026_02 partition of public.traces for values from ('2026-02-01 00:00:00+00') to ('2026-03-01 00:00:00+00')
    partition by hash (id);
create table public.traces_2026_02_a partition of public.traces_2026_02 for values with (modulus 2, remainder 0);
create table public.traces_2026_02_b partition of public.traces_2026_02 for values with (modulus 2, remainder 1) with (fillfactor = 80);
create table public.traces_rest partition of public.traces default;
insert into public.traces
select md5('trace' || g)::uuid, 'p' || 1 + g % 20, timestamptz '2026-01-20 00:00:00+00' + (g % 60) * interval '1 day' + g * interval '1 ms',
       jsonb_build_object('name', 'gen-' || g, 'model', 'gpt-' || g % 5, 'usage', jsonb_build_object('in', g % 9000, 'out', g % 700),
           'input', md5(g::text) || md5((g + 1)::text), 'tags', array['a' || g % 10, 'b' || g % 3])
from generate_series(1, 7000 * :scale) g;
create index traces_body on public.traces using gin (body jsonb_path_ops);
create index traces_project on public.traces (project_id, ts desc nulls last);
create statistics public.traces_project_ts (dependencies, ndistinct) on project_id, ts from public.traces;

create type public.usage as (tokens_in integer, tokens_out integer);
create table public.observations (
    id bigserial primary key,
    trace uuid not null,
    used public.usage,
    during tstzrange,
    score double precision);
insert into public.observations (trace, used, during, score)
select md5('trace' || g)::uuid, row (g % 100, g % 77)::public.usage,
       tstzrange(timestamptz '2026-01-20 00:00:00+00' + g * interval '1 s', timestamptz '2026-01-20 00:00:00+00' + g * interval '2 s'), g / 3.0
from generate_series(1, 2000 * :scale) g;
select setval('public.observations_id_seq', 5000000) \g /dev/null
create index on public.observations using gist (during);

create materialized view analytics.per_model as
select body ->> 'model' as model, count(*) as n from public.traces group by 1;
create materialized view analytics.not_filled as select 1 as x with no data;
create view analytics.spans as select * from public.observations where lower(during) is not null with local check option;
create procedure analytics.refresh() language sql as 'refresh materialized view analytics.per_model';
reset role;
set client_min_messages = error;
create publication langfuse_out for table public.observations (id, trace) where (score > 10), public.projects with (publish = 'insert, delete');
alter publication langfuse_out owner to ops_admin;
