//! A kind of store whose data is a table of counts in the simulated world. It works as a real one
//! does: through `Shell` and `Reach` alone, streaming, and ending what it started when cancelled.

mod pin;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use stillpoint_core::backups::{ArtifactError, Artifacts, Damage};
use stillpoint_core::logins::{Login, Passwords};
use stillpoint_core::manifest::{Artifact, Inventory, Mode, StoreRecord, Watermark};
use stillpoint_core::names::{ArtifactName, RunId, StoreKind, StoreName, WorkloadId, unescape};
use stillpoint_core::ports::{Clock, Command, Control, EngineError, Process};
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{
    Aside, AtRest, Copied, Cx, Footing, Greeting, Kind, Neighbours, Old, Pinned, Preflight, Recognition, Source,
    Staged, Store, StoreError, Upkeep, WayBack, Written,
};
use stillpoint_core::workload::{CommandLine, State, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::container::{COLD_IMAGE, Data, FROZEN_IMAGE, PIECEMEAL_IMAGE, STORE_IMAGE, VAULT, WRITING_IMAGE};
use super::tools::{Rows, from_text};
use super::world::World;
pub use upkeep::{Index, Kept};

use pin::FakePin;

const PORT: u16 = 1;

/// A server of this kind tells what it holds.
const GREETING: Greeting = Greeting {
    port: PORT,
    say: b"",
    answers: &[b"rows "],
    program: "fakestore",
};

/// The fact of a record of which some tables alone are to be loaded.
const ALONE: &str = "alone";

const VERSION: &str = "1.0";
/// What a cold store says that it needs for a while.
const SPOOLED: u64 = 1 << 10;
const KNOCK_EVERY: Duration = Duration::from_millis(200);
const KNOCKS: usize = 300;

#[derive(Clone)]
pub(super) struct FakeKind {
    pub(super) world: World,
}

fn kind() -> StoreKind {
    StoreKind::new("fake")
}

impl Kind for FakeKind {
    fn kind(&self) -> StoreKind {
        kind()
    }

    fn recognises(&self, workload: &Workload) -> Recognition {
        let processes = workload.contents.processes.iter().flatten();
        if [STORE_IMAGE, COLD_IMAGE, FROZEN_IMAGE, WRITING_IMAGE, PIECEMEAL_IMAGE].contains(&workload.image.as_str()) {
            Recognition::Store
        } else if processes
            .flat_map(CommandLine::programs)
            .any(|program| program == "fakestore")
        {
            Recognition::Ask(GREETING)
        } else {
            Recognition::No
        }
    }

    fn name(&self, workload: &Workload) -> Result<Option<StoreName>, StoreError> {
        Ok(workload.labels.get("stillpoint.name").map(StoreName::new))
    }

    fn mode(&self, _name: &StoreName, workload: &Workload) -> Result<Option<Mode>, StoreError> {
        let mode = workload.labels.get("stillpoint.mode").map(|mode| mode.parse());
        mode.transpose().map_err(StoreError::Unfit)
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let piecemeal = workload.image == PIECEMEAL_IMAGE;
        let needed = neighbours.called(VAULT).filter(|_| piecemeal);
        Ok(Arc::new(FakeStore {
            world: self.world.clone(),
            name,
            id: workload.id.clone(),
            cold: piecemeal || workload.image == COLD_IMAGE,
            frozen: workload.image == FROZEN_IMAGE,
            moves: match workload.image.as_str() {
                WRITING_IMAGE => Moves::ByItself,
                PIECEMEAL_IMAGE => Moves::ByObject,
                _ => Moves::AsDump,
            },
            needed: needed.map(|vault| vault.id.clone()),
        }))
    }
}

/// How its data is moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    AsDump,
    /// It writes and reads its backups by itself.
    ByItself,
    /// It is copied object by object.
    ByObject,
}

#[derive(Clone)]
struct FakeStore {
    world: World,
    name: StoreName,
    id: WorkloadId,
    /// Its data is replaced while it is stopped, and it cannot set the old aside.
    cold: bool,
    /// It is paused for its pin.
    frozen: bool,
    moves: Moves,
    /// The workload in which it keeps its data.
    needed: Option<WorkloadId>,
}

