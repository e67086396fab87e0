//! Valkey in the suite of all stores.

use anyhow::Result;
use stillpoint_testkit::conformance::store::Subject;
use stillpoint_testkit::store_conformance;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::PROGRAM;

struct Valkey;

store_conformance!(Valkey, PROGRAM);

const SERVICE: &str = "valkey";

impl Subject for Valkey {
    fn shape(&self) -> Shape {
        Shape::Valkey
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn password(&self) -> &'static str {
        "STILLPOINT_VALKEY_PASSWORD"
    }

    fn bulk(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, "head -c 16777216 /dev/urandom | valkey-cli -e -x SET bulk")?;
        Ok("valkey.rdb")
    }

    fn intrude(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, "valkey-cli -e INCR outside")?;
        Ok("1 call of INCR")
    }

    fn traces(&self, testbed: &Testbed) -> Result<String> {
        // Its settings two by two, our sessions, and whatever lies in its folder that is neither data nor a log of it.
        let server = testbed.beside(
            SERVICE,
            "valkey-cli -e CONFIG GET '*' | paste - -; valkey-cli -e ACL LIST
             valkey-cli -e CLIENT LIST | grep -o 'name=stillpoint' || true",
        )?;
        let store = testbed.container(SERVICE)?;
        let files = testbed.docker(&[
            "exec",
            &store,
            "sh",
            "-c",
            "cd /data && ls -A | grep -vE '^(dump.rdb|appendonlydir)$' || true",
        ])?;
        Ok(format!("{server}\n{files}"))
    }
}
