//! A proxy before the engine that closes what is silent: what counts is the end of the process, not that of its stream.

use std::time::Duration;

use stillpoint_adapters::docker::Docker;
use stillpoint_core::ports::Power;
use stillpoint_core::ports::power::Stopped;
use stillpoint_core::ports::shell::{Command, Exit, Shell};
use stillpoint_testkit::conformance::bench::{Behaviour, Bench, Fixture};
use stillpoint_testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::DockerBench;

/// Longer than what the adapter lets pass without a sign of life.
const PATIENCE: Duration = Duration::from_secs(13);

/// Longer than the proxy's patience.
const SILENT: &str = "sleep 17";

fn sh(script: &str) -> Command {
    Command::new(["sh", "-c", script])
}

#[tokio::test]
async fn what_is_silent_for_long_is_waited_for_and_nothing_lost_is_taken_for_whole() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let proxy = Proxy::start_impatient(PATIENCE)?;
    let docker = Docker::connect(Some(&proxy.address()))?;
    let id = bench.make(&Fixture::obedient()).await?;
    let stubborn = bench.make(&Fixture::running(Behaviour::Stubborn)).await?;

    // Its output is wanted: the stream is kept open.
    let dump = async {
        let mut process = docker
            .exec(&id, sh(&format!("echo begun; {SILENT}; echo done")))
            .await?;
        let mut output = String::new();
        process.output.read_to_string(&mut output).await?;
        anyhow::Ok((output, process.control.finish().await?.code))
    };
    // Nobody wants it, and the program knows when its input is whole.
    let load = async {
        let command = sh(&format!("cat; {SILENT}; exit 3")).with_input();
        let mut process = docker.exec(&id, command.detects_truncated_input()).await?;
        let mut input = process.input.take().unwrap_or_else(|| Box::new(tokio::io::sink()));
        input.write_all(b"all").await?;
        input.shutdown().await?;
        anyhow::Ok(process.control.finish().await?)
    };
    // It may have got half of its input, and says that all is well.
    let fed = async {
        let mut process = docker.exec(&id, sh(&format!("cat; {SILENT}")).with_input()).await?;
        let mut input = process.input.take().unwrap_or_else(|| Box::new(tokio::io::sink()));
        input.shutdown().await?;
        anyhow::Ok(process.control.finish().await)
    };
    // What it writes at its end is wanted, and lost.
    let read = async {
        let command = sh(&format!("cat; {SILENT}; echo lost"))
            .with_input()
            .detects_truncated_input();
        let mut process = docker.exec(&id, command).await?;
        let mut input = process.input.take().unwrap_or_else(|| Box::new(tokio::io::sink()));
        input.shutdown().await?;
        let mut output = String::new();
        let read = process.output.read_to_string(&mut output).await;
        let ended = process.control.finish().await;
        anyhow::Ok((read.is_err(), matches!(ended, Ok(Exit { code: 0, .. }))))
    };
    let stop = async { anyhow::Ok(docker.stop(&stubborn, PATIENCE + Duration::from_secs(2)).await?) };
    let (dump, load, fed, read, stop) = tokio::try_join!(dump, load, fed, read, stop)?;
    assert_eq!(dump, ("begun\ndone\n".to_owned(), 0));
    let code = Exit {
        code: 3,
        errors: String::new(),
    };
    assert_eq!(load, code);
    assert!(fed.is_err(), "{fed:?}");
    assert_eq!(read, (true, false));
    assert_eq!(stop, Stopped::Killed);
    assert!(proxy.silent() >= 4, "the proxy closed {} connections", proxy.silent());
    Ok(())
}
