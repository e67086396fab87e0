//! Work that goes on when its request is gone: a client that dies in the middle must not take away the task that removes
//! what it left.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long work may take to end after every connection has ended: removing what is unfinished takes less.
const LIMIT: Duration = Duration::from_secs(30);

/// The tasks of one gateway.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<Option<JoinSet<()>>>);

/// It was ended before its time.
#[derive(Debug)]
pub(super) struct Ended;

impl Tasks {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }

    /// Runs `work` to its end, also if nobody waits for it any more.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, ended) = oneshot::channel();
        if let Some(tasks) = &mut *self.tasks() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                // Nobody may wait any more.
                drop(done.send(work.await));
            });
        }
        ended
    }

    /// The same, and waits for it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Ended> {
        self.begin(work).await.map_err(|_| Ended)
    }

    /// Waits until all have ended, and ends those that do not. None begins any more.
    pub(super) async fn end(&self) {
        let Some(mut tasks) = self.tasks().take() else {
            return;
        };
        let all = async { while tasks.join_next().await.is_some() {} };
        if timeout(LIMIT, all).await.is_err() {
            tasks.shutdown().await;
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
