//! Faults of the stores themselves.

use std::sync::Arc;

use async_trait::async_trait;
use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::logins::{Login, Passwords};
use stillpoint_core::maintenance::{CleanedDatabase, CleanupWish, DatabaseStatus, Found, RepackedDatabase, Rules};
use stillpoint_core::manifest::{Inventory, Mode, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, RunId, StoreKind, StoreName, WorkloadId};
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{
    Aside, AtRest, Copied, Cx, Drained, Footing, Gap, Kind, Neighbours, Old, Pinned, Preflight, Quiet, Recognition,
    Source, Staged, Store, StoreError, Upkeep, WayBack, Written,
};
use stillpoint_core::workload::Workload;

use super::Faults;
use crate::calls::Method;

struct FaultyKind {
    faults: Faults,
    port: Arc<dyn Kind>,
}

struct FaultyStore {
    faults: Faults,
    port: Arc<dyn Store>,
}

struct FaultyPin {
    faults: Faults,
    store: StoreName,
    port: Box<dyn Pinned>,
}

struct FaultyQuiet {
    faults: Faults,
    store: StoreName,
    port: Box<dyn Quiet>,
}

#[async_trait]
impl Quiet for FaultyQuiet {
    async fn end(&mut self) {
        let act = self.port.end();
        self.faults.pass_silently(Method::QuietEnd, &self.store, act).await;
    }
}

struct FaultyWork {
    faults: Faults,
    store: StoreName,
    method: Method,
    /// None: what cannot be done by this store.
    port: Option<Box<dyn Staged>>,
}

impl Faults {
    /// Decorates a kind, its stores, their pins and their work.
    pub fn kind(&self, port: Arc<dyn Kind>) -> Arc<dyn Kind> {
        Arc::new(FaultyKind {
            faults: self.clone(),
            port,
        })
    }
}

impl Kind for FaultyKind {
    fn kind(&self) -> StoreKind {
        self.port.kind()
    }

    fn recognises(&self, workload: &Workload) -> Recognition {
        self.port.recognises(workload)
    }

    fn name(&self, workload: &Workload) -> Result<Option<StoreName>, StoreError> {
        self.port.name(workload)
    }

    fn mode(&self, name: &StoreName, workload: &Workload) -> Result<Option<Mode>, StoreError> {
        self.port.mode(name, workload)
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let subject = name.to_string();
        let act = || self.port.store(name, workload, neighbours);
        Ok(Arc::new(FaultyStore {
            faults: self.faults.clone(),
            port: self.faults.pass_now(Method::KindStore, subject, act)?,
        }))
    }
}

impl FaultyStore {
    async fn pass<T>(
        &self,
        method: Method,
        cx: &Cx,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let cancel = Some((&cx.cancel, StoreError::Cancelled));
        self.faults.pass_cancellable(method, self.name(), cancel, act).await
    }

    fn work(&self, method: Method, port: Option<Box<dyn Staged>>) -> Box<dyn Staged> {
        Box::new(FaultyWork {
            faults: self.faults.clone(),
            store: self.name().clone(),
            method,
            port,
        })
    }
}

#[async_trait]
impl Store for FaultyStore {
    fn kind(&self) -> StoreKind {
        self.port.kind()
    }

    fn name(&self) -> &StoreName {
        self.port.name()
    }

    fn workload(&self) -> &WorkloadId {
        self.port.workload()
    }

    fn needs(&self) -> Vec<WorkloadId> {
        self.port.needs()
    }

    fn upkeep(&self) -> Option<&dyn Upkeep> {
        self.port.upkeep().map(|_| self as &dyn Upkeep)
    }

    fn outlives_kill(&self) -> bool {
        self.port.outlives_kill()
    }

    async fn ready(&self, cx: &Cx) -> Result<(), StoreError> {
        self.pass(Method::StoreReady, cx, self.port.ready(cx)).await
    }

    async fn preflight(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        self.pass(Method::StorePreflight, cx, self.port.preflight(cx)).await
    }

    async fn busy(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        self.pass(Method::StoreBusy, cx, self.port.busy(cx)).await
    }