impl FakeStore {
    /// What the server tells when it is dialled.
    async fn ask(&self, cx: &Cx) -> Result<Inventory, StoreError> {
        if cx.cancel.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        let mut stream = cx.reach.dial(&self.id, PORT).await?;
        let mut told = Vec::new();
        let read = cx.cancel.run_until_cancelled(stream.read_to_end(&mut told)).await;
        read.ok_or(StoreError::Cancelled)?.map_err(|error| self.cut(&error))?;
        Ok(counted(from_text(&told)))
    }

    fn cut(&self, error: &std::io::Error) -> StoreError {
        EngineError::Cut {
            what: self.name.to_string(),
            cause: error.to_string(),
        }
        .into()
    }

    fn data<T>(&self, act: impl FnOnce(&mut Data) -> T) -> Result<T, StoreError> {
        let done = self
            .world
            .with(&self.id, |container, _| container.data.as_mut().map(act))?;
        done.ok_or_else(|| StoreError::Unfit("it holds no data".into()))
    }

    async fn feed(&self, cx: &Cx, process: &mut Process, read: Bytes) -> Result<(), StoreError> {
        if cx.cancel.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        match &mut process.input {
            Some(input) => input.write_all(&read).await.map_err(|error| self.cut(&error)),
            None => Ok(()),
        }
    }

    /// Sets the old rows aside, if it can, and runs the loads in a container that sees the store's files.
    async fn load_in(&self, cx: &Cx, place: &WorkloadId, source: &Source) -> Result<(), StoreError> {
        let Source { record, artifacts, .. } = source;
        let stays = self.data(|data| {
            data.passwords = source.passwords;
            let old = std::mem::take(&mut data.rows);
            let stays = if record.facts.contains_key(ALONE) {
                data.aside.clone().unwrap_or_else(|| old.clone())
            } else {
                Rows::new()
            };
            if !self.cold {
                data.aside.get_or_insert(old);
            }
            stays
        })?;
        for artifact in &record.artifacts {
            let mut process = cx.shell.exec(place, Command::new(["load"]).with_input()).await?;
            let fed = self.feed_all(cx, &mut process, artifacts, artifact);
            let fed = cx.cancel.run_until_cancelled(fed).await;
            if let Err(error) = fed.unwrap_or(Err(StoreError::Cancelled)) {
                process.control.kill().await?;
                return Err(error);
            }
        }
        self.data(|data| {
            let is_wanted =
                |table: &String| !record.facts.contains_key(ALONE) || record.inventory.0.contains_key(table);
            data.rows
                .retain(|table, _| is_wanted(table) && !data.unloadable.contains(table));
            for (table, rows) in stays {
                data.rows.entry(table).or_insert(rows);
            }
        })?;
        self.must_be_loaded(source)
    }

    fn must_be_loaded(&self, source: &Source) -> Result<(), StoreError> {
        let unloadable = self.data(|data| data.unloadable.clone())?;
        let failed = unloadable
            .into_iter()
            .filter(|table| source.record.inventory.0.contains_key(table) && !source.accepted.contains(table));
        let failed: Vec<_> = failed
            .map(|table| (table, StoreError::Unfit("it cannot be loaded".into())))
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(StoreError::Parts { part: "table", failed })
    }

    fn prefix(&self) -> String {
        format!("{}/backup", self.name)
    }

    /// Sets the old rows aside and lets the server read what it is served.
    async fn read_in(&self, cx: &Cx, source: &Source) -> Result<(), StoreError> {
        let Source {
            record,
            artifacts,
            objects,
            ..
        } = source;
        let prefix = self.prefix();
        let serving = artifacts
            .serve(&*cx.gateway, &self.id, &prefix, objects.clone())
            .await?;
        self.data(|data| {
            let old = std::mem::take(&mut data.rows);
            data.aside.get_or_insert(old);
        })?;
        let read = async {
            for table in record.inventory.0.keys() {
                let content = self.world.gateway.get(serving.access(), table).await?;
                let count = String::from_utf8_lossy(&content).parse();
                let count = count.map_err(|error| StoreError::Damaged(format!("{table}: {error}")))?;
                self.data(|data| data.rows.insert(table.clone(), count))?;
            }
            Ok(())
        };
        let read = cx.cancel.run_until_cancelled(read).await;
        serving.stop().await;
        read.unwrap_or(Err(StoreError::Cancelled))
    }

