//! Bringing a platform back after the run that stopped it has died. May be repeated, and may itself
//! die: it only starts what an intent recorded as running and nobody has started since.

use futures::future::join_all;

use super::backup::once_each;
use super::start::{Degraded, Hands, Target, targets};
use crate::errors::Error;
use crate::ports::power::{Intent, Recorded};

/// Starts what the intent's run had stopped and awaits that all of it is what it was.
/// Returns what is not.
pub async fn recover(hands: &Hands, intent: &Intent) -> Result<Vec<Degraded>, Error> {
    let now = hands.catalog.workloads().await?;
    let (targets, gone) = targets(&intent.workloads, &now);
    // A claim that waits for what somebody has removed would block the platform for ever.
    for address in gone {
        hands
            .report
            .warn(format!("{address} was removed since; it is not brought back"));
    }
    let (ours, others): (Vec<Target>, Vec<Target>) = targets
        .into_iter()
        .partition(|target| is_ours(target, &intent.workloads));
    tell_others(hands, &others).await;
    let mut degraded = hands.start(&ours).await;
    degraded.extend(hands.confirm(&ours).await);
    Ok(once_each(degraded))
}

/// Nobody but the run has started it since it was recorded: whatever state it is in is the run's doing.
/// (`FinishedAt` cannot tell: an engine's restart rewrites it.)
fn is_ours(target: &Target, recorded: &[Recorded]) -> bool {
    recorded
        .iter()
        .any(|entry| entry.address == target.was.address && (entry.alone || entry.started_at == target.was.started_at))
}

/// Somebody, or the run itself at its end, has started these since: they are looked at, never touched.
async fn tell_others(hands: &Hands, others: &[Target]) {
    let looks = join_all(others.iter().map(|target| hands.catalog.inspect(&target.was.id))).await;
    for (target, look) in others.iter().zip(looks) {
        let was = &target.was;
        if let Some(now) = look.ok().filter(|now| now.state != was.state) {
            hands.report.warn(format!(
                "{} was {} and has been started since; it is left as it is: {}",
                was.address, was.state, now.state
            ));
        }
    }
}
