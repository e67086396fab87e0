//! ClickHouse in the suite of all stores.

use anyhow::Result;
use stillpoint_testkit::conformance::store::Subject;
use stillpoint_testkit::store_conformance;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::PROGRAM;

struct Clickhouse;

store_conformance!(Clickhouse, PROGRAM);

const SERVICE: &str = "clickhouse";

const BULK: &str = r"
set -euo pipefail
clickhouse-sql <<<'CREATE TABLE default.bulk (bytes String CODEC(NONE)) ENGINE = MergeTree ORDER BY tuple()'
clickhouse-sql <<<'INSERT INTO default.bulk SELECT randomString(1048576) FROM numbers(16)'
";

/// Settings, databases of ours, who works for us, and what rests. Databases of the users are compared by their truth.
const TRACES: &str = r#"
clickhouse-sql <<<"SELECT name, value FROM system.server_settings WHERE changed ORDER BY name"
clickhouse-sql <<<"SELECT name FROM system.databases WHERE startsWith(name, 'sp_') ORDER BY name"
clickhouse-sql <<<"SELECT database, table FROM system.detached_tables ORDER BY database, table"
clickhouse-sql <<<"SELECT id, status FROM system.backups WHERE status IN ('CREATING_BACKUP', 'RESTORING')"
clickhouse-sql <<<"SELECT query FROM system.processes WHERE startsWith(Settings['log_comment'], 'stillpoint')"
"#;

impl Subject for Clickhouse {
    fn shape(&self) -> Shape {
        Shape::Clickhouse
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn password(&self) -> &'static str {
        "STILLPOINT_CLICKHOUSE_PASSWORD"
    }

    /// All its objects are told together.
    fn bulk(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, BULK)?;
        Ok("clickhouse")
    }

    fn intrude(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(
            SERVICE,
            "set -e; clickhouse-sql <<<'CREATE TABLE IF NOT EXISTS default.outside (n UInt8) ENGINE = MergeTree ORDER BY n'
             clickhouse-sql <<<'INSERT INTO default.outside VALUES (1)'",
        )?;
        Ok("table default.outside: ")
    }

    fn traces(&self, testbed: &Testbed) -> Result<String> {
        let server = testbed.beside(SERVICE, TRACES)?;
        // Whatever lies in its folder beside what is a server's own.
        let store = testbed.container(SERVICE)?;
        let files = ["find", "/var/lib/clickhouse", "-maxdepth", "1", "-printf", r"%u %p\n"];
        let files = testbed.docker(&[&["exec", &store], &files[..]].concat())?;
        let mut files: Vec<&str> = files.lines().collect();
        files.sort_unstable();
        Ok(format!("{server}\n{}", files.join("\n")))
    }
}
