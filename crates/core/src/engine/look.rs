//! Looking for the platform: what the engine lists, what runs inside it and, where that does not tell, who answers a
//! greeting in a store's own protocol. What runs decides; names come second. Changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::errors::Error;
use super::greet;
use super::keep::Keep;
use super::platform::{Platform, find};
use crate::names::{Project, WorkloadId};
use crate::ports::{Catalog, Clock, EngineError, Reach};
use crate::stores::{Greeting, Kind, Recognition};
use crate::workload::Workload;

/// What looks at an engine's workloads.
#[derive(Clone, Copy)]
pub struct Observer<'a> {
    /// Lists them and looks inside them.
    pub catalog: &'a dyn Catalog,
    /// Greets what may be a server.
    pub reach: &'a dyn Reach,
    /// Waits for an answer.
    pub clock: &'a dyn Clock,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Observed {
    /// Every workload, with what is inside those that may be stores.
    pub(super) workloads: Vec<Workload>,
    /// Who has answered the greeting that was asked for.
    pub(super) answered: BTreeSet<WorkloadId>,
}

/// Looks at the engine and picks the platform: the one `wanted`, or the only one there is.
pub async fn look(
    observer: Observer<'_>,
    kinds: &[Arc<dyn Kind>],
    keep: &Keep,
    wanted: Option<&Project>,
) -> Result<Platform, Error> {
    let Observed { workloads, answered } = observe(observer, kinds, keep, wanted).await?;
    Ok(find(workloads, kinds, keep, wanted, &answered)?)
}

/// Looks at the engine, and inside what may be a store of the platform `wanted`, or of any.
pub(super) async fn observe(
    observer: Observer<'_>,
    kinds: &[Arc<dyn Kind>],
    keep: &Keep,
    wanted: Option<&Project>,
) -> Result<Observed, EngineError> {
    let mut workloads = observer.catalog.workloads().await?;
    let files: Vec<&str> = kinds.iter().flat_map(|kind| kind.data_files()).copied().collect();
    let may_be = |workload: &&Workload| {
        wanted.is_none_or(|wanted| *wanted == workload.address.project) && keep.reason(workload).is_none()
    };
    let asked: Vec<Workload> = workloads.iter().filter(may_be).cloned().collect();
    let mut seen = observer.catalog.contents(&asked, &files).await?;
    for workload in &mut workloads {
        workload.contents = seen.remove(&workload.id).unwrap_or_default();
    }
    let greetings = greetings(workloads.iter().filter(may_be), kinds);
    let answered = greet::all(observer.reach, observer.clock, &greetings).await;
    Ok(Observed { workloads, answered })
}

/// What has to be asked of whom nothing else tells.
fn greetings<'a>(
    workloads: impl Iterator<Item = &'a Workload>,
    kinds: &[Arc<dyn Kind>],
) -> Vec<(WorkloadId, Greeting)> {
    let pairs = workloads.flat_map(|workload| kinds.iter().map(move |kind| (workload, kind)));
    let asked = pairs.filter_map(|(workload, kind)| match kind.recognises(workload) {
        Recognition::Ask(greeting) => Some((workload.id.clone(), greeting)),
        Recognition::Store | Recognition::No => None,
    });
    asked.collect()
}
