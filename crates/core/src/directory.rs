//! One backup's directory, and all that reads and writes it. What may be written there, and when, others know.

use std::sync::Arc;

use crate::names::BackupId;
use crate::ports::gateway::Place;
use crate::ports::{Repository, Workers};

/// A backup's directory.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) workers: Arc<dyn Workers>,
    pub(crate) backup: BackupId,
}

impl Directory {
    /// The place below it where a store reads or writes by itself.
    pub(crate) fn place(&self, prefix: &str) -> Place {
        Place {
            repository: self.repository.clone(),
            workers: self.workers.clone(),
            backup: self.backup,
            prefix: prefix.to_owned(),
        }
    }
}
