//! The ports of one engine and one host, and who we are there. Several platforms may live on one machine.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::limits::STREAM_IDLE;
use super::marked_shell::MarkedShell;
use super::start::PowerControl;
use crate::events::Reporter;
use crate::names::RunId;
use crate::ports::{Buckets, Catalog, Clock, Gateway, Journal, Locks, Power, Reach, Shell, Spool};
use crate::stores::Cx;

/// One engine and one host.
#[derive(Clone)]
pub struct Machine {
    /// Reads the platform.
    pub catalog: Arc<dyn Catalog>,
    /// Stops and starts; handed to the standstill, never to a store.
    pub power: Arc<dyn Power>,
    /// Runs tools in containers.
    pub shell: Arc<dyn Shell>,
    /// Dials stores.
    pub reach: Arc<dyn Reach>,
    /// Lets stores write and read by themselves.
    pub gateway: Arc<dyn Gateway>,
    /// Opens buckets in which stores keep data of their own.
    pub buckets: Arc<dyn Buckets>,
    /// Holds bytes on their way.
    pub spool: Arc<dyn Spool>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Tells who is alive.
    pub locks: Arc<dyn Locks>,
    /// Remembers what runs intended.
    pub journal: Arc<dyn Journal>,
    /// This host's name.
    pub host: String,
    /// This process.
    pub process: u32,
    /// How many processors this host has.
    pub processors: usize,
    /// Stillpoint's version.
    pub version: String,
}

impl Machine {
    /// What a store's call may use; the processes that it starts are marked as those of `owner`.
    pub(super) fn cx(&self, owner: &RunId, report: &Reporter, cancel: &CancellationToken) -> Cx {
        Cx {
            shell: Arc::new(MarkedShell::new(self.shell.clone(), owner.clone())),
            reach: self.reach.clone(),
            gateway: self.gateway.clone(),
            buckets: self.buckets.clone(),
            spool: self.spool.clone(),
            clock: self.clock.clone(),
            owner: owner.clone(),
            report: report.clone(),
            cancel: cancel.clone(),
            idle_limit: STREAM_IDLE,
            processors: self.processors,
        }
    }

    /// What changes and watches workloads.
    pub(super) fn control(&self, report: &Reporter) -> PowerControl {
        PowerControl {
            power: self.power.clone(),
            catalog: self.catalog.clone(),
            clock: self.clock.clone(),
            report: report.clone(),
        }
    }
}
