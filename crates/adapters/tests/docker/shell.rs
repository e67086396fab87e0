//! The Docker adapter as a shell.

use std::sync::Arc;

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::shell::{Command, Exit, Shell};
use stillpoint_testkit::conformance::bench::{Bench, Fixture};
use stillpoint_testkit::conformance::shell::Shells;
use tokio::io::AsyncReadExt;

use crate::support::{DockerBench, engine};

fn subject() -> anyhow::Result<Shells> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Shell>)
}

stillpoint_testkit::shell_conformance!(subject());
stillpoint_testkit::shell_ends_conformance!(subject());

/// Runs a command to its end.
async fn run(bench: &DockerBench, id: &WorkloadId, command: Command) -> anyhow::Result<Exit> {
    assert!(bench.state(id).await?.is_up());
    let mut process = engine()?.exec(id, command).await?;
    let mut output = String::new();
    process.output.read_to_string(&mut output).await?;
    assert_eq!(output, "");
    Ok(process.control.finish().await?)
}

#[tokio::test]
async fn without_a_shell_in_the_image_it_is_a_missing_program() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    // An empty directory in the place of all programs, of which the container needs none any more.
    let hidden = [
        "--network=none",
        "--tmpfs=/empty",
        "--env=PATH=/empty",
        "--entrypoint=/bin/sleep",
    ];
    let id = bench.run(&hidden, &["9999"])?;
    let exit = run(&bench, &id, Command::new(["true"])).await?;
    assert!(matches!(exit.code, 126 | 127), "{exit:?}");
    assert!(exit.errors.contains("sh"), "{exit:?}");
    Ok(())
}

#[tokio::test]
async fn a_user_who_does_not_exist_shows_as_a_program_that_cannot_run() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let id = bench.make(&Fixture::obedient()).await?;
    let exit = run(&bench, &id, Command::new(["true"]).user(Some("nobody-knows"))).await?;
    assert_eq!(exit.code, 126);
    assert!(exit.errors.contains("nobody-knows"), "{exit:?}");
    Ok(())
}

#[tokio::test]
async fn who_may_not_signal_others_may_end_what_it_began() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let options = ["--network=none", "--cap-drop=ALL", "--user=1234", "--read-only"];
    let id = bench.run(&options, &["sleep", "9999"])?;
    let script = Command::new(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1006; done"]);
    let mut process = engine()?.exec(&id, script).await?;
    process.output.read_exact(&mut [0; 6]).await?;
    process.control.kill().await?;
    let left = bench.processes(&id).await?;
    assert!(!left.iter().any(|line| line.contains("1006")), "{left:?}");
    Ok(())
}
