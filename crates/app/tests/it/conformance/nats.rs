//! NATS in the suite of all stores.

use anyhow::{Context, Result};
use stillpoint_testkit::conformance::store::Subject;
use stillpoint_testkit::store_conformance;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::PROGRAM;

struct Nats;

store_conformance!(Nats, PROGRAM);

const SERVICE: &str = "nats";

/// Several: a stream goes into the artifact when all of it has come.
const BULK: &str = r"
set -euo pipefail
head -c 8388608 /dev/urandom > /tmp/bulk
for n in 1 2 3; do
  nats object add BULK$n --storage file >/dev/null
  nats object put BULK$n /tmp/bulk --name bulk --force --no-progress >/dev/null
done
";

impl Subject for Nats {
    fn shape(&self) -> Shape {
        Shape::Nats
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn password(&self) -> &'static str {
        "STILLPOINT_NATS_OTHER_PASSWORD"
    }

    fn bulk(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, BULK)?;
        Ok("nats-jetstream-APP.tar.gz")
    }

    /// It lies in the spool by then.
    fn is_read_while_draining(&self) -> bool {
        false
    }

    fn intrude(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(
            SERVICE,
            "nats publish --jetstream --quiet orders.outside one 2>/dev/null",
        )?;
        Ok("APP/ORDERS: last sequence")
    }

    fn traces(&self, testbed: &Testbed) -> Result<String> {
        let server = testbed.beside(
            SERVICE,
            r#"curl -s http://127.0.0.1:8222/connz | grep -o '"name": "stillpoint"' || true
               curl -s 'http://127.0.0.1:8222/subsz?subs=1' | grep -oE '"subject": "_INBOX[^"]*"' || true"#,
        )?;
        let images = stillpoint_testkit::testbed::images()?;
        let image = images.get("IMG_IDLE").context("there is no image with a shell")?;
        let from = format!("--volumes-from={}:ro", testbed.container(SERVICE)?);
        // Where the server gathers what it hands out or takes in.
        let gathered = ["--entrypoint=find", image, "/data", "-path", "*snap*", "-type", "f"];
        let files = testbed.docker(&[&["run", "--rm", &from][..], &gathered].concat())?;
        Ok(format!("{server}\n{files}"))
    }
}
