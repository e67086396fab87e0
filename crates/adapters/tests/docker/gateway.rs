//! The S3 endpoints that the Docker adapter opens for a container: reached from inside of it, on whatever network it is.

use std::time::Duration;

use anyhow::{Context, ensure};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Gateway;
use stillpoint_testkit::conformance::bench::Bench;

use crate::support::{DockerBench, docker, engine};

const SLEEPS: [&str; 2] = ["sleep", "9999"];

/// What the container hears from a gateway that is opened for it; a request that is not signed is refused by the gateway alone.
async fn heard_by(id: &WorkloadId) -> anyhow::Result<String> {
    let probe = engine()?.probe(id).await?;
    let access = probe.access().clone();
    let address = access.endpoint.strip_prefix("http://").context("no address")?;
    let (host, port) = address.rsplit_once(':').context("no port")?;
    // The end of its input ends this half of nc's connection, and a server that sees that before it has answered hangs up.
    let ask = format!(
        "for n in 1 2 3 4 5; do printf 'GET /{}/x HTTP/1.0\\r\\nHost: {host}\\r\\n\\r\\n' | nc -w 5 {host} {port} >/said; \
         [ ! -s /said ] || break; done; cat /said",
        access.bucket
    );
    let (id, told) = (id.to_string(), access.endpoint.clone());
    let said = tokio::task::spawn_blocking(move || docker(&["exec", &id, "sh", "-c", &ask])).await??;
    probe.stop().await;
    let closed = tokio::time::timeout(Duration::from_secs(5), tokio::net::TcpStream::connect(address)).await?;
    ensure!(closed.is_err(), "{told} is open after its end");
    Ok(said)
}

fn is_ours(said: &str) -> anyhow::Result<()> {
    ensure!(said.contains("403") && said.contains("AccessDenied"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_container_reaches_it_over_its_own_network() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let id = bench.run(&[], &SLEEPS)?;
    is_ours(&heard_by(&id).await?)
}

#[tokio::test]
async fn a_container_on_a_borrowed_network_reaches_it_as_its_lender_does() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let lender = bench.run(&[], &SLEEPS)?;
    let borrower = bench.run(&[&format!("--network=container:{lender}")], &SLEEPS)?;
    is_ours(&heard_by(&borrower).await?)
}

#[tokio::test]
async fn a_container_on_the_hosts_network_reaches_it() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let id = bench.run(&["--network=host"], &SLEEPS)?;
    is_ours(&heard_by(&id).await?)
}

#[tokio::test]
async fn a_container_on_an_internal_network_reaches_it() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let network = format!("{}-inside", bench.platform());
    docker(&["network", "create", "--internal", &network])?;
    let id = bench.run(&["--network", &network], &SLEEPS);
    let heard = async { is_ours(&heard_by(&id?).await?) }.await;
    // A network goes after what is in it.
    drop(bench);
    docker(&["network", "rm", &network])?;
    heard
}

#[tokio::test]
async fn without_a_network_it_is_refused() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let id = bench.run(&["--network=none"], &SLEEPS)?;
    let error = engine()?.probe(&id).await.map(drop).unwrap_err();
    ensure!(
        error
            .to_string()
            .contains("none of its networks leads to a host: Stillpoint must run on"),
        "{error}"
    );
    Ok(())
}
