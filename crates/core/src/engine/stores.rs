//! The platform's stores, and whether each can be opened: with the credential that was found, by the tools that are there. The
//! same look as the preflight of a backup. Stops and writes nothing.

use futures::future::join_all;
use serde::Serialize;

use super::deadline::asked;
use super::errors::{Error, PreflightError};
use super::platform::Platform;
use super::site::{Run, Site};
use crate::findings::{Finding, Severity};
use crate::manifest::Mode;
use crate::names::{Address, Project, StoreKind, StoreName};
use crate::stores::Store;
use crate::workload::State;

/// A store of the platform.
#[derive(Clone, Debug, Serialize)]
pub struct KnownStore {
    /// Its name.
    pub store: StoreName,
    /// Its kind.
    pub kind: StoreKind,
    /// Its place in the platform.
    pub address: Address,
    /// The name of its container.
    pub container: String,
    /// Its image as the operator named it.
    pub image: String,
    /// What it does now.
    pub state: State,
    /// How a backup keeps the clients away for it.
    pub mode: Mode,
}

/// What was found when a store was opened.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedStore {
    /// Which.
    #[serde(flatten)]
    pub known: KnownStore,
    /// It can be backed up.
    pub ok: bool,
    /// The server's version, in its own words; none if it could not be asked.
    pub version: Option<String>,
    /// Estimated bytes of live data; none if it could not be asked.
    pub bytes: Option<u64>,
    /// What is wrong with it, and what its operator should know.
    pub findings: Vec<Finding>,
}

/// The platform's stores.
#[derive(Clone, Debug, Serialize)]
pub struct Stores<T> {
    /// The platform.
    pub platform: Project,
    /// They, in order of their places.
    pub stores: Vec<T>,
}

impl Site {
    /// The stores of a platform.
    pub fn known_stores(&self, platform: &Platform) -> Vec<KnownStore> {
        let stores = platform.stores.iter();
        let known = stores.filter_map(|(address, store)| self.known(platform, address, &**store));
        known.collect()
    }

    fn known(&self, platform: &Platform, address: &Address, store: &dyn Store) -> Option<KnownStore> {
        let workload = platform
            .workloads
            .iter()
            .find(|workload| workload.address == *address)?;
        Some(KnownStore {
            store: store.name().clone(),
            kind: store.kind(),
            address: address.clone(),
            container: workload.container.clone(),
            image: workload.image.clone(),
            state: workload.state,
            mode: platform.mode(address).unwrap_or(self.standstill.mode),
        })
    }

    /// Opens these stores side by side; all if none is named.
    pub async fn check_stores(
        &self,
        run: &Run,
        platform: &Platform,
        wanted: &[StoreName],
    ) -> Result<Vec<CheckedStore>, Error> {
        let known = self.known_stores(platform);
        if let Some(unknown) = wanted.iter().find(|name| !known.iter().any(|one| one.store == **name)) {
            return Err(Error::NoStore {
                store: unknown.clone(),
                of: format!("platform {}", platform.name),
                there: known.into_iter().map(|one| one.store).collect(),
            });
        }
        let chosen = known
            .into_iter()
            .filter(|one| wanted.is_empty() || wanted.contains(&one.store));
        let checks = chosen.map(|known| self.check_store(run, platform, known));
        let checked = run.unless_cancelled(join_all(checks)).await?;
        run.check()?;
        Ok(checked)
    }

    async fn check_store(&self, run: &Run, platform: &Platform, known: KnownStore) -> CheckedStore {
        let store = platform.stores.get(&known.address);
        let Some(store) = store.filter(|_| known.state == State::Running) else {
            let down = PreflightError::StoreDown {
                store: known.store.clone(),
                state: known.state.to_string(),
            };
            return unfit(known, &down);
        };
        let cx = self.cx(run);
        let what = format!("looking whether {} can be backed up", known.store);
        match asked(&cx, what, move |cx| async move { store.preflight(&cx).await }).await {
            Ok(look) => CheckedStore {
                known,
                ok: true,
                version: Some(look.version),
                bytes: Some(look.bytes),
                findings: look.warnings.iter().map(Finding::warns).collect(),
            },
            Err(error) => unfit(known, &PreflightError::Store(error)),
        }
    }
}

fn unfit(known: KnownStore, why: &PreflightError) -> CheckedStore {
    CheckedStore {
        known,
        ok: false,
        version: None,
        bytes: None,
        findings: vec![Finding::from(why)],
    }
}

/// What refuses these stores.
pub fn refusals(checked: &[CheckedStore]) -> impl Iterator<Item = &Finding> {
    let findings = checked.iter().flat_map(|one| &one.findings);
    findings.filter(|finding| finding.severity == Severity::Refuses)
}
