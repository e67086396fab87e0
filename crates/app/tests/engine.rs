//! The engine itself dies inside a standstill, by SIGKILL and by a clean restart. A program of its own:
//! it works on a second, disposable engine. Needs root.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::second_engine::SecondEngine;
use stillpoint_testkit::testbed::{Shape, Status, Testbed, images, use_engine};

const PROGRAM: &str = env!("CARGO_BIN_EXE_stillpoint");

/// The stock `pg_dump` for the probe; for the work itself, silence.
const HANGING: &str = "#!/bin/sh
case \"$*\" in *--schema-only*) exec /usr/bin/pg_dump \"$@\";; esac
touch /tmp/half-way
sleep 3600
";

type Death = fn(&mut SecondEngine) -> Result<()>;

#[test]
fn everything_is_as_before_after_the_engine_died_in_the_middle() -> Result<()> {
    let folder = tempfile::tempdir()?;
    SecondEngine::start()?.examined(|engine| {
        engine.take_images(&images()?.into_values().collect::<Vec<_>>())?;
        use_engine(&engine.address())?;
        // The witness ticks on command: a tick that is cut by the engine's death is nobody's fault.
        let testbed = Testbed::for_test("engine", Shape::Lean)?;
        let product = Product::of(PROGRAM, folder.path(), &testbed)
            .with("DOCKER_HOST", engine.address())
            .run_by(engine.inside());
        testbed.up()?;
        testbed.seed(1)?;
        let before = standing(&testbed)?;
        let clean_backup = product.backup()?;
        hang("pg_dump", &testbed, folder.path())?;

        let deaths: [Death; 2] = [SecondEngine::kill, SecondEngine::shut_down];
        for death in deaths {
            forget_half_way(&testbed)?;
            let running = product.start(&["backup", "--mode", "hold"])?;
            half_way(&testbed)?;
            death(engine)?;
            engine.start_again()?;
            // Paused again, exited still, stopped by the operator still, kept ones running.
            let ran = running.end()?;
            if !matches!(ran.code, Some(1 | 16)) {
                bail!("the backup ended with {:?}:\n{}", ran.code, ran.err);
            }
            let recovered = product.run(&["containers", "recover"])?.must_end_with(0)?;
            let mut now = standing(&testbed)?;
            // An engine that comes back starts by its policy also what was paused, unless it takes it for well ended: that is
            // told, and left as it is.
            let told = |err: &str| err.contains("worker-paused was paused and has been started since");
            if told(&ran.err) || told(&recovered.err) {
                testbed.docker(&["pause", &testbed.container("worker-paused")?])?;
                now = standing(&testbed)?;
            }
            if now != before {
                bail!("not as before\nbefore {before:?}\nnow    {now:?}\n{}", ran.err);
            }
            assert!(
                product.backups()? == std::slice::from_ref(&clean_backup),
                "something incomplete is listed"
            );
        }
        stopped_on_purpose_across_a_reboot(engine, &testbed, &product, &clean_backup, folder.path())?;
        testbed.down()
    })
}

/// A restore died half-way and the engine went down and up: nothing runs on data that is half
/// replaced, `restart: always` or not, and one command starts everything with the policies it had.
fn stopped_on_purpose_across_a_reboot(
    engine: &mut SecondEngine,
    testbed: &Testbed,
    product: &Product,
    backup: &str,
    folder: &std::path::Path,
) -> Result<()> {
    // The witness does not run on half the data: it says so and ends, again and again.
    let of_others = |testbed: &Testbed| -> Result<Vec<(String, Status)>> {
        Ok(standing(testbed)?
            .into_iter()
            .filter(|(service, _)| service != "witness")
            .collect())
    };
    let (before, policies) = (of_others(testbed)?, policies(testbed)?);
    hang("pg_restore", testbed, folder)?;
    forget_half_way(testbed)?;
    let running = product.start(&["restore", backup, "--confirm", backup])?;
    half_way(testbed)?;
    running.kill_all()?;
    engine.shut_down()?;
    engine.start_again()?;
    for service in ["postgres-main", "webapp", "witness", "stubborn", "worker-paused"] {
        assert_eq!(
            testbed.state(service)?.status,
            Status::Exited,
            "{service} was started by the engine"
        );
    }
    product
        .run(&["backup"])?
        .must_end_with(14)?
        .must_say("stopped on purpose")?;
    product.run(&["containers", "start"])?.must_end_with(0)?;
    assert_eq!(of_others(testbed)?, before);
    assert_eq!(self::policies(testbed)?, policies);
    Ok(())
}

fn policies(testbed: &Testbed) -> Result<Vec<(String, String)>> {
    let all = testbed.containers()?.into_iter();
    Ok(all.map(|one| (one.service, one.restart_policy)).collect())
}

fn standing(testbed: &Testbed) -> Result<Vec<(String, Status)>> {
    Ok(testbed
        .containers()?
        .into_iter()
        .map(|one| (one.service, one.status))
        .collect())
}

fn hang(tool: &str, testbed: &Testbed, folder: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(tool);
    std::fs::write(&path, HANGING)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    let target = format!("{}:/usr/local/bin/{tool}", testbed.container("postgres-main")?);
    testbed.docker(&["cp", &path.to_string_lossy(), &target]).map(drop)
}

/// Dumps go on side by side: a later one may have said that it is half-way after anybody looked.
fn forget_half_way(testbed: &Testbed) -> Result<()> {
    let store = testbed.container("postgres-main")?;
    testbed.docker(&["exec", &store, "rm", "-f", "/tmp/half-way"]).map(drop)
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
