//! What the engine asks of a store, in the order in which it asks.

use async_trait::async_trait;

use super::{AsEver, AtRest, Cx, Pinned, Quiet, Staged, StoreError, Upkeep, WayBack};
use crate::backups::{Artifacts, Damage};
use crate::logins::{Login, Passwords};
use crate::manifest::{Inventory, StoreRecord, Watermark};
use crate::names::{ArtifactName, RunId, StoreKind, StoreName, WorkloadId};
use crate::ports::gateway::Verified;
use crate::sink::Sink;

/// What a store's data is replaced by, and how.
#[derive(Clone)]
pub struct Source {
    /// What the backup holds of the store.
    pub record: StoreRecord,
    /// Its bytes.
    pub artifacts: Artifacts,
    /// What the store has written by itself, as it was read and found whole before: no other contents of it are served.
    pub objects: Vec<Verified>,
    /// What becomes of passwords.
    pub passwords: Passwords,
    /// Parts that may be missing afterwards: what of them can be loaded is, and the rest is a [`Gap`].
    pub accepted: Vec<String>,
}

/// What a store tells about itself before anything is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// The server's version, in its own words.
    pub version: String,
    /// Estimated bytes of live data.
    pub bytes: u64,
    /// Bytes that it spools at once, at most.
    pub spool: u64,
    /// What it puts into a volume of its own meanwhile. Whether there is room the store has seen.
    pub in_volume: Option<InVolume>,
    /// What the operator should know but need not act on.
    pub warnings: Vec<String>,
}

/// Bytes that a store puts into a volume of its own for as long as it is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InVolume {
    /// The folder, as its container sees it.
    pub place: String,
    /// How many at most.
    pub bytes: u64,
}

/// In which state a store is worked on. The engine brings it there, with every client down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// It runs and answers.
    Running,
    /// Paused: its memory stays, it executes nothing and answers nobody.
    Frozen,
    /// Stopped: its files are at rest.
    Stopped,
}

/// What was written into a store since its watermark was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The watermark now.
    pub after: Watermark,
    /// The client writes that were seen, in words; none if nothing was written.
    pub moved: Vec<String>,
}

