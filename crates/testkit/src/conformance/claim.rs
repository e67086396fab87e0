//! What every [`stillpoint_core::ports::Power`] promises about claims.
#![expect(missing_docs, reason = "each name is the sentence that it checks")]

use std::sync::Arc;

use anyhow::{bail, ensure};
use futures::future::join_all;
use jiff::Timestamp;
use stillpoint_core::logins::Passwords;
use stillpoint_core::names::{Address, BackupId, Project, RunId, WorkloadId};
use stillpoint_core::ports::power::{Claim, Intent, Job, RecordedWorkload};
use stillpoint_core::selection::Selection;
use stillpoint_core::workload::{RestartPolicy, State};

use super::power::Powers;

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! claim_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::claim,
            $make,
            [
                nobody_holds_a_platform_at_first,
                a_claim_is_held_until_it_is_released,
                of_many_callers_exactly_one_succeeds,
                the_intent_is_kept_to_the_letter,
                a_claim_that_is_repeated_stays_ours,
                releasing_may_be_repeated_and_raced,
                platforms_do_not_hinder_each_other,
                held_platforms_are_listed_by_their_claims_alone,
            ]
        );
    };
}

/// An intent of this run, on the bench's platform.
pub fn intent(platform: &Project, run: &str) -> Intent {
    let moment = Timestamp::from_second(1_771_286_400).unwrap_or_default();
    Intent {
        no_way_back: false,
        passwords: Passwords::default(),
        selection: Selection::default(),
        guest_of: Some(Project::new("elsewhere")),
        platform: platform.clone(),
        run: RunId::new(run),
        job: Job::BackupJob,
        backup: BackupId::at(moment),
        host: "host-of-the-test".into(),
        process: 4711,
        since: moment,
        workloads: vec![recorded(platform, "app", 1, moment)],
    }
}

fn recorded(platform: &Project, service: &str, number: u32, started_at: Timestamp) -> RecordedWorkload {
    RecordedWorkload {
        address: Address {
            project: platform.clone(),
            service: service.into(),
            number,
        },
        id: WorkloadId::new("0a".repeat(32)),
        state: State::Paused,
        started_at: Some(started_at),
        restart: RestartPolicy::never(),
        healthy: true,
        grace: Some(10),
        worked_on: false,
        restart_count: Some(3),
        compose: None,
    }
}

async fn claim(subject: &Powers, intent: &Intent) -> anyhow::Result<Claim> {
    Ok(subject.port.claim(intent, &subject.bench.image()).await?)
}

async fn take(subject: &Powers, intent: &Intent) -> anyhow::Result<()> {
    match claim(subject, intent).await? {
        Claim::Ours => Ok(()),
        Claim::Held(holder) => bail!("held by {}", holder.run),
    }
}

pub async fn nobody_holds_a_platform_at_first(subject: &Powers) -> anyhow::Result<()> {
    let platform = subject.bench.platform();
    ensure!(subject.port.claimed(&platform).await?.is_none());
    subject.port.release(&platform).await?;
    Ok(())
}

pub async fn a_claim_is_held_until_it_is_released(subject: &Powers) -> anyhow::Result<()> {
    let platform = subject.bench.platform();
    let (first, second) = (intent(&platform, "first"), intent(&platform, "second"));
    take(subject, &first).await?;
    ensure!(subject.another.claimed(&platform).await? == Some(first.clone()));
    match claim(subject, &second).await? {
        Claim::Held(holder) => ensure!(*holder == first),
        Claim::Ours => bail!("claimed twice"),
    }
    subject.another.release(&platform).await?;
    ensure!(subject.port.claimed(&platform).await?.is_none());
    take(subject, &second).await?;
    ensure!(subject.another.claimed(&platform).await? == Some(second));
    subject.port.release(&platform).await?;
    Ok(())
}

pub async fn of_many_callers_exactly_one_succeeds(subject: &Powers) -> anyhow::Result<()> {
    let platform = subject.bench.platform();
    for round in 0..3 {
        let claims = join_all((0..6).map(|caller| {
            let port = if caller % 2 == 0 {
                &subject.port
            } else {
                &subject.another
            };
            let (port, image) = (Arc::clone(port), subject.bench.image());
            let intent = intent(&platform, &format!("{round}-{caller}"));
            async move { port.claim(&intent, &image).await }
        }))
        .await;
        let claims = claims.into_iter().collect::<Result<Vec<_>, _>>()?;
        let ours = claims.iter().filter(|claim| matches!(claim, Claim::Ours)).count();
        ensure!(ours == 1, "{ours} of 6 succeeded: {claims:?}");
        subject.port.release(&platform).await?;
    }
    Ok(())
}

pub async fn the_intent_is_kept_to_the_letter(subject: &Powers) -> anyhow::Result<()> {
    let platform = subject.bench.platform();
    let mut large = intent(&platform, "grüße \"quoted\" \\ \u{1F980}\n");
    large.workloads = (1..=4000)
        .map(|number| recorded(&platform, &"s".repeat(100), number, large.since))
        .collect();
    ensure!(serde_json::to_string(&large)?.len() > 1_000_000);
    take(subject, &large).await?;
    ensure!(subject.another.claimed(&platform).await? == Some(large.clone()));
    match subject
        .another
        .claim(&intent(&platform, "other"), &subject.bench.image())
        .await?
    {
        Claim::Held(holder) => ensure!(*holder == large),
        Claim::Ours => bail!("claimed twice"),
    }
    subject.port.release(&platform).await?;
    Ok(())
}

pub async fn a_claim_that_is_repeated_stays_ours(subject: &Powers) -> anyhow::Result<()> {
    let platform = subject.bench.platform();
    let intent = intent(&platform, "again");
    take(subject, &intent).await?;
    take(subject, &intent).await?;
    subject.port.release(&platform).await?;
    Ok(())
}

pub async fn releasing_may_be_repeated_and_raced(subject: &Powers) -> anyhow::Result<()> {
    let platform = subject.bench.platform();
    take(subject, &intent(&platform, "raced")).await?;
    for released in join_all((0..4).map(|_| subject.another.release(&platform))).await {
        released?;
    }
    subject.port.release(&platform).await?;
    ensure!(subject.port.claimed(&platform).await?.is_none());
    Ok(())
}

pub async fn platforms_do_not_hinder_each_other(subject: &Powers) -> anyhow::Result<()> {
    let one = subject.bench.platform();
    let two = Project::new(format!("{one}-two"));
    take(subject, &intent(&one, "one")).await?;
    take(subject, &intent(&two, "two")).await?;
    subject.port.release(&one).await?;
    let left = subject.port.claimed(&two).await?;
    subject.port.release(&two).await?;
    ensure!(left.is_some_and(|intent| intent.run.as_str() == "two"));
    Ok(())
}

pub async fn held_platforms_are_listed_by_their_claims_alone(subject: &Powers) -> anyhow::Result<()> {
    let platform = subject.bench.platform();
    // No container of it is there.
    let bare = Project::new(format!("{platform}-bare"));
    take(subject, &intent(&bare, "bare")).await?;
    let held = subject.another.held().await;
    subject.port.release(&bare).await?;
    ensure!(held?.contains(&bare));
    let held = subject.port.held().await?;
    ensure!(!held.contains(&bare) && !held.contains(&platform), "{held:?}");
    Ok(())
}
