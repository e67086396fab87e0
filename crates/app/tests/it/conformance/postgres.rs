//! PostgreSQL in the suite of all stores.

use anyhow::Result;
use stillpoint_testkit::conformance::store::Subject;
use stillpoint_testkit::store_conformance;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::PROGRAM;

struct Postgres;

store_conformance!(Postgres, PROGRAM);

/// Settings, who works for us, and what outlives a session.
pub(super) const TRACES: &str = "select name || ' = ' || setting from pg_settings;
    select 'session of ' || application_name from pg_stat_activity
        where application_name in ('stillpoint', 'pg_dump', 'pg_dumpall', 'pg_restore');
    select 'advisory lock ' || objid from pg_locks where locktype = 'advisory';
    select 'slot ' || slot_name from pg_replication_slots;
    select 'prepared ' || gid from pg_prepared_xacts;
    select 'aside ' || datname from pg_database where datname ~ '^sp_'";

impl Subject for Postgres {
    fn shape(&self) -> Shape {
        Shape::Mini
    }

    fn service(&self) -> &'static str {
        "postgres-main"
    }

    fn password(&self) -> &'static str {
        "STILLPOINT_POSTGRES_MAIN_PASSWORD"
    }

    fn bulk(&self, testbed: &Testbed) -> Result<&'static str> {
        // No database of its own: the witness, which counts in all of them, would look for itself there.
        let hashes = "sha512(g::text::bytea) a, sha512((-g)::text::bytea) b, sha512((g * g)::text::bytea) c";
        let noise = format!("create table noise as select {hashes} from generate_series(1::bigint, 100000) g");
        testbed.psql("langfuse", &noise)?;
        Ok("postgres-main/langfuse.dump")
    }

    fn intrude(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.psql(
            "langfuse",
            "create table if not exists outside (n int); insert into outside values (1)",
        )?;
        Ok("database `langfuse`")
    }

    fn traces(&self, testbed: &Testbed) -> Result<String> {
        testbed.psql("postgres", TRACES)
    }
}
