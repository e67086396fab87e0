//! Which of a container's addresses answers. A container on two networks has two, and where we run in a container of our own only
//! one of them may lead anywhere: the other swallows what is sent to it. So all are tried, each a moment after the one
//! before it and none waiting for another to fail (as RFC 8305 does for hosts), and the one that answered is tried first
//! from then on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep;

/// How much longer than the one before it an address waits for its turn: the time that RFC 8305 recommends.
const AFTER: Duration = Duration::from_millis(250);

/// The addresses that answered, by container.
#[derive(Clone, Debug, Default)]
pub(super) struct Good(Arc<Mutex<HashMap<String, IpAddr>>>);

impl Good {
    /// The addresses with the one first that answered the last time.
    pub(super) fn first(&self, container: &str, mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(good) = known.get(container) {
            // A sort keeps the order of the others.
            addresses.sort_by_key(|address| address != good);
        }
        addresses
    }

    pub(super) fn note(&self, container: &str, address: IpAddr) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(container.to_owned(), address);
    }
}

/// What the first address yields that answers; if none does, how the first of them failed. None: there is no address.
pub(super) async fn first_to_answer<T, E, F>(
    addresses: &[IpAddr],
    connect: impl Fn(IpAddr) -> F,
) -> Option<Result<(IpAddr, T), E>>
where
    F: Future<Output = Result<T, E>>,
{
    let connect = &connect;
    let tries = addresses.iter().zip(0..).map(|(address, place)| async move {
        sleep(AFTER * place).await;
        (place, connect(*address).await.map(|answer| (*address, answer)))
    });
    let mut tries: FuturesUnordered<_> = tries.collect();
    let mut failed: Option<(u32, E)> = None;
    while let Some((place, tried)) = tries.next().await {
        match tried {
            Ok(answer) => return Some(Ok(answer)),
            Err(error) if failed.as_ref().is_none_or(|(first, _)| place < *first) => failed = Some((place, error)),
            Err(_) => {}
        }
    }
    failed.map(|(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_keeps_no_other_from_answering() {
        let both = [address(1), address(2)];
        let answered = first_to_answer(&both, |one| async move {
            if one == address(1) {
                pending::<()>().await;
            }
            Ok::<_, ()>(())
        });
        assert_eq!(answered.await, Some(Ok((address(2), ()))));
    }

    #[tokio::test]
    async fn the_best_address_tells_why_none_answers() {
        let both = [address(1), address(2)];
        let failed = first_to_answer(&both, async |one| Err::<(), _>(one));
        assert_eq!(failed.await, Some(Err(address(1))));
        assert_eq!(first_to_answer(&[], async |one| Err::<(), _>(one)).await, None);
    }

    #[test]
    fn what_answered_is_tried_first_and_the_others_keep_their_order() {
        let good = Good::default();
        let all = vec![address(1), address(2), address(3)];
        assert_eq!(good.first("a", all.clone()), all);
        good.note("a", address(3));
        assert_eq!(good.first("a", all.clone()), [address(3), address(1), address(2)]);
        assert_eq!(good.first("b", all.clone()), all);
    }
}
