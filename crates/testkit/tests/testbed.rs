//! The testbed tests itself on the real engine: what every other test stands on must not lie.
//! Needs a Docker Engine and the images (`testbed/images/build.sh`).

use std::collections::BTreeMap;

use anyhow::Result;
use stillpoint_testkit::seaweed;
use stillpoint_testkit::testbed::{Shape, Status, Testbed, Truth, WitnessMode};

fn ticks(testbed: &Testbed) -> Result<Vec<u64>> {
    Ok(testbed
        .witness()?
        .into_values()
        .map(|w| if w.is_whole() { w.last } else { u64::MAX })
        .collect())
}

#[test]
fn a_seeded_mini_platform_ticks_shows_its_truth_and_can_be_wrecked() -> Result<()> {
    Testbed::for_test("smoke", Shape::Mini)?.examined(|testbed| {
        testbed.up_seeded()?;
        let mut events = testbed.events_recorder()?;
        assert_eq!((testbed.tick()?, testbed.tick()?), (1, 2));
        assert_eq!(ticks(testbed)?, [2; 5]);
        let before = testbed.truth()?;
        assert!(
            before.databases.len() == 6 && before.databases["we \"ird' db #1%"].len() > 10,
            "the truth is thin: {before:?}"
        );
        assert_eq!(before.differences(&testbed.truth()?), Vec::<String>::new());

        let witness = testbed.container("witness")?;
        testbed.docker(&["stop", &witness])?;
        assert_eq!(testbed.state("witness")?.exit_code, 0);
        assert_eq!(testbed.witness_log_last_stop()?, Some(2));
        testbed.docker(&["start", &witness])?;
        assert_eq!(testbed.tick()?, 3);
        assert_eq!(testbed.witness_log_last_resume()?, Some(2));
        let seen: Vec<_> = events
            .so_far()?
            .iter()
            .filter(|e| e.service == "witness")
            .map(|e| e.action.as_str())
            .collect();
        let power: Vec<_> = seen.iter().filter(|a| !a.starts_with("exec")).copied().collect();
        assert_eq!(power, ["kill", "die", "stop", "start"]);

        testbed.wreck()?;
        let lines = before.differences(&testbed.truth()?);
        for expected in [
            "litellm: the database is missing",
            "cluster: role dagster: missing",
            "openwebui: large object 700001: missing",
        ] {
            assert!(
                lines.iter().any(|l| l == expected),
                "{expected:?} is not among {lines:#?}"
            );
        }
        assert!(ticks(testbed)?.iter().all(|last| *last == u64::MAX));
        assert!(events.stop()?.iter().all(|e| e.service != "webapp"));
        Ok(())
    })
}

#[test]
fn a_full_platform_holds_every_state_that_a_backup_must_keep() -> Result<()> {
    Testbed::for_test("full", Shape::Full)?.examined(|testbed| {
        testbed.up_seeded()?;
        let states: BTreeMap<_, _> = testbed
            .containers()?
            .into_iter()
            .map(|c| (c.service, (c.status, c.exit_code)))
            .collect();
        assert_eq!(states.len(), 10);
        for (service, state) in &states {
            let expected = match service.as_str() {
                "oneshot-init" | "reports" => Status::Exited,
                "worker-paused" => Status::Paused,
                _ => Status::Running,
            };
            assert_eq!((service, state), (service, &(expected, 0)));
        }
        assert_eq!(bucket_seen_with_the_backups_key(testbed)?, "200");
        Ok(())
    })
}

fn bucket_seen_with_the_backups_key(testbed: &Testbed) -> Result<String> {
    let user = format!("{}:{}", seaweed::BACKUP.id, seaweed::BACKUP.secret);
    let url = format!("http://127.0.0.1:8333/{}", seaweed::BUCKET);
    let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--head"];
    let signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user, &url];
    let container = testbed.container("seaweedfs-s3")?;
    testbed.docker(&[&["exec", &container], &curl[..], &signed].concat())
}

/// The seed must be the same every time, or a difference would mean nothing; salts of passwords excepted.
#[test]
fn two_seeds_of_one_scale_are_the_same() -> Result<()> {
    Testbed::for_test("seed", Shape::Mini)?
        .with_witness(WitnessMode::Auto)
        .examined(|testbed| {
            testbed.up()?;
            testbed.seed(1)?;
            let fresh = testbed.truth()?;
            testbed.down()?;
            testbed.up_seeded()?;
            let copied = testbed.truth()?;
            assert_eq!(
                without_salts(fresh).differences(&without_salts(copied)),
                Vec::<String>::new()
            );
            Ok(())
        })
}

fn without_salts(mut truth: Truth) -> Truth {
    for (name, fact) in &mut truth.cluster {
        if name.starts_with("role ") {
            fact["password"] = fact["password"]
                .as_str()
                .map(|p| p.split('$').next().unwrap_or(p).to_owned())
                .into();
        }
    }
    truth
}
