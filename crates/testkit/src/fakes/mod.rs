//! Fakes of every port around one simulated [`world`]: containers that stop, start and answer in
//! virtual time, a claim, locks, a repository in memory, and a kind of store whose data is a table
//! of counts. They behave; making them misbehave is left to [`crate::faults`].

pub mod accounts;
mod buckets;
pub mod clock;
pub mod container;
mod engine;
mod gateway;
pub mod history;
pub mod journal;
mod locks;
mod outbox;
pub mod repository;
mod spool;
mod store;
mod tools;
mod workers;
pub mod world;

pub use accounts::FakeAccounts;
pub use clock::FakeClock;
pub use container::{Container, Data, Restart};
pub use gateway::FakeGateway;
pub use history::FakeHistory;
pub use journal::FakeJournal;
pub use locks::FakeLocks;
pub use outbox::FakeOutbox;
pub use repository::MemoryRepository;
pub use spool::FakeSpool;
pub use store::{Index, Kept};
pub use workers::AtOnce;
pub use world::World;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that panicked while it held the lock has failed already; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
