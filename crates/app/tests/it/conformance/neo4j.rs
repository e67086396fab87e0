//! Neo4j in the suite of all stores.

use anyhow::Result;
use stillpoint_testkit::conformance::store::Subject;
use stillpoint_testkit::store_conformance;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::PROGRAM;

struct Neo4j;

store_conformance!(Neo4j, PROGRAM);

const SERVICE: &str = "neo4j";

/// Bytes: a text of random bytes would compress.
const BULK: &str = r#"
set -euo pipefail
for n in 1 2 3 4 5 6 7 8; do
  head -c 2097152 /dev/urandom | base64 -w 0 | jq -Rc '{bytes: {"$type": "Base64", "_value": .}}' >/tmp/bulk
  cypher --typed neo4j /tmp/bulk <<<'CREATE (:Bulk {bytes: $bytes})'
done
"#;

/// Settings, and who works for us.
const TRACES: &str = r#"
cypher neo4j <<<'SHOW SETTINGS YIELD name, value'
cypher neo4j <<<'CALL dbms.listConnections() YIELD userAgent WHERE userAgent CONTAINS "stillpoint" RETURN userAgent'
"#;

impl Subject for Neo4j {
    fn shape(&self) -> Shape {
        Shape::Neo4j
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn password(&self) -> &'static str {
        "STILLPOINT_NEO4J_PASSWORD"
    }

    fn bulk(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, BULK)?;
        Ok("neo4j.dump")
    }

    /// What is drained is a copy of its folders.
    fn is_read_while_draining(&self) -> bool {
        false
    }

    fn intrude(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, "cypher neo4j <<<'CREATE (:Outside)'")?;
        Ok("database neo4j: ")
    }

    fn traces(&self, testbed: &Testbed) -> Result<String> {
        let server = testbed.beside(SERVICE, TRACES)?;
        // Whatever lies in its folder beside the databases and their logs.
        let store = testbed.container(SERVICE)?;
        let files = ["find", "/data", "-maxdepth", "2", "-printf", r"%u %p\n"];
        let files = testbed.docker(&[&["exec", &store], &files[..]].concat())?;
        Ok(format!("{server}\n{files}"))
    }
}
