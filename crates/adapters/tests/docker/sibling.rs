//! Containers beside a store's: what they see, and that nothing of them stays.

use stillpoint_core::names::{RunId, WorkloadId};
use stillpoint_core::ports::shell::{Command, Shell};
use stillpoint_core::ports::{Catalog, EngineError};
use stillpoint_testkit::conformance::bench::{Bench, Fixture};
use tokio::io::AsyncReadExt;

use crate::support::{DockerBench, docker, engine};

fn run() -> RunId {
    RunId::new(format!("run-{}", std::process::id()))
}

/// A script's output, where it ends with 0.
async fn said(id: &WorkloadId, script: &str) -> anyhow::Result<String> {
    let mut process = engine()?.exec(id, Command::new(["sh", "-c", script])).await?;
    let mut output = String::new();
    process.output.read_to_string(&mut output).await?;
    let exit = process.control.finish().await?;
    anyhow::ensure!(exit.code == 0, "{script}: {exit:?}");
    Ok(output.trim().to_owned())
}

/// What is labelled as a sibling of this container.
fn siblings(of: &WorkloadId) -> anyhow::Result<Vec<String>> {
    let filter = format!("label=stillpoint.sibling-of={of}");
    let listed = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter])?;
    Ok(listed.lines().map(ToOwned::to_owned).collect())
}

#[tokio::test]
async fn it_sees_the_files_of_a_stopped_container_and_leaves_them_there() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let options = ["--network=none", "--volume=/data", "--user=1234", "--health-cmd=false"];
    let of = bench.run(&options, &["sleep", "9999"])?;
    docker(&["exec", "--user=0", of.as_str(), "sh", "-c", "echo kept >/data/file"])?;
    bench.kill(&of).await?;
    let engine = engine()?;
    let sibling = engine.sibling(&of, &run(), "test").await?;
    assert_eq!(said(&sibling, "cat /data/file").await?, "kept");
    assert_eq!(said(&sibling, "id -u").await?, "0");
    let name = docker(&["inspect", "--format={{.Name}}", sibling.as_str()])?;
    assert!(name.starts_with("/test-"), "{name}");
    said(&sibling, "echo new >/data/other").await?;
    engine.end_sibling(&sibling).await?;
    engine.end_sibling(&sibling).await?;
    assert_eq!(siblings(&of)?, [""; 0]);
    bench.start(&of).await?;
    assert_eq!(said(&of, "cat /data/file /data/other").await?, "kept\nnew");
    Ok(())
}

#[tokio::test]
async fn it_is_no_workload_of_the_platform() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let of = bench.make(&Fixture::obedient()).await?;
    let engine = engine()?;
    let sibling = engine.sibling(&of, &run(), "test").await?;
    let workloads = engine.workloads().await?;
    let mine: Vec<_> = workloads
        .iter()
        .filter(|one| one.address.project == bench.platform())
        .collect();
    assert_eq!(mine.len(), 1);
    engine.end_sibling(&sibling).await?;
    Ok(())
}

#[tokio::test]
async fn those_of_a_dead_run_are_reaped_and_no_others() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let (of, other) = (
        bench.make(&Fixture::obedient()).await?,
        bench.make(&Fixture::obedient().of("b", 1)).await?,
    );
    let engine = engine()?;
    let dead = engine.sibling(&of, &run(), "test").await?;
    let beside = engine.sibling(&other, &run(), "test").await?;
    let living = engine.sibling(&of, &RunId::new("another"), "test").await?;
    // Also while the container itself is down.
    bench.kill(&of).await?;
    engine.reap(&of, &run()).await?;
    assert_eq!(siblings(&of)?, [living.to_string()]);
    assert_eq!(siblings(&other)?, [beside.to_string()]);
    for left in [dead, beside, living] {
        engine.end_sibling(&left).await?;
    }
    Ok(())
}

#[tokio::test]
async fn of_what_is_not_there_there_is_none() -> anyhow::Result<()> {
    let none = engine()?.sibling(&WorkloadId::new("not-there"), &run(), "test").await;
    assert!(matches!(none, Err(EngineError::Gone { .. })), "{none:?}");
    Ok(())
}

/// Images made from nothing hold a server and no shell; every process of ours is started by one.
#[tokio::test]
async fn where_there_is_no_shell_there_is_nothing_to_end() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let of = bench.run(&["--env=PATH=/nowhere"], &["/bin/sleep", "9999"])?;
    let dead = engine()?.sibling(&of, &run(), "test").await?;
    engine()?.reap(&of, &run()).await?;
    assert_eq!(siblings(&of)?, [""; 0], "{dead} is left");
    Ok(())
}
