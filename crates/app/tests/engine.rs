//! The engine itself dies inside a standstill, by SIGKILL and by a clean restart. A program of its own:
//! it works on a second, disposable engine. Needs root.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::second_engine::SecondEngine;
use stillpoint_testkit::testbed::{Shape, Status, Testbed, images, use_engine};

const PROGRAM: &str = env!("CARGO_BIN_EXE_stillpoint");

/// The stock `pg_dump` for the probe; for the dump itself, silence.
const HANGING_DUMP: &str = "#!/bin/sh
case \"$*\" in *--schema-only*) exec /usr/bin/pg_dump \"$@\";; esac
touch /tmp/half-way
sleep 3600
";

#[test]
fn everything_is_as_before_after_the_engine_died_in_the_middle() -> Result<()> {
    let folder = tempfile::tempdir()?;
    SecondEngine::start()?.examined(|engine| {
        engine.take_images(&images()?.into_values().collect::<Vec<_>>())?;
        use_engine(&engine.address())?;
        let testbed = Testbed::for_test("engine", Shape::Full)?;
        let product = Product::of(PROGRAM, folder.path(), &testbed)
            .with("DOCKER_HOST", engine.address())
            .run_by(engine.inside());
        testbed.up()?;
        testbed.seed(1)?;
        let before = standing(&testbed)?;
        let clean_backup = product.backup()?;
        hang_dumps(&testbed, folder.path())?;

        for death in [SecondEngine::kill, SecondEngine::shut_down] {
            let running = product.start(&["backup"])?;
            half_way(&testbed)?;
            death(engine)?;
            engine.start_again()?;
            // Paused again, exited still, stopped by the operator still, kept ones running.
            let ran = running.end()?;
            if !matches!(ran.code, Some(1 | 16)) {
                bail!("the backup ended with {:?}:\n{}", ran.code, ran.err);
            }
            product.run(&["containers", "recover"])?.must_end_with(0)?;
            let now = standing(&testbed)?;
            if now != before {
                bail!("not as before\nbefore {before:?}\nnow    {now:?}\n{}", ran.err);
            }
            assert!(
                product.backups()? == std::slice::from_ref(&clean_backup),
                "something incomplete is listed"
            );
        }
        testbed.down()
    })
}

fn standing(testbed: &Testbed) -> Result<Vec<(String, Status)>> {
    Ok(testbed
        .containers()?
        .into_iter()
        .map(|one| (one.service, one.status))
        .collect())
}

fn hang_dumps(testbed: &Testbed, folder: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("pg_dump");
    std::fs::write(&path, HANGING_DUMP)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    let target = format!("{}:/usr/local/bin/pg_dump", testbed.container("postgres-main")?);
    testbed.docker(&["cp", &path.to_string_lossy(), &target]).map(drop)
}

fn half_way(testbed: &Testbed) -> Result<()> {
    let store = testbed.container("postgres-main")?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        if testbed.docker(&["exec", &store, "rm", "/tmp/half-way"]).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the dump does not get half-way within a minute")
}
