//! Whether the standstill was one: nothing ran inside it but the stores, and nobody else touched those.

use std::collections::{BTreeMap, BTreeSet};

use super::{Managed, Moved, Standstill, StandstillError};
use crate::engine::plan::{Plan, Role};
use crate::names::{Address, StoreName};
use crate::stores::Footing;
use crate::workload::{State, Workload};

impl Standstill {
    /// Checks that since the begin nothing ran but the stores, and that nobody else has started or stopped one. To be
    /// called when the last point in time is fixed: an engine restart revives `restart: always` containers silently.
    pub async fn unbroken(&self, plan: &Plan) -> Result<(), StandstillError> {
        let now = self
            .control
            .catalog
            .workloads()
            .await
            .map_err(StandstillError::Unknown)?;
        let mine = now.iter().filter(|workload| workload.address.project == plan.platform);
        let breaches: Vec<String> = mine.filter_map(|workload| self.breach(plan, workload)).collect();
        let breaches: Vec<String> = breaches.into_iter().chain(self.vanished(&now)).collect();
        if breaches.is_empty() {
            Ok(())
        } else {
            Err(StandstillError::Void(breaches))
        }
    }

    /// Whoever removes a container inside the standstill may have run it before.
    fn vanished(&self, now: &[Workload]) -> Vec<String> {
        let is_gone = |address: &&Address| !now.iter().any(|workload| workload.address == **address);
        let all = self.stopped.iter().chain(self.stores.values());
        let all: BTreeSet<&Address> = all.map(|managed| &managed.was.address).collect();
        let gone = all.into_iter().filter(is_gone);
        gone.map(|address| format!("{address} vanished during the standstill"))
            .collect()
    }

    fn breach(&self, plan: &Plan, now: &Workload) -> Option<String> {
        let address = &now.address;
        if let Some(managed) = self.stopped.iter().find(|managed| managed.was.address == *address) {
            return managed.breach_of_stopped(now, &self.lock());
        }
        if let Some(managed) = self.stores.values().find(|managed| managed.was.address == *address) {
            return managed.breach_of_store(now, &self.lock());
        }
        let planned = plan.entries.iter().find(|entry| entry.workload.address == *address);
        match planned {
            Some(entry) if entry.role == Role::Kept => None,
            Some(entry) if entry.workload.started_at == now.started_at && !(now.state == State::Running) => None,
            Some(_) => Some(format!("{address} was started from outside during the standstill")),
            None if plan.keep.reason(now).is_some() => None,
            None if now.state == State::Created => None,
            None => Some(format!("{address} appeared during the standstill")),
        }
    }
}

impl Managed {
    fn moved(&self, moved: &BTreeMap<StoreName, Moved>) -> Option<Moved> {
        self.store.as_ref().and_then(|store| moved.get(store)).copied()
    }

    /// What was stopped stays so, unless it is a store that the run has brought elsewhere.
    fn breach_of_stopped(&self, now: &Workload, moved: &BTreeMap<StoreName, Moved>) -> Option<String> {
        let address = &self.was.address;
        match self.moved(moved) {
            Some(moved) => self.breach_of_moved(moved, now),
            None if !now.state.is_up() && now.started_at == self.started_at && now.id == self.was.id => None,
            None => Some(format!("{address} ran during the standstill")),
        }
    }

    /// A store that was never stopped is as it was before, unless the run has brought it elsewhere.
    fn breach_of_store(&self, now: &Workload, moved: &BTreeMap<StoreName, Moved>) -> Option<String> {
        let address = &self.was.address;
        match self.moved(moved) {
            Some(moved) => self.breach_of_moved(moved, now),
            None if now.state == self.was.state && now.started_at == self.started_at => None,
            None => Some(format!(
                "{address} was restarted, stopped or paused during the standstill"
            )),
        }
    }

    fn breach_of_moved(&self, moved: Moved, now: &Workload) -> Option<String> {
        let address = &self.was.address;
        (!moved.is_met(now)).then(|| format!("{address} was started or stopped by somebody while it was worked on"))
    }
}

impl Moved {
    /// Nobody else has started or stopped it since.
    fn is_met(self, now: &Workload) -> bool {
        let as_left = match self.footing {
            Footing::Running => now.state == State::Running,
            Footing::Frozen => now.state == State::Paused,
            Footing::Stopped => !now.state.is_up(),
        };
        as_left && now.started_at == self.started_at
    }
}
