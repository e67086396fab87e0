//! The process dies. Nothing is left down, nothing is left running, nothing incomplete is listed; what
//! a restore stopped on purpose stays stopped. On the real engine.

use anyhow::{Context, Result};
use serde_json::Value;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::rounds::Random;
use stillpoint_testkit::rounds::restarts::{self, Death};
use stillpoint_testkit::testbed::{Shape, Status, Testbed};

use crate::common::{
    HALF_A_DUMP, HOLD, PIN, STOCK_RESTORE, half_way, has_claim, is_back, nothing_runs, on, on_mini, powers,
    replace_tool, standing, stuck_in_a_dump, until,
};

const STOCK_DUMP: &str = "exec /usr/bin/pg_dump \"$@\"";

fn event(name: &'static str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == name
}

fn step(name: &'static str, of: &'static str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == name && event["step"] == of
}

#[test]
fn the_watchdog_brings_the_platform_back_by_itself() -> Result<()> {
    on_mini("watchdog", |testbed, product| {
        let before = standing(testbed)?;
        stuck_in_a_dump(testbed, product, &HOLD)?.kill()?;
        until("the watchdog has brought the platform back", || {
            Ok(!has_claim(testbed)? && standing(testbed)? == before)
        })?;
        nothing_runs(testbed)?;
        assert_eq!(product.backups()?, Vec::<String>::new());
        until("the watchdog has gone", || {
            Ok(product.run(&["containers", "recover"])?.code == Some(0))
        })?;
        replace_tool(testbed, "pg_dump", STOCK_DUMP)?;
        product.backup().map(drop)
    })
}

