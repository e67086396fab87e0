//! The SHA-256 of a stream, computed beside the task that moves the stream: many artifacts are moved by one task, and
//! hashing them there would use one processor. Memory is two buffers of [`BATCH`] for each stream.

use std::sync::Arc;

use futures::channel::oneshot;
use sha2::{Digest, Sha256};

use crate::ports::{Key, RepositoryError, Workers};

/// Bytes that are hashed in one go: enough to make handing them over cheap.
const BATCH: usize = 256 << 10;

/// A hash that grows with its stream.
pub struct Hashing {
    workers: Arc<dyn Workers>,
    /// What the next batch will be.
    gathered: Vec<u8>,
    state: State,
}

enum State {
    Idle(Box<Batch>),
    Busy(oneshot::Receiver<Box<Batch>>),
    /// A batch never came back.
    Lost,
}

/// What goes to a worker and comes back.
struct Batch {
    hash: Sha256,
    bytes: Vec<u8>,
}

/// Part of a stream was not hashed: the process is about to end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("hashing was ended early")]
pub struct HashingEnded;

impl HashingEnded {
    /// The same as an error of the object that was being moved.
    pub fn at(&self, key: &Key) -> RepositoryError {
        RepositoryError::Failed {
            key: key.to_string(),
            cause: self.to_string(),
        }
    }
}

impl Hashing {
    /// The hash of an empty stream.
    pub fn new(workers: Arc<dyn Workers>) -> Self {
        let (hash, bytes) = (Sha256::new(), Vec::new());
        Self {
            workers,
            gathered: Vec::new(),
            state: State::Idle(Box::new(Batch { hash, bytes })),
        }
    }

    /// Appends; waits while the batch before is still being hashed.
    pub async fn add(&mut self, mut piece: &[u8]) -> Result<(), HashingEnded> {
        while !piece.is_empty() {
            let (now, later) = piece.split_at(piece.len().min(BATCH - self.gathered.len()));
            self.gathered.extend_from_slice(now);
            piece = later;
            if self.gathered.len() == BATCH {
                let batch = self.idle().await?;
                self.begin(batch);
            }
        }
        Ok(())
    }

    /// The hash of all that was added, as the manifest writes it. Nothing can be added afterwards.
    pub async fn finish(&mut self) -> Result<String, HashingEnded> {
        let mut hash = self.idle().await?.hash;
        hash.update(&self.gathered);
        Ok(hex(hash))
    }

    /// The last batch, once it is hashed.
    async fn idle(&mut self) -> Result<Box<Batch>, HashingEnded> {
        if let State::Busy(batch) = &mut self.state {
            let batch = batch.await.map_err(|_| HashingEnded)?;
            self.state = State::Idle(batch);
        }
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(batch) => Ok(batch),
            State::Busy(_) | State::Lost => Err(HashingEnded),
        }
    }

    /// Hands what was gathered to a worker.
    fn begin(&mut self, mut batch: Box<Batch>) {
        batch.bytes.clear();
        std::mem::swap(&mut batch.bytes, &mut self.gathered);
        let (done, hashed) = oneshot::channel();
        self.state = State::Busy(hashed);
        self.workers.begin(Box::new(move || {
            batch.hash.update(&batch.bytes);
            // Nobody waits for a stream that was given up.
            drop(done.send(batch));
        }));
    }
}

/// A finished hash as the manifest writes it.
fn hex(hash: Sha256) -> String {
    let nibbles = |byte: u8| [byte >> 4, byte & 0xF];
    hash.finalize()
        .into_iter()
        .flat_map(nibbles)
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, Mutex};
    use std::thread::JoinHandle;

    use futures::future::join;

    use super::*;

    /// Threads that begin their work only when two of them are there.
    struct InPairs {
        both: Arc<Barrier>,
        threads: Mutex<Vec<JoinHandle<()>>>,
    }

    impl Workers for InPairs {
        fn begin(&self, work: Box<dyn FnOnce() + Send>) {
            let both = self.both.clone();
            let thread = std::thread::spawn(move || {
                both.wait();
                work();
            });
            self.threads.lock().unwrap().push(thread);
        }
    }

    /// Forgets all but the first works.
    struct Ending(AtomicUsize);

    impl Workers for Ending {
        fn begin(&self, work: Box<dyn FnOnce() + Send>) {
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
                work();
            }
        }
    }

    async fn hashed(workers: Arc<dyn Workers>, pieces: &[Vec<u8>]) -> Result<String, HashingEnded> {
        let mut hashing = Hashing::new(workers);
        for piece in pieces {
            hashing.add(piece).await?;
        }
        hashing.finish().await
    }

    fn pieces(first: u8) -> Vec<Vec<u8>> {
        let length = |at: usize| [1, BATCH / 2, BATCH * 2 + 7, 0, BATCH - 1][at % 5];
        (0..5).map(|at| vec![first.wrapping_add(1); length(at)]).collect()
    }

    fn expected(pieces: &[Vec<u8>]) -> String {
        hex(Sha256::new_with_prefix(pieces.concat()))
    }

    #[tokio::test]
    async fn two_streams_of_one_task_are_hashed_at_the_same_time() {
        let workers = Arc::new(InPairs {
            both: Arc::new(Barrier::new(2)),
            threads: Mutex::default(),
        });
        let (one, other) = (pieces(1), pieces(2));
        let hashed = join(hashed(workers.clone(), &one), hashed(workers.clone(), &other)).await;
        assert_eq!(hashed, (Ok(expected(&one)), Ok(expected(&other))));
        let threads = std::mem::take(&mut *workers.threads.lock().unwrap());
        assert_eq!(threads.len(), 6, "three batches of each stream");
    }

    #[tokio::test]
    async fn a_batch_that_was_never_hashed_is_never_left_out() {
        let ending = Arc::new(Ending(AtomicUsize::new(0)));
        assert_eq!(hashed(ending, &pieces(1)).await, Err(HashingEnded));
    }
}