    /// Puts in place of its rows what it finds in its objects.
    async fn collect(&self, cx: &Cx, source: &Source) -> Result<(), StoreError> {
        self.data(|data| data.rows.clear())?;
        for object in &source.objects {
            let mut content = source.artifacts.read(object).await?;
            let mut whole = Vec::new();
            while let Some(piece) = content.try_next().await? {
                whole.extend_from_slice(&piece);
            }
            let table = object.recorded.name.rsplit('/').next().and_then(unescape);
            let count = String::from_utf8_lossy(&whole).parse().ok();
            let (Some(table), Some(count)) = (table, count) else {
                return Err(StoreError::Damaged(object.recorded.name.clone()));
            };
            self.data(|data| data.rows.insert(table, count))?;
            cx.clock.sleep(KNOCK_EVERY).await;
        }
        Ok(())
    }

    async fn feed_all(
        &self,
        cx: &Cx,
        process: &mut Process,
        artifacts: &Artifacts,
        artifact: &Artifact,
    ) -> Result<(), StoreError> {
        let mut reader = artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        while let Some(piece) = reader.next().await.map_err(damaged)? {
            self.feed(cx, process, piece).await?;
        }
        ended(&mut *process.control, "load").await
    }
}

fn counted(rows: Rows) -> Inventory {
    let mut inventory = Inventory::default();
    for (table, count) in rows {
        inventory.exact(table, count);
    }
    inventory
}

fn damaged(error: ArtifactError) -> StoreError {
    match error {
        ArtifactError::Repository(error) => error.into(),
        other => StoreError::Damaged(other.to_string()),
    }
}

async fn ended(control: &mut dyn Control, tool: &str) -> Result<(), StoreError> {
    let exit = control.finish().await?;
    if exit.code == 0 {
        return Ok(());
    }
    Err(StoreError::Tool {
        doing: tool.into(),
        tool: tool.into(),
        code: exit.code,
        errors: exit.errors,
    })
}

#[async_trait]
impl Store for FakeStore {
    fn kind(&self) -> StoreKind {
        kind()
    }

    fn name(&self) -> &StoreName {
        &self.name
    }

    fn workload(&self) -> &WorkloadId {
        &self.id
    }

    fn needs(&self) -> Vec<WorkloadId> {
        self.needed.iter().cloned().collect()
    }

    fn upkeep(&self) -> Option<&dyn Upkeep> {
        let has_dagster = self.data(|data| data.dagster.is_some());
        has_dagster.unwrap_or(false).then_some(self)
    }

    fn outlives_kill(&self) -> bool {
        self.moves == Moves::ByObject
    }

    async fn ready(&self, cx: &Cx) -> Result<(), StoreError> {
        for _ in 0..KNOCKS {
            match self.ask(cx).await {
                Err(StoreError::Engine(EngineError::Refused { .. })) => cx.clock.sleep(KNOCK_EVERY).await,
                answered => return answered.map(|_| ()),
            }
        }
        Err(StoreError::Silent {
            store: self.name.clone(),
            cause: "connection refused".into(),
        })
    }

