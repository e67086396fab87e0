//! Work that only computes, on the threads that the runtime keeps for what blocks.

use stillpoint_core::ports::Workers;
use tokio::task::spawn_blocking;

/// The runtime's own threads. To be used within a runtime.
pub struct Threads;

impl Workers for Threads {
    fn begin(&self, work: Box<dyn FnOnce() + Send>) {
        // It is not waited for here, and is never aborted.
        drop(spawn_blocking(work));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn works_run_at_the_same_time_and_beside_their_caller() {
        let both = Arc::new(Barrier::new(2));
        let (done, mut ended) = unbounded_channel();
        for work in [1, 2] {
            let (both, done) = (both.clone(), done.clone());
            Threads.begin(Box::new(move || {
                both.wait();
                let _ = done.send(work);
            }));
        }
        let mut works = [ended.recv().await, ended.recv().await];
        works.sort_unstable();
        assert_eq!(works, [Some(1), Some(2)]);
    }
}
