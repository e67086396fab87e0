//! `TimescaleDB` as far as a dump sees it: a stand-in that refuses rows of its catalog unless it was told of a load. It is
//! restored in the version of the backup, told before and after, or refused. Part of the server that lacks something.

use anyhow::Result;

use super::Server;
use super::owned::offer_extension;

const STAND_IN: &str = "
create table hypertables (name text);
select pg_catalog.pg_extension_config_dump('hypertables', '');
create function blocks() returns trigger language plpgsql as $$ begin
    if current_setting('timescaledb.restoring', true) is distinct from 'on' then raise exception 'it is at work'; end if;
    return new; end $$;
create trigger blocks before insert on hypertables for each row execute function blocks();
create function timescaledb_pre_restore() returns boolean language plpgsql as $$ begin
    execute format('alter database %I set timescaledb.restoring = on', current_database()); return true; end $$;
create function timescaledb_post_restore() returns boolean language plpgsql as $$ begin
    execute format('alter database %I reset timescaledb.restoring', current_database()); return true; end $$;
";

const USED: &str = r"create database hyper;
\connect hyper
create extension timescaledb;
set timescaledb.restoring = 'on';
insert into hypertables values ('conditions');
";

const STATE: &str = r"\connect hyper
select extversion, (select name from hypertables), (select count(*) from pg_db_role_setting where setconfig::text like '%restoring%')
    from pg_extension where extname = 'timescaledb'";

pub(super) fn make(server: &Server) -> Result<()> {
    offer_extension(server, "timescaledb", &[("2.1", STAND_IN)])?;
    server.psql(USED).map(drop)
}

/// Another server has a later version alone.
pub(super) fn offer_the_later(server: &Server) -> Result<()> {
    offer_extension(server, "timescaledb", &[("2.2", STAND_IN)])
}

/// And now the older one too.
pub(super) fn offer_both(server: &Server) -> Result<()> {
    offer_extension(server, "timescaledb", &[("2.1", STAND_IN), ("2.2", STAND_IN)])
}

pub(super) fn is_back(server: &Server) -> Result<()> {
    assert_eq!(server.psql(STATE)?.trim(), "2.1|conditions|0");
    Ok(())
}
