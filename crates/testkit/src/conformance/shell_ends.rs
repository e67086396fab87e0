//! What every [`stillpoint_core::ports::Shell`] promises about processes that end otherwise than by
//! themselves.
#![expect(missing_docs, reason = "each name is the sentence that it checks")]

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::shell::Process;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bench::{eventually, soon};
use super::shell::{COUNTED_BLOCKS, Shells, begin, container, script, written_at_standstill};

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! shell_ends_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::shell_ends,
            $make,
            [
                output_is_an_error_when_the_container_dies,
                output_is_an_error_when_the_process_is_killed,
                a_quiet_process_whose_container_dies_is_no_success,
                closing_the_streams_does_not_end_it,
                killing_ends_it_and_its_children,
                killing_ends_who_does_not_listen,
                killing_ends_what_runs_as_another_user,
                killing_what_writes_and_is_not_read,
                killing_what_has_ended_is_a_success,
                killing_in_a_dead_container_is_a_success,
                killing_spares_the_neighbours,
                a_start_that_is_dropped_leaves_nothing_running,
            ]
        );
    };
}

/// Every fixture's own process is one; what was begun and not killed would be more.
async fn alone(subject: &Shells, id: &WorkloadId, mark: &str) -> anyhow::Result<bool> {
    let processes = subject.bench.processes(id).await?;
    Ok(!processes.iter().any(|line| line.contains(mark)))
}

async fn read_to_end(process: &mut Process) -> anyhow::Result<std::io::Result<usize>> {
    let mut output = Vec::new();
    soon("the output's end", process.output.read_to_end(&mut output)).await
}

pub async fn output_is_an_error_when_the_container_dies(subject: &Shells) -> anyhow::Result<()> {
    let (id, mut process) = begin(subject, "while :; do echo flowing; done").await?;
    process.output.read_exact(&mut [0; 10_000]).await?;
    let (killed, read) = tokio::join!(subject.bench.kill(&id), read_to_end(&mut process));
    killed?;
    ensure!(read?.is_err(), "a cut stream read as an end");
    ensure!(process.output.read(&mut [0; 10]).await.is_err(), "read again, it ended");
    let finished = soon("the end", process.control.finish()).await?;
    ensure!(!matches!(&finished, Ok(exit) if exit.code == 0), "{finished:?}");
    Ok(())
}

pub async fn output_is_an_error_when_the_process_is_killed(subject: &Shells) -> anyhow::Result<()> {
    let (_, mut process) = begin(subject, "echo half; kill -9 $$").await?;
    ensure!(read_to_end(&mut process).await?.is_err());
    ensure!(process.control.finish().await?.code == 137);
    Ok(())
}

pub async fn a_quiet_process_whose_container_dies_is_no_success(subject: &Shells) -> anyhow::Result<()> {
    let (id, mut process) = begin(subject, "exec sleep 1000").await?;
    let (killed, finished) = tokio::join!(subject.bench.kill(&id), soon("the end", process.control.finish()));
    killed?;
    let finished = finished?;
    ensure!(!matches!(&finished, Ok(exit) if exit.code == 0), "{finished:?}");
    ensure!(read_to_end(&mut process).await?.is_err());
    Ok(())
}

pub async fn closing_the_streams_does_not_end_it(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let text = "cat; while :; do echo mark-closed; sleep 0.1; done";
    let mut process = subject.port.exec(&id, script(text).with_input()).await?;
    drop(process.input.take());
    process.output = Box::new(tokio::io::empty());
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(!alone(subject, &id, "mark-closed").await?, "it ended with its streams");
    process.control.kill().await?;
    ensure!(alone(subject, &id, "mark-closed").await?, "it is still there");
    Ok(())
}

pub async fn killing_ends_it_and_its_children(subject: &Shells) -> anyhow::Result<()> {
    let text = "sleep 1001 & (sleep 1001 | sleep 1001) & echo ready; wait";
    let (id, mut process) = begin(subject, text).await?;
    process.output.read_exact(&mut [0; 6]).await?;
    ensure!(!alone(subject, &id, "sleep 1001").await?);
    process.control.kill().await?;
    ensure!(alone(subject, &id, "sleep 1001").await?, "a child is still there");
    ensure!(read_to_end(&mut process).await?.is_err());
    Ok(())
}

pub async fn killing_ends_who_does_not_listen(subject: &Shells) -> anyhow::Result<()> {
    let text = "trap '' TERM; echo ready; (while :; do sleep 1002; done) & while :; do sleep 1002; done";
    let (id, mut process) = begin(subject, text).await?;
    process.output.read_exact(&mut [0; 6]).await?;
    let began = Instant::now();
    process.control.kill().await?;
    ensure!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    ensure!(alone(subject, &id, "sleep 1002").await?, "it is still there");
    Ok(())
}

pub async fn killing_ends_what_runs_as_another_user(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let text = "trap '' TERM; echo ready; while :; do sleep 1003; done";
    let command = script(text).user(Some("1234"));
    let mut process = subject.port.exec(&id, command).await?;
    process.output.read_exact(&mut [0; 6]).await?;
    process.control.kill().await?;
    ensure!(alone(subject, &id, "sleep 1003").await?, "it is still there");
    Ok(())
}

pub async fn killing_what_writes_and_is_not_read(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    // Its input is left open as well.
    let mut process = subject.port.exec(&id, script(COUNTED_BLOCKS).with_input()).await?;
    process.output.read_exact(&mut [0; 1000]).await?;
    written_at_standstill(subject, &id).await?;
    process.control.kill().await?;
    ensure!(alone(subject, &id, "/tmp/written").await?, "it is still there");
    ensure!(
        read_to_end(&mut process).await?.is_err(),
        "a killed process's output read as an end"
    );
    Ok(())
}

pub async fn killing_what_has_ended_is_a_success(subject: &Shells) -> anyhow::Result<()> {
    let (_, mut process) = begin(subject, "exit 3").await?;
    ensure!(process.control.finish().await?.code == 3);
    for _ in 0..2 {
        process.control.kill().await?;
    }
    ensure!(
        process.control.finish().await?.code == 3,
        "the kill changed how it ended"
    );
    Ok(())
}

pub async fn killing_in_a_dead_container_is_a_success(subject: &Shells) -> anyhow::Result<()> {
    let (id, mut process) = begin(subject, "exec sleep 1000").await?;
    subject.bench.kill(&id).await?;
    process.control.kill().await?;
    subject.bench.remove(&id).await?;
    process.control.kill().await?;
    Ok(())
}

pub async fn killing_spares_the_neighbours(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let mut other = subject
        .another
        .exec(&id, script("cat; echo unharmed").with_input())
        .await?;
    let mut process = subject.port.exec(&id, script("exec sleep 1004")).await?;
    process.control.kill().await?;
    let mut input = other.input.take().context("no input")?;
    input.shutdown().await?;
    let mut output = String::new();
    soon("the neighbour", other.output.read_to_string(&mut output)).await??;
    ensure!(output == "unharmed\n", "{output:?}");
    ensure!(other.control.finish().await?.code == 0);
    ensure!(subject.bench.state(&id).await?.is_up());
    Ok(())
}

pub async fn a_start_that_is_dropped_leaves_nothing_running(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    for millis in (0..600).step_by(25) {
        let start = subject.port.exec(&id, script("exec sleep 1005"));
        if let Ok(started) = tokio::time::timeout(Duration::from_millis(millis), start).await {
            started?.control.kill().await?;
        }
    }
    // A start that was dropped may still be on its way through the engine.
    eventually("whatever was begun being gone", async || {
        alone(subject, &id, "sleep 1005").await
    })
    .await
}
