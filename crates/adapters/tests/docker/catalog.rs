//! The Docker adapter as a catalog.

use std::sync::Arc;

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Catalog, Lost};
use stillpoint_testkit::conformance::bench::Bench;
use stillpoint_testkit::conformance::catalog::Catalogs;

use crate::support::{DockerBench, docker, engine};

fn subject() -> anyhow::Result<Catalogs> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Catalog>)
}

stillpoint_testkit::catalog_conformance!(subject());

#[tokio::test]
async fn an_alias_is_a_name_also_of_what_does_not_run() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let (platform, network) = (bench.platform(), format!("{}-aliases", bench.platform()));
    docker(&["network", "create", &network])?;
    let project = format!("--label=com.docker.compose.project={platform}");
    let service = "--label=com.docker.compose.service=meta";
    let options = [&project, service, "--network", &network, "--network-alias", "registry"];
    let looked = async {
        let id = bench.run(&options, &["true"])?;
        docker(&["wait", id.as_str()])?;
        Ok::<_, anyhow::Error>(engine()?.inspect(&id).await?)
    };
    let looked = looked.await;
    docker(&["network", "rm", "--force", &network])?;
    let workload = looked?;
    assert!(
        workload.is_called("registry") && workload.is_called("meta"),
        "{:?}",
        workload.aliases
    );
    assert!(!workload.is_called("other"));
    Ok(())
}

#[tokio::test]
async fn a_network_that_was_removed_is_told_and_the_engine_says_who_it_is() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let (platform, network) = (bench.platform(), format!("{}-lost", bench.platform()));
    docker(&["network", "create", &network])?;
    let project = format!("--label=com.docker.compose.project={platform}");
    let options = [
        &project,
        "--label=com.docker.compose.service=meta",
        "--network",
        &network,
    ];
    let looked = async {
        let id = bench.run(&options, &["true"])?;
        docker(&["wait", id.as_str()])?;
        let before = engine()?.lost(std::slice::from_ref(&id)).await?;
        docker(&["network", "rm", &network])?;
        let gone = WorkloadId::new("0".repeat(64));
        let after = engine()?.lost(&[id.clone(), gone]).await?;
        // One of the same name that was made since is another: the engine goes by the id.
        docker(&["network", "create", &network])?;
        let again = engine()?.lost(std::slice::from_ref(&id)).await?;
        Ok::<_, anyhow::Error>((id, before, after, again))
    };
    let looked = looked.await;
    docker(&["network", "rm", "--force", &network])?;
    let (id, before, after, again) = looked?;
    assert!(before.is_empty(), "{before:?}");
    let lost = [(id, vec![Lost::Network(network)])].into();
    assert_eq!((&after, &again), (&lost, &lost));
    let version = engine()?.engine().await?;
    assert!(
        version.version.contains('.') && version.api.starts_with('1'),
        "{version:?}"
    );
    Ok(())
}
