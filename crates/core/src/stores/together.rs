//! Work goes on side by side, and the first that fails ends the others: nobody waits for a result that has
//! no use any more. What is told is the cause, never its consequence.

use futures::stream::{self, StreamExt};

use super::Cx;

/// An error that may be no cause but a consequence: its work was told to stop.
pub trait MayBeCancelled {
    /// Whether it only says that it was told to stop.
    fn is_cancelled(&self) -> bool;
}

/// Runs `act` for the items, `at_once` of them at a time. Returns what succeeded, in the items' order, and
/// the failure if there was one; a cancelled act counts as one only if nothing else failed.
pub async fn together<I, T, E, F>(
    cx: &Cx,
    at_once: usize,
    items: impl IntoIterator<Item = I>,
    act: impl Fn(I, Cx) -> F,
) -> (Vec<T>, Option<E>)
where
    E: MayBeCancelled,
    F: Future<Output = Result<T, E>>,
{
    let shared = Cx {
        cancel: cx.cancel.child_token(),
        ..cx.clone()
    };
    let begin = |(place, item)| {
        let (act, cancel) = (act(item, shared.clone()), &shared.cancel);
        async move { (place, act.await.inspect_err(|_| cancel.cancel())) }
    };
    let acts: Vec<_> = items.into_iter().enumerate().map(begin).collect();
    let mut outcomes: Vec<_> = stream::iter(acts).buffer_unordered(at_once.max(1)).collect().await;
    outcomes.sort_by_key(|(place, _)| *place);
    split(outcomes.into_iter().map(|(_, outcome)| outcome))
}

fn split<T, E: MayBeCancelled>(outcomes: impl Iterator<Item = Result<T, E>>) -> (Vec<T>, Option<E>) {
    let (mut done, mut failure) = (Vec::new(), None::<E>);
    for outcome in outcomes {
        match outcome {
            Ok(output) => done.push(output),
            Err(cause) if failure.as_ref().is_none_or(MayBeCancelled::is_cancelled) => failure = Some(cause),
            Err(_) => {}
        }
    }
    (done, failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Trouble {
        Told,
        Real(u32),
    }

    impl MayBeCancelled for Trouble {
        fn is_cancelled(&self) -> bool {
            *self == Self::Told
        }
    }

    #[test]
    fn the_first_real_cause_is_what_is_told() {
        let outcomes = [
            Err(Trouble::Told),
            Ok(1),
            Err(Trouble::Real(1)),
            Err(Trouble::Real(2)),
            Ok(2),
        ];
        assert_eq!(split(outcomes.into_iter()), (vec![1, 2], Some(Trouble::Real(1))));
        assert_eq!(
            split([Ok(3), Err(Trouble::Told)].into_iter()),
            (vec![3], Some(Trouble::Told))
        );
    }
}