/// Nobody is told that a dead process holds the platform.
#[test]
fn a_recovery_waits_for_the_watchdog_at_work_and_says_so() -> Result<()> {
    on_mini("waits", |testbed, product| {
        let before = standing(testbed)?;
        // A tool that does not listen keeps the watchdog busy for five seconds.
        let deaf = format!("{HALF_A_DUMP}\ntrap '' TERM\nsleep 3600");
        replace_tool(testbed, "pg_dump", &deaf)?;
        let mut running = product.start(&HOLD)?;
        half_way(testbed, &mut running)?;
        running.kill()?;
        let lock = product.state.join(format!("{}.lock", testbed.project()));
        until("the watchdog is at work", || {
            let lock = std::fs::File::open(&lock)?;
            Ok(matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
        })?;
        let ran = product.run(&["containers", "recover"])?.must_end_with(0)?;
        ran.must_say("its watchdog is at work: waiting for it")?;
        is_back(testbed, &before)?;
        nothing_runs(testbed)
    })
}

type Point = Box<dyn Fn(&Value) -> bool>;

#[test]
fn after_a_kill_at_any_point_everything_is_as_before() -> Result<()> {
    on("kills", Shape::Lean, |testbed, product| {
        let before = standing(testbed)?;
        let points: [(&str, Point); 4] = [
            // The stubborn client takes three seconds to stop: its siblings are down, it is not.
            ("in the middle of the stop", Box::new(event("stopped"))),
            ("after the last stop", Box::new(step("step_ended", "stop"))),
            ("in the start", Box::new(event("started"))),
            ("before the manifest", Box::new(step("step_began", "seal"))),
        ];
        for (n, (point, reached)) in points.iter().enumerate() {
            let mut running = product.start(&["backup", "--json"])?;
            running.until(point, reached)?;
            running.kill_all()?;
            if n == 1 {
                product.lose_ledger()?;
            }
            recovered(testbed, product, &before).with_context(|| format!("killed {point}"))?;
        }
        stuck_in_a_dump(testbed, product, &HOLD)?.kill_all()?;
        recovered(testbed, product, &before).context("killed in a dump")
    })
}

fn recovered(testbed: &Testbed, product: &Product, before: &[(String, Status, u64)]) -> Result<()> {
    product.run(&["containers", "recover"])?.must_end_with(0)?;
    is_back(testbed, before)?;
    nothing_runs(testbed)?;
    // A kill that came a moment after the manifest leaves a backup, and then a whole one.
    for backup in product.backups()? {
        product.run(&["verify", &backup])?.must_end_with(0)?;
    }
    let left = std::process::Command::new("find")
        .arg(&product.repository)
        .args(["-name", "*#*"])
        .output()?;
    assert!(
        left.stdout.is_empty(),
        "unfinished uploads: {}",
        String::from_utf8_lossy(&left.stdout)
    );
    Ok(())
}

/// The clients have started again and their work goes on: a recovery must know that, and only end what the run has left in the stores.
#[test]
fn a_kill_while_stores_drain_touches_nothing_but_what_drains_them() -> Result<()> {
    on("drainkill", Shape::Stores, |testbed, product| {
        for both in [true, false] {
            replace_tool(testbed, "pg_dump", &format!("{HALF_A_DUMP}\nsleep 3600"))?;
            let mut running = product.start(&[&PIN[..], &["--json"]].concat())?;
            running.until("the clients have started", step("step_ended", "start"))?;
            half_way(testbed, &mut running)?;
            testbed.await_ticks(1)?;
            let draining = testbed.containers()?;
            if both {
                running.kill_all()?;
            } else {
                running.kill()?;
            }
            until("nobody is at work on the platform", || {
                Ok(product.run(&["containers", "recover"])?.code == Some(0) && !has_claim(testbed)?)
            })?;
            // Started when it was started then, restarted as often: nobody has stopped or started it since.
            assert_eq!(testbed.containers()?, draining, "both killed: {both}");
            assert_eq!(testbed.siblings()?, Vec::<String>::new());
            nothing_runs(testbed)?;
            testbed.await_ticks(1)?;
            assert_eq!(product.backups()?, Vec::<String>::new());
        }
        replace_tool(testbed, "pg_dump", STOCK_DUMP)?;
        product.backup().map(drop)
    })
}

/// `make soak` does it thirty times.
#[test]
fn a_client_that_restarts_by_itself_is_never_left_down() -> Result<()> {
    on("restless", Shape::Restless, |testbed, product| {
        let mut random = Random::by_the_clock();
        let seed = random.seed();
        for round in 0..3 {
            // Whatever the moment: once the client is started by its policy between what the run has read and what it stops.
            let mut death = Death::at_random(&mut random);
            death.revived |= round == 0;
            restarts::die(testbed, product, death).with_context(|| format!("seed {seed}, round {round}"))?;
        }
        let before = testbed.containers()?;
        let mut events = testbed.events_recorder()?;
        product.backup()?;
        restarts::runs_again(testbed, &before)?;
        assert!(
            powers(events.so_far()?, restarts::RESTLESS).contains(&"start"),
            "it is taken for stopped by its operator"
        );
        events.stop().map(drop)
    })
}

#[test]
fn a_claim_that_is_pruned_during_a_run_is_made_again_or_made_up_for() -> Result<()> {
    on_mini("pruned", |testbed, product| {
        let before = standing(testbed)?;
        let claim = format!("stillpoint-{}", testbed.project());
        let gate = "case \"$*\" in *--schema-only*) exec /usr/bin/pg_dump \"$@\";; esac
                    touch /tmp/half-way; until [ -e /tmp/go ]; do sleep 0.1; done; exec /usr/bin/pg_dump \"$@\"";
        replace_tool(testbed, "pg_dump", gate)?;
        let store = testbed.container("postgres-main")?;
        let mut running = product.start(&HOLD)?;
        half_way(testbed, &mut running)?;
        testbed.docker(&["rm", &claim])?;
        testbed.docker(&["exec", &store, "touch", "/tmp/go"])?;
        running
            .end()?
            .must_end_with(0)?
            .must_say("somebody removed this run's claim; it was made again")?;
        is_back(testbed, &before)?;

        testbed.docker(&["exec", &store, "rm", "-f", "/tmp/go", "/tmp/half-way"])?;
        let running = stuck_in_a_dump(testbed, product, &HOLD)?;
        testbed.docker(&["rm", &claim])?;
        running.kill_all()?;
        product.run(&["containers", "recover"])?.must_end_with(0)?;
        is_back(testbed, &before)?;
        nothing_runs(testbed)
    })
}

#[test]
fn a_killed_restore_leaves_the_platform_stopped_on_purpose() -> Result<()> {
    on_mini("restorekill", |testbed, product| {
        let before = standing(testbed)?;
        let policies = |testbed: &Testbed| -> Result<Vec<(String, String)>> {
            Ok(testbed
                .containers()?
                .into_iter()
                .map(|one| (one.service, one.restart_policy))
                .collect())
        };
        let policies_before = policies(testbed)?;
        testbed.tick()?;
        let truth = testbed.truth()?;
        let backup = product.backup()?;
        let restore = ["restore", &backup, "--confirm", &backup];
        replace_tool(testbed, "pg_restore", "touch /tmp/half-way; sleep 3600")?;
        let mut running = product.start(&restore)?;
        half_way(testbed, &mut running)?;
        running.kill_all()?;

        assert!(
            policies(testbed)?.iter().all(|(_, policy)| policy == "no"),
            "a reboot would start them"
        );
        for verb in [&["containers", "recover"][..], &["backup"]] {
            product
                .run(verb)?
                .must_end_with(14)?
                .must_say("stopped on purpose")?
                .must_say("stillpoint restore")?;
        }
        for client in ["webapp", "witness"] {
            assert_eq!(
                testbed.state(client)?.status,
                Status::Exited,
                "{client} was started on half the data"
            );
        }

        replace_tool(testbed, "pg_restore", STOCK_RESTORE)?;
        product.restore(&backup)?;
        is_back(testbed, &before)?;
        assert_eq!(policies(testbed)?, policies_before);
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn two_platforms_never_touch_each_other() -> Result<()> {
    on_mini("first", |first, of_first| {
        on_mini("second", |second, of_second| {
            let (first_before, second_before) = (standing(first)?, standing(second)?);
            of_second.backup()?;
            let events = second.events_recorder()?;
            stuck_in_a_dump(first, of_first, &HOLD)?.kill_all()?;
            of_second.run(&["containers", "recover"])?.must_end_with(0)?;
            assert_eq!(
                first.state("webapp")?.status,
                Status::Exited,
                "the other platform's recovery started it"
            );
            of_first.run(&["containers", "recover"])?.must_end_with(0)?;
            is_back(first, &first_before)?;
            is_back(second, &second_before)?;
            let acts = events.stop()?;
            let powers = ["start", "die", "pause", "unpause", "create", "destroy"];
            assert!(
                acts.iter().all(|event| !powers.contains(&event.action.as_str())),
                "{acts:?}"
            );

            let intruder = of_first.clone().keeping_backups_in(&of_second.repository);
            let ran = intruder.run(&["backup"])?.must_end_with(12)?;
            let ran = ran.must_say(&format!("is the repository of platform {}", second.project()))?;
            ran.must_say("--repository DIR")?;
            assert_eq!(of_second.backups()?.len(), 1);
            Ok(())
        })
    })
}
