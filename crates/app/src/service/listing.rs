//! What the repository holds, for pages: they are asked for more often than it changes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stillpoint_core::operations::BackupList;
use tokio::sync::Mutex;

/// What others do to the repository shows after this time at the latest. What this service does shows at once.
const OLD_AFTER: Duration = Duration::from_secs(15);

/// The repository's content as it was read last.
#[derive(Default)]
pub(super) struct Listing {
    read: Mutex<Option<Read>>,
    /// How often something was done here that may have changed it.
    changes: AtomicU64,
}

struct Read {
    begun: Instant,
    changes: u64,
    list: Arc<BackupList>,
}

impl Listing {
    /// Something was done that may have changed the repository.
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// The content, read by `read` unless it was a moment ago. Who asks meanwhile waits for the same answer; a failure
    /// is never kept.
    pub(super) async fn get<E, F>(&self, read: impl FnOnce() -> F) -> Result<Arc<BackupList>, E>
    where
        F: Future<Output = Result<BackupList, E>>,
    {
        let mut kept = self.read.lock().await;
        let changes = self.changes.load(Ordering::SeqCst);
        if let Some(last) = kept.as_ref().filter(|last| last.is_good(changes)) {
            return Ok(last.list.clone());
        }
        let begun = Instant::now();
        let list = Arc::new(read().await?);
        *kept = Some(Read {
            begun,
            changes,
            list: list.clone(),
        });
        Ok(list)
    }
}

impl Read {
    fn is_good(&self, changes: u64) -> bool {
        self.changes == changes && self.begun.elapsed() < OLD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(place: &str) -> BackupList {
        BackupList {
            place: place.to_owned(),
            backups: Vec::new(),
            unreadable: Vec::new(),
            partial: Vec::new(),
            incomplete: Vec::new(),
        }
    }

    async fn place(listing: &Listing, now: Result<&str, &str>) -> Result<String, String> {
        let read = || async { now.map(list).map_err(str::to_owned) };
        listing.get(read).await.map(|list| list.place.clone())
    }

    #[tokio::test]
    async fn it_is_read_again_after_a_change_and_never_for_nothing() {
        let listing = Listing::default();
        assert_eq!(place(&listing, Ok("first")).await.unwrap(), "first");
        assert_eq!(place(&listing, Ok("second")).await.unwrap(), "first");
        listing.changed();
        assert_eq!(place(&listing, Ok("third")).await.unwrap(), "third");
    }

    #[tokio::test]
    async fn a_failure_is_told_and_not_kept() {
        let listing = Listing::default();
        assert_eq!(place(&listing, Err("no answer")).await.unwrap_err(), "no answer");
        assert_eq!(place(&listing, Ok("back")).await.unwrap(), "back");
        listing.changed();
        // What was read before is not shown as what is there now.
        assert_eq!(place(&listing, Err("no answer")).await.unwrap_err(), "no answer");
    }

    #[tokio::test]
    async fn what_changes_while_it_is_read_makes_it_old() {
        let listing = Listing::default();
        let read = || async {
            listing.changed();
            Ok::<_, String>(list("before the change"))
        };
        listing.get(read).await.unwrap();
        assert_eq!(place(&listing, Ok("after")).await.unwrap(), "after");
    }
}
