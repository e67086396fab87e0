//! Locks in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use stillpoint_core::names::Project;
use stillpoint_core::ports::lock::LockError;
use stillpoint_core::ports::{Guard, Locks};

use super::lock;

/// Locks among those that share a clone of it.
#[derive(Clone, Default)]
pub struct FakeLocks {
    held: Arc<Mutex<BTreeSet<String>>>,
    alive: Arc<Mutex<BTreeSet<u32>>>,
}

impl FakeLocks {
    /// A process of the program is there, and stays.
    pub fn begin_process(&self, process: u32) {
        lock(&self.alive).insert(process);
    }
}

struct Held {
    held: Arc<Mutex<BTreeSet<String>>>,
    platform: String,
}

impl Guard for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.held).remove(&self.platform);
    }
}

impl Locks for FakeLocks {
    fn take(&self, platform: &Project) -> Result<Option<Box<dyn Guard>>, LockError> {
        let platform = platform.to_string();
        if !lock(&self.held).insert(platform.clone()) {
            return Ok(None);
        }
        let held = self.held.clone();
        Ok(Some(Box::new(Held { held, platform })))
    }

    fn lives(&self, process: u32, _: Timestamp) -> bool {
        lock(&self.alive).contains(&process)
    }
}
