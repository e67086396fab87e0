//! The Docker adapter's claims.

use std::sync::Arc;

use stillpoint_core::ports::{Catalog, EngineError, Power};
use stillpoint_testkit::conformance::bench::Bench;
use stillpoint_testkit::conformance::claim::intent;
use stillpoint_testkit::conformance::power::Powers;

use crate::support::{DockerBench, docker, engine, image};

fn subject() -> anyhow::Result<Powers> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Power>)
}

stillpoint_testkit::claim_conformance!(subject());

const IMAGE_OF_COMPOSE: &str = "stillpoint-testbed/built-by-compose:1";

/// An image as Compose builds it, with its labels and a volume.
fn image_of_compose() -> anyhow::Result<()> {
    if docker(&["image", "inspect", IMAGE_OF_COMPOSE]).is_ok() {
        return Ok(());
    }
    let container = docker(&["create", image::busybox()?, "true"])?;
    let labels = "LABEL com.docker.compose.project=hub com.docker.compose.service=web other=kept";
    let changes = [format!("--change={labels}"), "--change=VOLUME /data".to_owned()];
    let made = docker(&["commit", &changes[0], &changes[1], &container, IMAGE_OF_COMPOSE]);
    docker(&["rm", &container])?;
    made.map(drop)
}

fn of_claim(bench: &DockerBench, format: &str) -> anyhow::Result<String> {
    docker(&[
        "inspect",
        "--format",
        format,
        &format!("stillpoint-{}", bench.platform()),
    ])
}

#[tokio::test]
async fn a_claim_from_an_image_of_compose_is_no_workload_and_leaves_no_volume() -> anyhow::Result<()> {
    image_of_compose()?;
    let (bench, engine) = (DockerBench::new()?, engine()?);
    let intent = intent(&bench.platform(), "quiet");
    engine.claim(&intent, IMAGE_OF_COMPOSE).await?;

    let name = format!("stillpoint-{}", bench.platform());
    assert!(
        engine
            .workloads()
            .await?
            .iter()
            .all(|workload| workload.container != name)
    );
    let hub = docker(&[
        "ps",
        "-aq",
        "--filter",
        "label=com.docker.compose.project=hub",
        "--filter",
        &format!("name={name}"),
    ])?;
    assert_eq!(hub, "", "Compose takes the claim for its own");
    let state = of_claim(
        &bench,
        "{{.State.Status}} {{.HostConfig.NetworkMode}} {{.Config.Labels.other}}",
    )?;
    assert_eq!(state, "created none kept");

    let volume = of_claim(&bench, "{{range .Mounts}}{{.Name}}{{end}}")?;
    docker(&["volume", "inspect", &volume])?;
    engine.release(&bench.platform()).await?;
    assert!(docker(&["volume", "inspect", &volume]).is_err(), "its volume is left");
    Ok(())
}

#[tokio::test]
async fn a_strangers_container_is_neither_a_claim_nor_removed() -> anyhow::Result<()> {
    let (bench, engine) = (DockerBench::new()?, engine()?);
    let name = format!("stillpoint-{}", bench.platform());
    let stranger = bench.run(&["--network=none", "--name", &name], &["sleep", "9999"])?;
    let answers = [
        engine
            .claim(&intent(&bench.platform(), "run"), &bench.image())
            .await
            .map(drop),
        engine.claimed(&bench.platform()).await.map(drop),
        engine.release(&bench.platform()).await,
    ];
    for answer in answers {
        let error = answer.unwrap_err();
        assert!(matches!(error, EngineError::Refused { .. }));
        assert!(error.to_string().contains(&name), "{error}");
    }
    assert!(bench.state(&stranger).await?.is_up());
    Ok(())
}

#[tokio::test]
async fn an_intent_that_cannot_be_read_is_named_and_can_be_released() -> anyhow::Result<()> {
    let (bench, engine) = (DockerBench::new()?, engine()?);
    let name = format!("stillpoint-{}", bench.platform());
    let labels = [
        "--label=stillpoint.role=claim",
        "--label=stillpoint.intent={\"platform\":",
    ];
    bench.run(&[labels[0], labels[1], "--network=none", "--name", &name], &["true"])?;
    let error = engine.claimed(&bench.platform()).await.unwrap_err();
    assert!(error.to_string().contains(&format!("docker inspect {name}")), "{error}");
    assert!(
        engine
            .claim(&intent(&bench.platform(), "run"), &bench.image())
            .await
            .is_err()
    );
    engine.release(&bench.platform()).await?;
    assert!(engine.claimed(&bench.platform()).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_missing_image_is_refused_and_not_taken_for_a_missing_container() -> anyhow::Result<()> {
    let (bench, engine) = (DockerBench::new()?, engine()?);
    let refused = engine
        .claim(&intent(&bench.platform(), "run"), "stillpoint-testbed/none:0")
        .await;
    assert!(
        matches!(refused, Err(EngineError::Refused { status: 404, .. })),
        "{refused:?}"
    );
    Ok(())
}
