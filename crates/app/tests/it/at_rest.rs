//! Stores that a stop would rob of their data: a restore is refused before it, and a backup, which stops no store, is not.

use anyhow::{Context, Result};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{PROGRAM, is_back, standing, until};

const PASSWORD: &str = "POSTGRES_PASSWORD=x";

/// A database in memory, one in a volume that is made of memory, and a cache that never saves.
fn stores(testbed: &Testbed) -> Result<()> {
    let volume = format!("{}_fast", testbed.project());
    let memory = ["--opt=type=tmpfs", "--opt=device=tmpfs"];
    let ours = format!("--label=com.docker.compose.project={}", testbed.project());
    testbed.docker(&[&["volume", "create", &ours][..], &memory, &[&volume]].concat())?;
    let mount = format!("--volume={volume}:/var/lib/postgresql/data");
    for (service, place) in [("db", "--tmpfs=/var/lib/postgresql/data"), ("fast", &mount)] {
        let options = ["--restart=unless-stopped", "-e", PASSWORD, place];
        let server = testbed.guest(service, "POSTGRES", &options, &["postgres", "-c", "fsync=off"])?;
        until("the server answers", || {
            let ask = ["exec", &server, "pg_isready", "-q", "-h", "127.0.0.1"];
            Ok(testbed.docker(&ask).is_ok())
        })?;
    }
    let options = ["--restart=unless-stopped"];
    let never = ["--save", "", "--appendonly", "no"];
    let cache = testbed.guest("cache", "VALKEY", &options, &never)?;
    let set = ["exec", &cache, "valkey-cli", "-e", "SET", "a", "1"];
    until("the cache answers", || Ok(testbed.docker(&set).is_ok()))
}

fn rows(testbed: &Testbed, service: &str, script: &str) -> Result<String> {
    let server = testbed.container(service)?;
    let psql = ["exec", &server, "psql", "-U", "postgres", "-XqAtc", script];
    testbed.docker(&psql).map(|said| said.trim().to_owned())
}

#[test]
fn what_a_stop_would_lose_is_told_before_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test("atrest", Shape::Mini)?.examined(|testbed| {
        testbed.guest("app", "IDLE", &["--tmpfs=/data"], &["term"])?;
        stores(testbed)?;
        let product = Product::of(PROGRAM, folder.path(), testbed);
        let before = standing(testbed)?;
        for service in ["db", "fast"] {
            rows(testbed, service, "create table kept as select generate_series(1, 5) n")?;
        }
        product.run(&["backup"])?.must_end_with(0)?;
        let id = product.backups()?.pop().context("there is no backup")?;
        for service in ["db", "fast"] {
            rows(testbed, service, "insert into kept values (6)")?;
        }

        // The backup has saved it.
        let cache = testbed.container("cache")?;
        testbed.docker(&["exec", &cache, "valkey-cli", "-e", "SET", "b", "2"])?;

        // Also those that are not restored are stopped.
        product
            .run(&["restore", &id, "--confirm", &id, "--store", "db"])?
            .must_end_with(13)?
            .must_say("store db: its folder /var/lib/postgresql/data lies in memory (tmpfs)")?
            .must_say("store fast: its folder /var/lib/postgresql/data lies in memory (tmpfs)")?
            .must_say("store cache: it keeps its data in memory alone")?
            .must_say("with 1 changes since its last save")?
            .must_say("--discard-old restores all the same")?;
        let rehearsed = product
            .run(&["restore", &id, "--dry-run", "--json", "--store", "db"])?
            .must_end_with(13)?
            .summary()?;
        let findings = rehearsed["findings"].as_array().context("there are no findings")?;
        let about: Vec<bool> = ["cache", "db", "fast"]
            .iter()
            .zip(findings)
            .map(|(store, finding)| {
                let what = finding["what"].as_str().unwrap_or_default();
                what.starts_with(&format!("store {store}: "))
                    && finding["severity"] == "refuses"
                    && finding["remedy"] == "--discard-old restores all the same"
            })
            .collect();
        assert_eq!((about, findings.len()), (vec![true; 3], 3), "{findings:?}");
        is_back(testbed, &before)?;
        for service in ["db", "fast"] {
            assert_eq!(rows(testbed, service, "select count(*) from kept")?, "6");
        }
        product
            .run(&["restore", &id, "--confirm", &id, "--discard-old"])?
            .must_end_with(0)?;
        for service in ["db", "fast"] {
            assert_eq!(rows(testbed, service, "select count(*) from kept")?, "5");
        }
        is_back(testbed, &before)?;
        Ok(())
    })
}