    async fn preflight(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        let inventory = self.ask(cx).await?;
        if self.cold {
            cx.reach.forward(&self.id, PORT).await?;
        }
        if self.moves == Moves::ByItself {
            cx.gateway.probe(&self.id).await?.stop().await;
        }
        Ok(Preflight {
            version: VERSION.into(),
            bytes: inventory.0.len() as u64,
            spool: u64::from(self.cold) * SPOOLED,
            warnings: Vec::new(),
            in_volume: None,
        })
    }

    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        let inventory = self.ask(cx).await?;
        let marks = inventory.0.into_iter().map(|(table, count)| (table, count.count));
        Ok(Watermark(marks.collect()))
    }

    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        let after = self.watermark(cx).await?;
        let moved = before.differences(&after);
        let moved = moved
            .map(|(table, was, is)| format!("{table}: {was}, then {is}"))
            .collect();
        Ok(Written { after, moved })
    }

    async fn busy(&self, _cx: &Cx) -> Result<Vec<String>, StoreError> {
        let now = self.world.clock.now();
        let work = self.data(|data| data.work.clone())?;
        let at_work = work.filter(|(_, until)| *until > now);
        Ok(at_work.into_iter().map(|(work, _)| work).collect())
    }

    async fn connected_clients(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        self.ask(cx).await?;
        Ok(vec!["somebody".into()])
    }

    fn pin_footing(&self) -> Footing {
        if self.frozen { Footing::Frozen } else { Footing::Running }
    }

    async fn pin(&self, cx: &Cx, sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        // A store that is paused answers nobody.
        let inventory = if self.frozen {
            counted(self.data(|data| data.rows.clone())?)
        } else {
            self.ask(cx).await?
        };
        let state = self.world.with(&self.id, |container, now| container.look(now).state);
        if self.frozen && state? != State::Paused {
            self.world.violated(format!("{} is pinned while it runs", self.name));
        }
        let writing = if self.moves == Moves::ByItself {
            let prefix = self.prefix();
            Some(sink.delegate(&*cx.gateway, &self.name, &self.id, &prefix).await?)
        } else {
            None
        };
        self.data(|data| {
            data.pins += 1;
            data.holds += usize::from(self.cold);
            data.pinned = Some(data.rows.clone());
            data.locks.insert(cx.owner.to_string());
        })?;
        Ok(Box::new(FakePin {
            store: self.clone(),
            owner: cx.owner.to_string(),
            inventory,
            held: true,
            writing,
        }))
    }

    async fn at_rest(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        self.ask(cx).await?;
        let unsaved = self.data(|data| data.unsaved)?;
        Ok(AtRest {
            folders: vec!["/data".into()],
            unsaved: unsaved.then(|| "it has not saved".to_owned()).into_iter().collect(),
            unstartable: self.data(|data| data.unstartable.clone())?.into_iter().collect(),
        })
    }

    async fn examine(&self, cx: &Cx, source: Source) -> Result<Box<dyn Staged>, StoreError> {
        self.ask(cx).await?;
        // What was adopted does not tell what wrote it.
        let written_by = &source.record.version;
        if [VERSION, "unknown"].contains(&written_by.as_str()) {
            Ok(self.unexamined(source))
        } else {
            Err(StoreError::Unfit(format!("{VERSION} cannot load {written_by}")))
        }
    }

    fn unexamined(&self, source: Source) -> Box<dyn Staged> {
        let store = self.clone();
        Box::new(Load { store, source })
    }

    async fn check_artifacts(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        if self.moves != Moves::AsDump {
            return Ok(artifacts.read_all(record).await?.1);
        }
        let mut damage = Vec::new();
        for artifact in &record.artifacts {
            let mut process = cx.shell.exec(&self.id, Command::new(["check"]).with_input()).await?;
            let fed = self.feed_all(cx, &mut process, artifacts, artifact);
            match cx
                .cancel
                .run_until_cancelled(fed)
                .await
                .unwrap_or(Err(StoreError::Cancelled))
            {
                Ok(()) => {}
                Err(StoreError::Damaged(what)) => {
                    process.control.kill().await?;
                    damage.push(Damage::of(&self.name, &artifact.name, what));
                }
                Err(StoreError::Tool { errors, .. }) => damage.push(Damage::of(&self.name, &artifact.name, errors)),
                Err(error) => {
                    process.control.kill().await?;
                    return Err(error);
                }
            }
        }
        Ok(damage)
    }

    fn recognise(&self, name: &ArtifactName) -> Option<(String, Option<String>)> {
        let own = format!("{}/data.dump", self.name);
        (name.as_str() == own).then(|| ("data".to_owned(), None))
    }

    fn passwords(&self, passwords: Passwords) -> Option<String> {
        Some(passwords.to_string())
    }

    /// A cold store knows of no tables.
    fn parts(&self, record: &StoreRecord) -> Vec<String> {
        if self.cold {
            return Vec::new();
        }
        record.inventory.0.keys().cloned().collect()
    }

    fn only(&self, record: &StoreRecord, parts: &[String]) -> StoreRecord {
        let mut only = record.clone();
        if !self.cold {
            only.inventory.0.retain(|table, _| parts.contains(table));
            only.facts.insert(ALONE.into(), String::new());
        }
        only
    }

    async fn inventory(&self, cx: &Cx, _record: &StoreRecord) -> Result<Inventory, StoreError> {
        self.ask(cx).await
    }

    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError> {
        self.ask(cx).await?;
        let user = login.user.clone().unwrap_or_default();
        if self.data(|data| !data.locked_out.contains(&user))? {
            return Ok(());
        }
        Err(StoreError::Credential {
            store: self.name.clone(),
            cause: format!("no {user} here"),
            remedy: format!("let {user} in"),
            user,
        })
    }

    async fn reap(&self, cx: &Cx, owner: &RunId) -> Result<(), StoreError> {
        cx.shell.reap(&self.id, owner).await?;
        self.data(|data| data.locks.retain(|lock| lock != owner.as_str()))
    }

    async fn resume_jobs(&self, cx: &Cx) -> Result<Option<String>, StoreError> {
        self.ask(cx).await?;
        let held = self.data(|data| std::mem::take(&mut data.jobs_held))?;
        Ok(held.then(|| "its jobs rest".to_owned()))
    }

    fn way_back(&self) -> WayBack<'_> {
        if self.cold {
            WayBack::Copy(self)
        } else {
            WayBack::Aside(self)
        }
    }
}

