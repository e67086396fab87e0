-- Roles and databases: what pg_dumpall --globals-only and the CREATE DATABASE part of a dump have to bring back.
-- Everything in these files is made from fixed numbers: the same scale gives the same rows.
\set ON_ERROR_STOP on
\set VERBOSITY terse
set client_min_messages = warning;

create role openwebui login password 'openwebui-secret';
create role langfuse login password 'langfuse-secret' connection limit 50;
create role dagster login createdb password 'dagster-secret';
create role ops_admin superuser replication bypassrls login password 'ops-secret';
create role platform_readers nologin noinherit;
create role reporting login password 'reporting-secret' valid until '2031-05-01 00:00:00+00';
create role "Ana ""Lyst"" O'Neil" login createrole password 'quote''d \secret"';
-- A hash of the old kind must come back as it is.
set password_encryption = 'md5';
create role litellm login password 'litellm-secret';
reset password_encryption;

grant platform_readers to reporting with admin option;
grant platform_readers to "Ana ""Lyst"" O'Neil" with inherit false;
grant dagster to reporting with set false;
grant pg_read_all_stats to platform_readers;
grant set on parameter log_min_duration_statement to reporting;

alter role langfuse set work_mem = '8MB';
alter role reporting set default_transaction_read_only = on;
alter role "Ana ""Lyst"" O'Neil" set search_path = "$user", 'public';
comment on role platform_readers is 'may read; it''s for people';

create database openwebui owner openwebui;
create database langfuse owner langfuse;
create database dagster owner dagster;
create database litellm owner litellm template template0 locale_provider icu icu_locale 'de-CH' connection limit 80;
create database "we ""ird' db #1%" owner "Ana ""Lyst"" O'Neil";

comment on database openwebui is 'chats, users and retrieval';
alter database openwebui set statement_timeout = '77s';
alter database openwebui set search_path = "$user", public, rag;
revoke connect, temporary on database langfuse from public;
grant connect on database langfuse to platform_readers with grant option;
alter database langfuse set work_mem = '6MB';
alter role dagster in database dagster set search_path = dagster_ops, public;
comment on database "we ""ird' db #1%" is 'name with "quotes", spaces and a %';
