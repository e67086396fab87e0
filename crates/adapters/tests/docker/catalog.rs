//! The Docker adapter as a catalog.

use std::sync::Arc;

use stillpoint_core::ports::Catalog;
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