#[async_trait]
impl Aside for FakeStore {
    async fn held(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        self.ask(cx).await?;
        self.data(|data| data.old().into_iter().collect())
    }

    fn put_back(&self) -> Box<dyn Staged> {
        Box::new(PutBack(self.clone()))
    }

    async fn discard(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        self.ask(cx).await?;
        self.data(|data| {
            let sole = data.old().filter(|old| old.is_sole);
            if sole.is_none() {
                data.aside = None;
            }
            sole.into_iter().collect()
        })
    }
}

#[async_trait]
impl Copied for FakeStore {
    async fn keep_only(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError> {
        self.ask(cx).await?;
        self.data(|data| data.rows.retain(|table, _| record.inventory.0.contains_key(table)))
    }
}

struct Load {
    store: FakeStore,
    source: Source,
}

#[async_trait]
impl Staged for Load {
    fn footings(&self) -> Vec<Footing> {
        if self.store.cold {
            vec![Footing::Stopped, Footing::Running]
        } else {
            vec![Footing::Running]
        }
    }

    async fn carry_out(&mut self, cx: &Cx, stage: usize) -> Result<(), StoreError> {
        let store = &self.store;
        match (store.cold, stage) {
            (true, 0) => {
                let sibling = cx.shell.sibling(&store.id, &cx.owner, "fake-restore").await?;
                let loaded = if store.moves == Moves::ByObject {
                    store.collect(cx, &self.source).await
                } else {
                    store.load_in(cx, &sibling, &self.source).await
                };
                let ended = cx.shell.end_sibling(&sibling).await;
                loaded.and(ended.map_err(Into::into))
            }
            (true, _) => store.ask(cx).await.map(drop),
            (false, _) => {
                store.ask(cx).await?;
                store.data(|data| data.jobs_held = true)?;
                if store.moves == Moves::ByItself {
                    return store.read_in(cx, &self.source).await;
                }
                store.load_in(cx, &store.id, &self.source).await
            }
        }
    }
}

struct PutBack(FakeStore);

#[async_trait]
impl Staged for PutBack {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Running]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        self.0.ask(cx).await?;
        self.0.data(|data| {
            if let Some(old) = data.aside.take() {
                data.rows = old;
                data.passwords = Passwords::Keep;
            }
        })
    }
}
