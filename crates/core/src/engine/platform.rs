//! Finding the platform among the engine's containers, and the stores in it. Needs no
//! configuration: a Compose project in which a kind of store recognises a workload is a platform. [`super::look`] is
//! who looks at the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::keep::Keep;
use crate::engine::unprotected;
use crate::manifest::{LeftOut, Mode, StoreRecord};
use crate::names::{Address, Project, StoreName, WorkloadId};
use crate::stores::{Kind, Neighbours, Recognition, Store, StoreError};
use crate::workload::{State, Workload};

/// A platform with all its workloads, as last listed.
#[derive(Clone)]
pub struct Platform {
    /// The Compose project.
    pub name: Project,
    /// All workloads, in order of their addresses.
    pub workloads: Vec<Workload>,
    /// The stores among them.
    pub stores: BTreeMap<Address, Arc<dyn Store>>,
    /// How a backup keeps clients away for stores whose settings say so.
    pub modes: BTreeMap<Address, Mode>,
    /// What is never stopped.
    pub keep: Keep,
    /// Workloads that are copies which a store keeps up by itself.
    pub followers: BTreeSet<Address>,
    /// Workloads in which a server of a known kind runs that serves nobody else: by its program.
    pub embedded: BTreeMap<Address, &'static str>,
}

impl Platform {
    /// The store of a record, if it runs.
    pub fn running(&self, record: &StoreRecord) -> Option<&Arc<dyn Store>> {
        let same = |store: &&Arc<dyn Store>| *store.name() == record.name && store.kind() == record.kind;
        let store = self.stores.values().find(same)?;
        let runs = |workload: &Workload| workload.id == *store.workload() && workload.state == State::Running;
        self.workloads.iter().any(runs).then_some(store)
    }

    /// What a workload that is no store keeps.
    pub(super) fn left_out(&self, workload: &Workload) -> Vec<LeftOut> {
        let stores = self
            .workloads
            .iter()
            .filter(|other| self.stores.contains_key(&other.address));
        let covered = stores
            .flat_map(|store| &store.mounts)
            .map(|mount| &mount.source)
            .collect();
        let embedded = self.embedded.get(&workload.address).copied();
        unprotected::left_out(workload, embedded, &covered)
    }

    /// How a backup keeps clients away for this store, if its settings say so.
    pub fn mode(&self, address: &Address) -> Option<Mode> {
        self.modes.get(address).copied()
    }

    /// What a store's workload does.
    pub fn state(&self, store: &dyn Store) -> State {
        let found = self.workloads.iter().find(|workload| workload.id == *store.workload());
        found.map_or(State::Exited, |workload| workload.state)
    }
}

/// Why there is not exactly one platform.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// No Compose project holds a store.
    #[error("no platform found: no Compose project on this engine has a store (projects seen: {})", list(.seen))]
    None {
        /// The projects there are.
        seen: Vec<Project>,
    },
    /// The one that was asked for is not there.
    #[error("no platform `{wanted}` found (platforms with a store: {})", list(.found))]
    Unknown {
        /// What was asked for.
        wanted: Project,
        /// What there is.
        found: Vec<Project>,
    },
    /// More than one.
    #[error("{} platforms found: {}", .found.len(), list(.found))]
    Ambiguous {
        /// What there is.
        found: Vec<Project>,
    },
    /// Two stores are called alike.
    #[error("two stores are called {name}: the containers {} and {}", .containers[0], .containers[1])]
    SameName {
        /// The name.
        name: StoreName,
        /// Their containers.
        containers: [String; 2],
    },
    /// A store was recognised and cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(projects: &[Project]) -> String {
    if projects.is_empty() {
        return "none".to_owned();
    }
    projects.iter().map(Project::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn find(
    workloads: Vec<Workload>,
    kinds: &[Arc<dyn Kind>],
    keep: &Keep,
    wanted: Option<&Project>,
    answered: &BTreeSet<WorkloadId>,
) -> Result<Platform, PlatformError> {
    let seen: BTreeSet<Project> = workloads
        .iter()
        .map(|workload| workload.address.project.clone())
        .collect();
    let found: BTreeSet<Project> = workloads
        .iter()
        .filter(|workload| kind_of(workload, kinds, keep, answered).is_some())
        .map(|workload| workload.address.project.clone())
        .collect();
    let name = choose(seen, found, wanted)?;
    let mut mine: Vec<Workload> = workloads
        .into_iter()
        .filter(|workload| workload.address.project == name)
        .collect();
    mine.sort_by(|a, b| a.address.cmp(&b.address));
    let keep = keep.within(&mine);
    let (stores, modes) = open_stores(&mine, kinds, &keep, answered)?;
    let needs = stores.values().map(|store| (store.name().clone(), store.needs()));
    let keep = keep.and_needed(&mine, needs);
    let is_client = |workload: &&Workload| !stores.contains_key(&workload.address) && keep.reason(workload).is_none();
    let follows = |workload: &&Workload| kinds.iter().any(|kind| kind.follows(workload));
    let followers = mine.iter().filter(is_client).filter(follows);
    let followers = followers.map(|workload| workload.address.clone()).collect();
    let embedded = mine.iter().filter(is_client);
    let embedded = embedded.filter_map(|workload| Some((workload.address.clone(), embeds(workload, kinds)?)));
    Ok(Platform {
        name,
        followers,
        embedded: embedded.collect(),
        workloads: mine,
        stores,
        modes,
        keep,
    })
}

fn choose(
    seen: BTreeSet<Project>,
    found: BTreeSet<Project>,
    wanted: Option<&Project>,
) -> Result<Project, PlatformError> {
    if let Some(wanted) = wanted {
        return found.get(wanted).cloned().ok_or_else(|| PlatformError::Unknown {
            wanted: wanted.clone(),
            found: found.into_iter().collect(),
        });
    }
    let mut candidates = found.iter();
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(PlatformError::None {
            seen: seen.into_iter().collect(),
        }),
        (Some(_), Some(_)) => Err(PlatformError::Ambiguous {
            found: found.into_iter().collect(),
        }),
    }
}