    async fn quieten(&self, cx: &Cx) -> Result<Box<dyn Quiet>, StoreError> {
        let port = self.pass(Method::StoreQuieten, cx, self.port.quieten(cx)).await?;
        Ok(Box::new(FaultyQuiet {
            faults: self.faults.clone(),
            store: self.name().clone(),
            port,
        }))
    }

    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        self.pass(Method::StoreWatermark, cx, self.port.watermark(cx)).await
    }

    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        let act = self.port.writes_since(cx, before);
        self.pass(Method::StoreWritesSince, cx, act).await
    }

    async fn connected_clients(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        self.pass(Method::StoreConnectedClients, cx, self.port.connected_clients(cx))
            .await
    }

    fn pin_footing(&self) -> Footing {
        self.port.pin_footing()
    }

    async fn pin(&self, cx: &Cx, sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        let port = self.pass(Method::StorePin, cx, self.port.pin(cx, sink)).await?;
        Ok(Box::new(FaultyPin {
            faults: self.faults.clone(),
            store: self.name().clone(),
            port,
        }))
    }

    async fn at_rest(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        self.pass(Method::StoreAtRest, cx, self.port.at_rest(cx)).await
    }

    async fn examine(&self, cx: &Cx, source: Source) -> Result<Box<dyn Staged>, StoreError> {
        let act = self.port.examine(cx, source);
        let port = self.pass(Method::StoreExamine, cx, act).await?;
        Ok(self.work(Method::StoreRestore, Some(port)))
    }

    fn unexamined(&self, source: Source) -> Box<dyn Staged> {
        self.work(Method::StoreRestore, Some(self.port.unexamined(source)))
    }

    async fn check_artifacts(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        let act = self.port.check_artifacts(cx, record, artifacts);
        self.pass(Method::StoreCheckArtifacts, cx, act).await
    }

    fn recognise(&self, name: &ArtifactName) -> Option<(String, Option<String>)> {
        self.port.recognise(name)
    }

    fn passwords(&self, passwords: Passwords) -> Option<String> {
        self.port.passwords(passwords)
    }

    fn parts(&self, record: &StoreRecord) -> Vec<String> {
        self.port.parts(record)
    }

    fn only(&self, record: &StoreRecord, parts: &[String]) -> StoreRecord {
        self.port.only(record, parts)
    }

    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        self.pass(Method::StoreInventory, cx, self.port.inventory(cx, record))
            .await
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.pass(Method::StoreTryLogin, cx, self.port.try_login(cx, login))
            .await
    }

    async fn resume_jobs(&self, cx: &Cx) -> Result<Option<String>, StoreError> {
        self.pass(Method::StoreResumeJobs, cx, self.port.resume_jobs(cx)).await
    }

    async fn reap(&self, cx: &Cx, owner: &RunId) -> Result<(), StoreError> {
        self.pass(Method::StoreReap, cx, self.port.reap(cx, owner)).await
    }

    fn way_back(&self) -> WayBack<'_> {
        match self.port.way_back() {
            WayBack::Aside(_) => WayBack::Aside(self),
            WayBack::Copy(_) => WayBack::Copy(self),
        }
    }
}

impl FaultyStore {
    fn aside(&self) -> Result<&dyn Aside, StoreError> {
        match self.port.way_back() {
            WayBack::Aside(aside) => Ok(aside),
            WayBack::Copy(_) => Err(StoreError::Unfit("it sets nothing aside".into())),
        }
    }
}

#[async_trait]
impl Aside for FaultyStore {
    async fn held(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        self.pass(Method::AsideHeld, cx, self.aside()?.held(cx)).await
    }

    fn put_back(&self) -> Box<dyn Staged> {
        self.work(Method::AsidePutBack, self.aside().ok().map(Aside::put_back))
    }

    async fn discard(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        self.pass(Method::AsideDiscard, cx, self.aside()?.discard(cx)).await
    }
}

impl FaultyStore {
    fn port_upkeep(&self) -> Result<&dyn Upkeep, StoreError> {
        let upkeep = self.port.upkeep();
        upkeep.ok_or_else(|| StoreError::Unfit("it has no databases to keep lean".into()))
    }
}

#[async_trait]
impl Upkeep for FaultyStore {
    async fn databases(&self, cx: &Cx) -> Result<Found, StoreError> {
        let act = self.port_upkeep()?.databases(cx);
        self.pass(Method::UpkeepDatabases, cx, act).await
    }

    async fn count(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<CleanedDatabase, StoreError> {
        let act = self.port_upkeep()?.count(cx, database, rules);
        self.pass(Method::UpkeepCount, cx, act).await
    }

    async fn clean(
        &self,
        cx: &Cx,
        database: &str,
        rules: &Rules,
        wish: CleanupWish,
    ) -> Result<CleanedDatabase, StoreError> {
        let act = self.port_upkeep()?.clean(cx, database, rules, wish);
        self.pass(Method::UpkeepClean, cx, act).await
    }

    async fn repack(&self, cx: &Cx, database: &str, dry_run: bool) -> Result<RepackedDatabase, StoreError> {
        let act = self.port_upkeep()?.repack(cx, database, dry_run);
        self.pass(Method::UpkeepRepack, cx, act).await
    }

    async fn status(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<DatabaseStatus, StoreError> {
        let act = self.port_upkeep()?.status(cx, database, rules);
        self.pass(Method::UpkeepStatus, cx, act).await
    }
}

#[async_trait]
impl Copied for FaultyStore {
    async fn keep_only(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError> {
        let WayBack::Copy(copied) = self.port.way_back() else {
            return Err(StoreError::Unfit("it sets its old data aside".into()));
        };
        self.pass(Method::CopiedKeepOnly, cx, copied.keep_only(cx, record))
            .await
    }
}

#[async_trait]
impl Staged for FaultyWork {
    fn footings(&self) -> Vec<Footing> {
        self.port.as_ref().map_or_else(Vec::new, |port| port.footings())
    }

    async fn carry_out(&mut self, cx: &Cx, stage: usize) -> Result<(), StoreError> {
        let Some(port) = &mut self.port else { return Ok(()) };
        let cancel = Some((&cx.cancel, StoreError::Cancelled));
        let act = port.carry_out(cx, stage);
        self.faults
            .pass_cancellable(self.method, &self.store, cancel, act)
            .await
    }

    fn gaps(&self) -> Vec<Gap> {
        self.port.as_ref().map_or_else(Vec::new, |port| port.gaps())
    }
}

#[async_trait]
impl Pinned for FaultyPin {
    fn needs_standstill(&self) -> bool {
        self.port.needs_standstill()
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let cancel = Some((&cx.cancel, StoreError::Cancelled));
        let act = self.port.drain(cx, sink);
        self.faults
            .pass_cancellable(Method::PinnedDrain, &self.store, cancel, act)
            .await
    }

    async fn release(&mut self) {
        let act = self.port.release();
        self.faults.pass_silently(Method::PinnedRelease, &self.store, act).await;
    }
}