/// One store of the platform.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its kind.
    fn kind(&self) -> StoreKind;

    /// Its name.
    fn name(&self) -> &StoreName;

    /// The container that serves it.
    fn workload(&self) -> &WorkloadId;

    /// The workloads in which it keeps part of its data, as far as they are its platform's: they are never stopped, and run whenever
    /// the store is worked on.
    fn needs(&self) -> Vec<WorkloadId> {
        Vec::new()
    }

    /// Whether a kill does no harm to it: what it has acknowledged it has on its disks, and a stop would do no more.
    fn outlives_kill(&self) -> bool {
        false
    }

    /// Waits until the server answers in its own protocol; called after a start.
    async fn ready(&self, cx: &Cx) -> Result<(), StoreError>;

    /// Looks, while the platform runs, whether a backup can succeed: reachable, credentials
    /// accepted, tools there. Writes nothing.
    async fn preflight(&self, cx: &Cx) -> Result<Preflight, StoreError>;

    /// What of its clients' work is in progress and would be cut by a stop, each a phrase; of what the store knows of that.
    /// Asked while the platform runs. Writes nothing.
    async fn busy(&self, _cx: &Cx) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Keeps the server from doing by itself (scheduled jobs) what would count as a client's write, and awaits what of it is at
    /// work. Called when every client is down, before the store is marked.
    async fn quieten(&self, _cx: &Cx) -> Result<Box<dyn Quiet>, StoreError> {
        Ok(Box::new(AsEver))
    }

    /// Marks what clients have written so far. Taken when every client is down, before the first pin.
    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError>;

    /// What clients have written since, as seen after the last pin (under hold, once more after the last byte was read).
    /// Vacuum, expiry, saves, checkpoints and our own work are no client writes; where a mark has moved for such a
    /// reason, the store finds out.
    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError>;

    /// Who is connected now, apart from us, in words. For the message when something was written.
    async fn connected_clients(&self, cx: &Cx) -> Result<Vec<String>, StoreError>;

    /// The state in which [`Store::pin`] wants the store. Any other than running is brought about for this store alone,
    /// after all others were pinned, and undone right after its pin.
    fn pin_footing(&self) -> Footing {
        Footing::Running
    }

    /// Fixes the store's point in time, while every client is down; what clients write afterwards is not in it, whatever
    /// they do. Should take seconds: the clients wait for it. On an error nothing is left behind.
    ///
    /// `sink` is for a store that begins to write by itself now ([`Sink::delegate`]); all others wait for their drain.
    async fn pin(&self, cx: &Cx, sink: &Sink) -> Result<Box<dyn Pinned>, StoreError>;

    /// What of its data a stop would leave. Asked while it runs; writes nothing.
    async fn at_rest(&self, cx: &Cx) -> Result<AtRest, StoreError>;

    /// Looks, while the platform runs, whether the source can be restored here, and returns the work that replaces
    /// the store's data by it. Writes nothing. [`Store::way_back`] says where the old data is meanwhile.
    async fn examine(&self, cx: &Cx, source: Source) -> Result<Box<dyn Staged>, StoreError>;

    /// The same work for a store that cannot be asked first: an earlier restore stands unfinished and left it
    /// stopped. What [`Store::examine`] would have found out, the first stage has to.
    fn unexamined(&self, source: Source) -> Box<dyn Staged>;

    /// Reads the record's artifacts with the store's own tools to their ends, whatever their hashes say,
    /// and returns what is wrong with them. Writes nothing.
    async fn check_artifacts(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError>;

    /// What an object of a backup is, by its name alone: what [`Artifact::content`] and
    /// [`Artifact::of`] say of it. None: none of this store's artifacts.
    ///
    /// [`Artifact::content`]: crate::manifest::Artifact::content
    /// [`Artifact::of`]: crate::manifest::Artifact::of
    fn recognise(&self, name: &ArtifactName) -> Option<(String, Option<String>)>;

    /// The parts of a record that can be restored, or be missing, each for itself: a server's databases. Most kinds
    /// have none.
    fn parts(&self, _record: &StoreRecord) -> Vec<String> {
        Vec::new()
    }

    /// The record without its parts, but for these.
    fn only(&self, record: &StoreRecord, _parts: &[String]) -> StoreRecord {
        record.clone()
    }

    /// What a restore does about the passwords of those who log in, in words; none: the store holds none.
    fn passwords(&self, _passwords: Passwords) -> Option<String> {
        None
    }

    /// Counts what is in the store now, in the units of the record's inventory.
    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError>;

    /// Tries a login that a client holds, in the store's own protocol, from here, and does nothing else: it starts
    /// no process, and no session is left, also if it is dropped. [`StoreError::Credential`] says that the server lets
    /// in nobody who comes with it, and how to mend that; after any other error it could not be tried: the server is
    /// silent, lets nobody in from here, or wants more than a name and a password. May be called while the platform
    /// runs.
    async fn try_login(&self, cx: &Cx, login: &Login) -> Result<(), StoreError>;

    /// Ends and removes what a dead run has left at work on this store. [`Shell::reap`] knows its processes in the
    /// container and the siblings beside it; a store that makes more (a lock in its server, a container of another
    /// image) removes that too. The container may be down, or a new one. May be repeated; a success where there is
    /// nothing.
    ///
    /// [`Shell::reap`]: crate::ports::Shell::reap
    async fn reap(&self, cx: &Cx, owner: &RunId) -> Result<(), StoreError> {
        Ok(cx.shell.reap(self.workload(), owner).await?)
    }

    /// Lets go on what the server does by itself (scheduled jobs), where a load has held that off. Called when what was
    /// loaded was compared, when old data was put back, and when a platform is started whose restore has not ended; the
    /// server runs. May be repeated. Returns what rests until the server starts anew, in words that follow "until": a
    /// restore starts it anew before its clients, a recovery tells. None if all of it goes on.
    async fn resume_jobs(&self, _cx: &Cx) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The upkeep of a program's databases that it may hold; most kinds hold none.
    fn upkeep(&self) -> Option<&dyn Upkeep> {
        None
    }

    /// How the data is had back that a restore replaces.
    fn way_back(&self) -> WayBack<'_>;
}
