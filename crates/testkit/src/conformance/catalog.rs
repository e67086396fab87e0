//! What every [`Catalog`] promises.
#![expect(missing_docs, reason = "each name is the sentence that it checks")]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use secrecy::ExposeSecret;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Catalog;
use stillpoint_core::workload::{Health, State, Workload};

use super::bench::{Behaviour, Fixture, Subject, eventually};

/// The port under test.
pub type Catalogs = Subject<dyn Catalog>;

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! catalog_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::catalog,
            $make,
            [
                every_compose_container_is_listed_running_or_not,
                what_is_not_of_compose_is_left_out,
                a_workload_is_described_in_full,
                health_is_told_where_there_is_a_check,
                an_end_shows_its_exit_code,
                a_crash_loop_counts_as_running_and_as_restarts,
                a_start_moves_the_time_of_the_last_start,
                what_was_removed_is_gone,
                what_vanishes_while_it_is_listed_is_left_out,
            ]
        );
    };
}

async fn mine(subject: &Catalogs) -> anyhow::Result<BTreeMap<String, Workload>> {
    let platform = subject.bench.platform();
    let all = subject.port.workloads().await?;
    Ok(all
        .into_iter()
        .filter(|workload| workload.address.project == platform)
        .map(|workload| (workload.address.to_string(), workload))
        .collect())
}

async fn look(subject: &Catalogs, id: &WorkloadId) -> anyhow::Result<Workload> {
    Ok(subject.port.inspect(id).await?)
}

pub async fn every_compose_container_is_listed_running_or_not(subject: &Catalogs) -> anyhow::Result<()> {
    let bench = &subject.bench;
    let running = bench.make(&Fixture::obedient().of("running", 1)).await?;
    bench.make(&Fixture::obedient().of("running", 2)).await?;
    bench
        .make(&Fixture::obedient().of("created", 1).never_started())
        .await?;
    bench
        .make(&Fixture::running(Behaviour::Ending(0)).of("ended", 1))
        .await?;
    let paused = bench.make(&Fixture::obedient().of("paused", 1)).await?;
    bench.pause(&paused).await?;

    let found = mine(subject).await?;
    let states: Vec<(&str, State)> = found.iter().map(|(address, it)| (address.as_str(), it.state)).collect();
    ensure!(
        states
            == [
                ("created", State::Created),
                ("ended", State::Exited),
                ("paused", State::Paused),
                ("running", State::Running),
                ("running#2", State::Running),
            ],
        "{states:?}"
    );
    ensure!(found["running"].id == running);
    Ok(())
}

pub async fn what_is_not_of_compose_is_left_out(subject: &Catalogs) -> anyhow::Result<()> {
    let stranger = Fixture {
        service: None,
        ..Fixture::obedient()
    };
    let id = subject.bench.make(&stranger).await?;
    let all = subject.port.workloads().await?;
    ensure!(all.iter().all(|workload| workload.id != id));
    ensure!(subject.port.inspect(&id).await.is_err_and(|error| !error.is_gone()));
    Ok(())
}

pub async fn a_workload_is_described_in_full(subject: &Catalogs) -> anyhow::Result<()> {
    let fixture = Fixture {
        stop_grace: Some(Duration::from_secs(75)),
        auto_remove: true,
        environment: vec![("PASSWORD".into(), "a=b c".into())],
        ..Fixture::obedient().of("db", 3)
    };
    let id = subject.bench.make(&fixture).await?;
    let db = look(subject, &id).await?;
    ensure!(db.id == id);
    ensure!(db.address.project == subject.bench.platform());
    ensure!((db.address.service.as_str(), db.address.number) == ("db", 3));
    ensure!(
        !db.container.is_empty() && !db.container.starts_with('/'),
        "{}",
        db.container
    );
    ensure!(db.image == subject.bench.image(), "{}", db.image);
    ensure!(!db.image_id.is_empty() && db.image_id != db.image, "{}", db.image_id);
    ensure!(db.state == State::Running);
    ensure!(db.started_at.is_some());
    ensure!(db.health.is_none());
    ensure!(db.restart_count == 0);
    ensure!(db.exit_code.is_none());
    ensure!(db.stop_grace == Some(Duration::from_secs(75)), "{:?}", db.stop_grace);
    ensure!(db.auto_remove);
    ensure!(db.labels.values().any(|value| value == "db"));
    let password = db.environment.get("PASSWORD").context("no PASSWORD")?;
    ensure!(password.expose_secret() == "a=b c");
    Ok(())
}

pub async fn health_is_told_where_there_is_a_check(subject: &Catalogs) -> anyhow::Result<()> {
    for (healthy, verdict) in [(true, Health::Healthy), (false, Health::Unhealthy)] {
        let fixture = Fixture {
            healthy: Some(healthy),
            ..Fixture::obedient()
        };
        let id = subject.bench.make(&fixture).await?;
        eventually("the health check's verdict", async || {
            let health = look(subject, &id).await?.health;
            ensure!(
                health == Some(Health::Starting) || health == Some(verdict),
                "{health:?}"
            );
            Ok(health == Some(verdict))
        })
        .await?;
    }
    Ok(())
}

pub async fn an_end_shows_its_exit_code(subject: &Catalogs) -> anyhow::Result<()> {
    let ended = subject.bench.make(&Fixture::running(Behaviour::Ending(3))).await?;
    let ended = look(subject, &ended).await?;
    ensure!((ended.state, ended.exit_code) == (State::Exited, Some(3)));
    let never = subject.bench.make(&Fixture::obedient().never_started()).await?;
    let never = look(subject, &never).await?;
    ensure!((never.started_at, never.exit_code) == (None, None));
    Ok(())
}

pub async fn a_crash_loop_counts_as_running_and_as_restarts(subject: &Catalogs) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::running(Behaviour::Looping)).await?;
    eventually("a few restarts", async || {
        let now = look(subject, &id).await?;
        ensure!(now.state == State::Running, "{}", now.state);
        Ok(now.restart_count >= 3)
    })
    .await
}

pub async fn a_start_moves_the_time_of_the_last_start(subject: &Catalogs) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient()).await?;
    let first = look(subject, &id).await?.started_at;
    subject.bench.kill(&id).await?;
    ensure!(look(subject, &id).await?.started_at == first, "an end is no start");
    subject.bench.start(&id).await?;
    ensure!(look(subject, &id).await?.started_at > first);
    Ok(())
}

pub async fn what_was_removed_is_gone(subject: &Catalogs) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient().never_started()).await?;
    subject.bench.remove(&id).await?;
    ensure!(subject.port.inspect(&id).await.is_err_and(|error| error.is_gone()));
    ensure!(mine(subject).await?.is_empty());
    Ok(())
}

pub async fn what_vanishes_while_it_is_listed_is_left_out(subject: &Catalogs) -> anyhow::Result<()> {
    let stays = subject.bench.make(&Fixture::obedient().of("stays", 1)).await?;
    let churn = async {
        for number in 1..=12 {
            let fixture = Fixture::obedient().of("goes", number).never_started();
            let id = subject.bench.make(&fixture).await?;
            subject.bench.remove(&id).await?;
        }
        anyhow::Ok(true)
    };
    let listing = async {
        loop {
            let found = mine(subject).await?;
            ensure!(found["stays"].id == stays);
            tokio::task::yield_now().await;
        }
    };
    let finished = tokio::select! {
        churned = churn => churned?,
        failed = listing => failed?,
    };
    ensure!(finished);
    Ok(())
}
