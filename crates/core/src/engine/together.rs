//! Stores work side by side, and the first that fails ends the others: nobody waits for a result
//! that has no use any more. What is told is the cause, never its consequence.

use futures::future::join_all;

use crate::errors::RunFailure;
use crate::ports::Cx;

/// Runs `act` for every item at once. Returns what succeeded, in order, and the failure if there was
/// one; a cancelled act counts as one only if nothing else failed.
pub(super) async fn together<I, T, F>(
    cx: &Cx,
    items: impl IntoIterator<Item = I>,
    act: impl Fn(I, Cx) -> F,
) -> (Vec<T>, Option<RunFailure>)
where
    F: Future<Output = Result<T, RunFailure>>,
{
    let shared = Cx {
        cancel: cx.cancel.child_token(),
        ..cx.clone()
    };
    let acts = items.into_iter().map(|item| {
        let (act, cancel) = (act(item, shared.clone()), &shared.cancel);
        async move { act.await.inspect_err(|_| cancel.cancel()) }
    });
    split(join_all(acts).await)
}

fn split<T>(outcomes: Vec<Result<T, RunFailure>>) -> (Vec<T>, Option<RunFailure>) {
    let (mut done, mut failure) = (Vec::new(), None);
    for outcome in outcomes {
        match (outcome, &failure) {
            (Ok(output), _) => done.push(output),
            (Err(cause), None | Some(RunFailure::Interrupted)) => failure = Some(cause),
            (Err(_), Some(_)) => {}
        }
    }
    (done, failure)
}
