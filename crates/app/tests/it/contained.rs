//! The service in a container, as a Compose file has it: it sees the platform from inside, and never stops itself.

use anyhow::{Result, ensure};
use stillpoint_testkit::testbed::Testbed;

use crate::common::{PROGRAM, on_mini, until};

/// The container that is called so, in the network of the stores: a server's image that has what the program is linked with.
fn service(testbed: &Testbed, state: &str) -> Result<String> {
    let network = format!("--network={}_backend", testbed.project());
    let program = format!("--volume={PROGRAM}:/stillpoint:ro");
    let state = format!("--volume={state}:/var/lib/stillpoint");
    let options = [
        network.as_str(),
        &program,
        &state,
        "--volume=/var/run/docker.sock:/var/run/docker.sock",
        "--hostname=stillpoint",
        "--restart=unless-stopped",
        "--read-only",
        "--entrypoint=/stillpoint",
    ];
    testbed.guest(
        "backup-stillpoint",
        "VALKEY",
        &options,
        &["--platform", testbed.project(), "serve"],
    )
}

#[test]
fn a_service_in_a_container_backs_up_and_restores_the_platform_that_it_is_in() -> Result<()> {
    on_mini("contained", |testbed, _| {
        let state = tempfile::tempdir()?;
        let container = service(testbed, &state.path().display().to_string())?;
        let begun = testbed.state("backup-stillpoint")?.started_at;
        let ask = |arguments: &[&str]| {
            let command = ["exec", &container, "/stillpoint", "--platform", testbed.project()];
            testbed.docker(&[&command[..], arguments].concat())
        };
        until("the service answers", || Ok(ask(&["runs", "ls"]).is_ok()))?;
        testbed.tick()?;
        let truth = testbed.truth()?;
        let said = ask(&["backup"])?;
        ensure!(said.contains("is complete"), "{said}");
        let listed = ask(&["backups", "ls", "--json"])?;
        let listed: serde_json::Value = serde_json::from_str(&listed)?;
        let backup = listed["backups"][0]["id"].as_str().unwrap_or_default().to_owned();
        testbed.wreck()?;
        ask(&["restore", &backup, "--confirm", &backup])?;
        ask(&["restore", "discard-old", "--confirm", testbed.project()])?;
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        let runs = ask(&["runs", "ls"])?;
        ensure!(
            runs.contains("backup_job") && runs.contains("full_restore_job"),
            "{runs}"
        );
        let now = testbed.state("backup-stillpoint")?.started_at;
        ensure!(now == begun, "it has stopped itself");
        Ok(())
    })
}