/// The server of a known kind that runs in a workload that is no store.
fn embeds(workload: &Workload, kinds: &[Arc<dyn Kind>]) -> Option<&'static str> {
    kinds.iter().find_map(|kind| match kind.recognises(workload) {
        Recognition::Ask(greeting) => Some(greeting.program),
        Recognition::Store | Recognition::No => None,
    })
}

fn kind_of<'a>(
    workload: &Workload,
    kinds: &'a [Arc<dyn Kind>],
    keep: &Keep,
    answered: &BTreeSet<WorkloadId>,
) -> Option<&'a Arc<dyn Kind>> {
    // A store that serves the repository itself, or is kept for another reason, is not backed up.
    if keep.reason(workload).is_some() {
        return None;
    }
    kinds.iter().find(|kind| match kind.recognises(workload) {
        Recognition::Store => true,
        Recognition::Ask(_) => answered.contains(&workload.id),
        Recognition::No => false,
    })
}

/// The store at this address, if a kind of store still recognises it.
pub(super) fn store_at(
    address: &Address,
    workloads: &[Workload],
    kinds: &[Arc<dyn Kind>],
    keep: &Keep,
    answered: &BTreeSet<WorkloadId>,
) -> Option<Result<Arc<dyn Store>, StoreError>> {
    let is_mine = |workload: &&Workload| workload.address.project == address.project;
    let mine: Vec<Workload> = workloads.iter().filter(is_mine).cloned().collect();
    let workload = mine.iter().find(|workload| workload.address == *address)?;
    let kind = kind_of(workload, kinds, keep, answered)?;
    let store = name_of(kind, workload).and_then(|name| kind.store(name, workload, Neighbours::of(&mine)));
    Some(store)
}

/// What the store is called that the workload is.
fn name_of(kind: &Arc<dyn Kind>, workload: &Workload) -> Result<StoreName, StoreError> {
    Ok(kind.name(workload)?.unwrap_or_else(|| workload.address.store_name()))
}

/// Stores by their address.
type Stores = BTreeMap<Address, Arc<dyn Store>>;

fn open_stores(
    workloads: &[Workload],
    kinds: &[Arc<dyn Kind>],
    keep: &Keep,
    answered: &BTreeSet<WorkloadId>,
) -> Result<(Stores, BTreeMap<Address, Mode>), PlatformError> {
    let (mut stores, mut modes) = (Stores::new(), BTreeMap::new());
    let mut names: BTreeMap<StoreName, &str> = BTreeMap::new();
    for workload in workloads {
        if let Some(kind) = kind_of(workload, kinds, keep, answered) {
            let address = &workload.address;
            let name = name_of(kind, workload)?;
            if let Some(other) = names.insert(name.clone(), &workload.container) {
                let containers = [other.to_owned(), workload.container.clone()];
                return Err(PlatformError::SameName { name, containers });
            }
            if let Some(mode) = kind.mode(&name, workload)? {
                modes.insert(address.clone(), mode);
            }
            let store = kind.store(name, workload, Neighbours::of(workloads))?;
            stores.insert(address.clone(), store);
        }
    }
    Ok((stores, modes))
}
