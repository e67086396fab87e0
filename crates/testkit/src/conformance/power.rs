//! What every [`Power`] promises about stopping and starting; its claims are a suite of their own.
#![expect(missing_docs, reason = "each name is the sentence that it checks")]

use std::time::{Duration, Instant};

use anyhow::ensure;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::power::Stopped;
use stillpoint_core::ports::{EngineError, Power};
use stillpoint_core::workload::State;

use super::bench::{Behaviour, Fixture, Subject};

/// The port under test.
pub type Powers = Subject<dyn Power>;

/// Long enough for whoever listens.
const GRACE: Duration = Duration::from_secs(30);

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! power_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::power,
            $make,
            [
                who_listens_stops_cleanly,
                who_does_not_listen_is_killed_after_its_grace,
                stopping_what_is_stopped_is_a_success,
                an_earlier_death_is_not_ours,
                what_is_stopped_stays_stopped,
                what_is_frozen_can_be_stopped,
                starting_what_runs_is_a_success,
                what_was_stopped_starts_again,
                starting_what_is_frozen_lets_it_run,
                pausing_freezes_and_may_be_repeated,
                what_does_not_run_cannot_be_paused,
                what_was_removed_is_gone_for_every_call,
            ]
        );
    };
}

async fn state(subject: &Powers, id: &WorkloadId) -> anyhow::Result<State> {
    subject.bench.state(id).await
}

pub async fn who_listens_stops_cleanly(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient()).await?;
    let stopped = subject.port.stop(&id, GRACE).await?;
    ensure!(stopped == Stopped::Cleanly);
    ensure!(state(subject, &id).await? == State::Exited);
    Ok(())
}

pub async fn who_does_not_listen_is_killed_after_its_grace(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::running(Behaviour::Stubborn)).await?;
    let began = Instant::now();
    let stopped = subject.port.stop(&id, Duration::from_secs(2)).await?;
    ensure!(stopped == Stopped::Killed);
    ensure!(began.elapsed() >= Duration::from_secs(2), "it was not given its grace");
    ensure!(state(subject, &id).await? == State::Exited);
    Ok(())
}

pub async fn stopping_what_is_stopped_is_a_success(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::running(Behaviour::Stubborn)).await?;
    ensure!(subject.port.stop(&id, Duration::from_secs(1)).await? == Stopped::Killed);
    ensure!(subject.port.stop(&id, GRACE).await? == Stopped::Cleanly);
    let never = subject.bench.make(&Fixture::obedient().never_started()).await?;
    ensure!(subject.port.stop(&never, GRACE).await? == Stopped::Cleanly);
    ensure!(!state(subject, &never).await?.is_up());
    Ok(())
}

pub async fn an_earlier_death_is_not_ours(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient()).await?;
    subject.bench.kill(&id).await?;
    ensure!(subject.port.stop(&id, GRACE).await? == Stopped::Cleanly);
    Ok(())
}

pub async fn what_is_stopped_stays_stopped(subject: &Powers) -> anyhow::Result<()> {
    let revived = Fixture {
        always_restart: true,
        ..Fixture::obedient()
    };
    let revived = subject.bench.make(&revived).await?;
    let looping = subject.bench.make(&Fixture::running(Behaviour::Looping)).await?;
    for id in [&revived, &looping] {
        subject.port.stop(id, GRACE).await?;
    }
    // Longer than the engine waits before it restarts something for the first few times.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for id in [&revived, &looping] {
        ensure!(state(subject, id).await? == State::Exited);
    }
    Ok(())
}

pub async fn what_is_frozen_can_be_stopped(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient()).await?;
    subject.bench.pause(&id).await?;
    subject.port.stop(&id, Duration::from_secs(5)).await?;
    ensure!(state(subject, &id).await? == State::Exited);
    Ok(())
}

pub async fn starting_what_runs_is_a_success(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient().never_started()).await?;
    for _ in 0..2 {
        subject.port.start(&id).await?;
        ensure!(state(subject, &id).await? == State::Running);
    }
    Ok(())
}

pub async fn what_was_stopped_starts_again(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient()).await?;
    subject.port.stop(&id, GRACE).await?;
    subject.another.start(&id).await?;
    ensure!(state(subject, &id).await? == State::Running);
    Ok(())
}

pub async fn starting_what_is_frozen_lets_it_run(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient()).await?;
    subject.port.pause(&id).await?;
    subject.port.start(&id).await?;
    ensure!(state(subject, &id).await? == State::Running);
    Ok(())
}

pub async fn pausing_freezes_and_may_be_repeated(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient()).await?;
    for _ in 0..2 {
        subject.port.pause(&id).await?;
        ensure!(state(subject, &id).await? == State::Paused);
    }
    Ok(())
}

pub async fn what_does_not_run_cannot_be_paused(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient().never_started()).await?;
    let paused = subject.port.pause(&id).await;
    ensure!(matches!(paused, Err(EngineError::Refused { .. })), "{paused:?}");
    Ok(())
}

pub async fn what_was_removed_is_gone_for_every_call(subject: &Powers) -> anyhow::Result<()> {
    let id = subject.bench.make(&Fixture::obedient().never_started()).await?;
    subject.bench.remove(&id).await?;
    let calls = [
        subject.port.stop(&id, GRACE).await.map(drop),
        subject.port.start(&id).await,
        subject.port.pause(&id).await,
    ];
    for call in calls {
        ensure!(matches!(&call, Err(error) if error.is_gone()), "{call:?}");
    }
    Ok(())
}
