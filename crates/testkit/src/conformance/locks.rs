//! What every kind of lock promises, as far as one process can see it.
#![expect(missing_docs, reason = "each function's name is the sentence that it asserts")]
#![expect(clippy::unused_async, reason = "one macro makes the tests of all suites")]

use anyhow::ensure;
use stillpoint_core::names::Project;
use stillpoint_core::ports::Locks;

/// Locks under test, and whatever must live as long as they do.
pub struct Subject {
    /// The locks, none taken.
    pub locks: Box<dyn Locks>,
    /// Their directory.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

impl Subject {
    /// Locks that live as long as `keep`.
    pub fn with(locks: impl Locks + 'static, keep: impl std::any::Any + Send + Sync) -> Self {
        Self {
            locks: Box::new(locks),
            keep: Box::new(keep),
        }
    }
}

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! locks_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::locks,
            $make,
            [
                a_lock_is_taken_once,
                a_dropped_lock_is_free,
                platforms_do_not_lock_each_other
            ]
        );
    };
}

pub async fn a_lock_is_taken_once(subject: &Subject) -> anyhow::Result<()> {
    let platform = Project::new("acme");
    let held = subject.locks.take(&platform)?;
    ensure!(held.is_some());
    ensure!(subject.locks.take(&platform)?.is_none(), "taken twice");
    ensure!(
        subject.locks.take(&platform)?.is_none(),
        "a failed try must not free it"
    );
    Ok(())
}

pub async fn a_dropped_lock_is_free(subject: &Subject) -> anyhow::Result<()> {
    let platform = Project::new("acme");
    for _ in 0..3 {
        ensure!(subject.locks.take(&platform)?.is_some());
    }
    Ok(())
}

pub async fn platforms_do_not_lock_each_other(subject: &Subject) -> anyhow::Result<()> {
    let names = ["acme", "acme2", "a/b", "a%2Fb", "..", "größe"];
    let mut held = Vec::new();
    for name in names {
        held.push(subject.locks.take(&Project::new(name))?);
    }
    ensure!(
        held.iter().all(Option::is_some),
        "{:?}",
        held.iter().map(Option::is_some).collect::<Vec<_>>()
    );
    Ok(())
}
