//! The Docker adapter's way to a container's ports.

use std::sync::Arc;

use stillpoint_adapters::docker::Docker;
use stillpoint_core::ports::Reach;
use stillpoint_testkit::conformance::bench::Bench;
use stillpoint_testkit::conformance::reach::{Reaches, dialled, echoes};

use crate::support::{DockerBench, docker, engine};

fn subject() -> anyhow::Result<Reaches> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Reach>)
}

stillpoint_testkit::reach_conformance!(subject());

fn by(docker: Docker, bench: DockerBench) -> Reaches {
    let port: Arc<dyn Reach> = Arc::new(docker);
    Reaches {
        another: Arc::clone(&port),
        port,
        bench: Box::new(bench),
    }
}

const SERVER: [&str; 6] = ["nc", "-ll", "-p", "7000", "-e", "cat"];

#[tokio::test]
async fn a_borrowed_network_is_its_lenders() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let lender = bench.run(&[], &["sleep", "9999"])?;
    let network = format!("--network=container:{lender}");
    let borrower = bench.run(&[&network], &SERVER)?;
    let subject = by(engine()?, bench);
    echoes(&mut dialled(&subject, &borrower, 7000).await?).await?;
    subject.bench.kill(&lender).await?;
    let error = subject.port.dial(&borrower, 7000).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("is exited"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_hosts_network_is_here() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    // One that the system calls free, so that nothing of the host is in its way.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = port.to_string();
    let id = bench.run(&["--network=host"], &["nc", "-ll", "-p", &listen, "-e", "cat"])?;
    let subject = by(engine()?, bench);
    echoes(&mut dialled(&subject, &id, port).await?).await
}

#[tokio::test]
async fn without_a_network_it_is_refused() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let id = bench.run(&["--network=none"], &SERVER)?;
    let error = engine()?.dial(&id, 7000).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("no address"), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_internal_network_is_reached_as_well() -> anyhow::Result<()> {
    let bench = DockerBench::new()?;
    let network = format!("{}-inside", bench.platform());
    docker(&["network", "create", "--internal", &network])?;
    let id = bench.run(&["--network", &network], &SERVER);
    let reached = async {
        let subject = by(engine()?, bench);
        echoes(&mut dialled(&subject, &id?, 7000).await?).await
    }
    .await;
    docker(&["network", "rm", &network])?;
    reached
}
