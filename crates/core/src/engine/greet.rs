//! Asking servers in their own protocols whether they are there, where nothing else tells.

use std::collections::BTreeSet;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::limits::GREETING;
use crate::names::WorkloadId;
use crate::ports::{Clock, Reach, within};
use crate::stores::Greeting;

/// As much of an answer as is looked at.
const ENOUGH: usize = 16;

/// Greets all side by side, and returns who has answered.
pub(super) async fn all(
    reach: &dyn Reach,
    clock: &dyn Clock,
    greetings: &[(WorkloadId, Greeting)],
) -> BTreeSet<WorkloadId> {
    let answers = greetings.iter().map(async |(workload, greeting)| {
        let answered = within(
            clock,
            GREETING,
            "answering a greeting",
            answers(reach, workload, greeting),
        )
        .await;
        answered.unwrap_or_default().then(|| workload.clone())
    });
    join_all(answers).await.into_iter().flatten().collect()
}

async fn answers(reach: &dyn Reach, workload: &WorkloadId, greeting: &Greeting) -> bool {
    let Ok(mut stream) = reach.dial(workload, greeting.port).await else {
        return false;
    };
    if stream.write_all(greeting.say).await.is_err() || stream.flush().await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let mut piece = [0; ENOUGH];
    while answer.len() < ENOUGH && !greeting.is_answered_by(&answer) {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
    }
    greeting.is_answered_by(&answer)
}
