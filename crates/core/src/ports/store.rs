//! A store: something stateful whose data is backed up. The engine decides when; a store only knows
//! how. It is handed a [`Cx`] with which nothing can be stopped or started.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Clock, EngineError, MayBeCancelled, Overdue, Reach, RepositoryError, Shell, Spool, SpoolError};
use crate::backups::{Artifacts, Damage};
use crate::events::Reporter;
use crate::logins::Login;
use crate::manifest::{Artifact, Inventory, Mode, StoreRecord, Took, Watermark, Watermarks};
use crate::names::{ArtifactName, StoreKind, StoreName, WorkloadId};
use crate::sink::Sink;
use crate::workload::Workload;

/// A line of the registry: how to tell this kind of store, and how to make one.
pub trait Kind: Send + Sync {
    /// The kind's name: `postgres`.
    fn kind(&self) -> StoreKind;

    /// Whether a workload is a store of this kind, from its image, environment and labels alone.
    fn recognises(&self, workload: &Workload) -> bool;

    /// How a backup keeps clients away for this store, if its own settings say so.
    fn mode(&self, _name: &StoreName, _workload: &Workload) -> Result<Option<Mode>, StoreError> {
        Ok(None)
    }

    /// The store that the workload is.
    fn store(&self, name: StoreName, workload: &Workload) -> Result<Arc<dyn Store>, StoreError>;
}

/// What a store's call may use, and for how long.
#[derive(Clone)]
pub struct Cx {
    /// Runs tools in the store's container.
    pub shell: Arc<dyn Shell>,
    /// Speaks the store's protocol.
    pub reach: Arc<dyn Reach>,
    /// Holds bytes on their way.
    pub spool: Arc<dyn Spool>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Takes events.
    pub report: Reporter,
    /// Ends the call: what was started outside is ended within 10 s, then [`StoreError::Cancelled`].
    pub cancel: CancellationToken,
    /// How long a stream may stand still before it counts as stuck.
    pub idle_limit: Duration,
    /// How many processors there are for what a store does at once.
    pub processors: usize,
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
    /// What the operator should know but need not act on.
    pub warnings: Vec<String>,
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

/// What a restore does about the passwords of those who log in and exist already. Who does not exist comes
/// with the backup's; the one whom we log in as always keeps his.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passwords {
    /// They keep the present ones.
    #[default]
    Keep,
    /// They get the backup's. Until the old data is freed, the present ones can be had back as it can.
    Backup,
}

impl Passwords {
    /// Whether it is what is done unless told otherwise.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Passwords {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Keep => "keep",
            Self::Backup => "backup",
        })
    }
}

/// What a store's data is replaced by, and how.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What the backup holds of the store.
    pub record: &'a StoreRecord,
    /// Its bytes.
    pub artifacts: &'a Artifacts,
    /// What becomes of passwords.
    pub passwords: Passwords,
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

    /// Waits until the server answers in its own protocol; called after a start.
    async fn ready(&self, cx: &Cx) -> Result<(), StoreError>;

    /// Looks, while the platform runs, whether a backup can succeed: reachable, credentials
    /// accepted, tools there. Writes nothing.
    async fn preflight(&self, cx: &Cx) -> Result<Preflight, StoreError>;

    /// Marks what clients have written so far. Taken when every client is down, before the first pin.
    async fn watermark(&self, cx: &Cx) -> Result<Watermark, StoreError>;

    /// What clients have written since, as seen after the last pin (under hold, once more after the last byte was read).
    /// Vacuum, expiry, saves, checkpoints and our own work are no client writes; where a mark has moved for such a
    /// reason, the store finds out.
    async fn writes_since(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError>;

    /// Who is connected now, apart from us, in words. For the message when something was written.
    async fn visitors(&self, cx: &Cx) -> Result<Vec<String>, StoreError>;

    /// The state in which [`Store::pin`] wants the store. Any other than running is brought about for this store alone,
    /// after all others were pinned, and undone right after its pin.
    fn pin_footing(&self) -> Footing {
        Footing::Running
    }

    /// Fixes the store's point in time, while every client is down; what clients write afterwards is not in it, whatever
    /// they do. Should take seconds: the clients wait for it. On an error nothing is left behind.
    async fn pin(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError>;

    /// Looks, while the platform runs, whether this record can be restored here. Writes nothing.
    async fn examine(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError>;

    /// Reads the record's artifacts with the store's own tools to their ends, whatever their hashes say,
    /// and returns what is wrong with them. Writes nothing.
    async fn structure(&self, cx: &Cx, record: &StoreRecord, artifacts: &Artifacts) -> Result<Vec<Damage>, StoreError>;

    /// What an object of a backup is, by its name alone: what [`Artifact::content`] and
    /// [`Artifact::of`] say of it. None: none of this store's artifacts.
    ///
    /// [`Artifact::content`]: crate::manifest::Artifact::content
    /// [`Artifact::of`]: crate::manifest::Artifact::of
    fn recognise(&self, name: &ArtifactName) -> Option<(String, Option<String>)>;

    /// The stages of a restore: for each, in this order, the engine brings the store into the state and
    /// calls [`Store::restore`]. Asked once, after [`Store::examine`], which is left out where an earlier
    /// restore stands unfinished.
    fn restore_stages(&self) -> Vec<Footing>;

    /// One stage, by its index, of replacing the store's data by the source's. Stages that failed
    /// before can be repeated from the first: what they left is replaced. [`Store::way_back`] says where the
    /// old data is meanwhile.
    async fn restore(&self, cx: &Cx, stage: usize, source: Source<'_>) -> Result<(), StoreError>;

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
    async fn admits(&self, cx: &Cx, login: &Login) -> Result<(), StoreError>;

    /// How the data is had back that [`Store::restore`] replaces.
    fn way_back(&self) -> WayBack<'_>;
}

/// How a store's old data is had back after a restore.
#[derive(Clone, Copy)]
pub enum WayBack<'a> {
    /// The store holds it beside the new.
    Aside(&'a dyn Aside),
    /// The store cannot hold both: the engine copies it into the repository before it is replaced.
    Copy(&'a dyn Copied),
}

/// Something that a restore has replaced and that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    /// What, in words.
    pub what: String,
    /// What the restore had put in its place is gone since: freed, there would be neither.
    pub is_sole: bool,
}

/// A store that holds the data which a restore replaces beside the new, until it is told what becomes of it.
/// The oldest counts: a restore that is repeated replaces only what the one before it has loaded.
#[async_trait]
pub trait Aside: Send + Sync {
    /// What is held; none if it is nothing. Asked of a store that runs.
    async fn held(&self, cx: &Cx) -> Result<Vec<Old>, StoreError>;

    /// The stages of putting it back, as [`Store::restore_stages`].
    fn put_back_stages(&self) -> Vec<Footing>;

    /// One stage of putting back what is held in the place of what was loaded. What was not replaced yet
    /// stays as it is, and after a failure or a death the stages can be repeated from the first.
    async fn put_back(&self, cx: &Cx, stage: usize) -> Result<(), StoreError>;

    /// Frees what is held, and returns what it must not free: [`Old::is_sole`]. Called when every store was
    /// restored and compared, and runs; may be repeated.
    async fn discard(&self, cx: &Cx) -> Result<Vec<Old>, StoreError>;
}

/// A store whose old data is copied before it is replaced.
#[async_trait]
pub trait Copied: Send + Sync {
    /// Removes what the record does not hold, after its artifacts were loaded: what a restore has brought.
    async fn keep_only(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError>;
}

/// What was drained of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// The server's version, in its own words.
    pub version: String,
    /// When its point in time was fixed.
    pub pinned: Timestamp,
    /// Its artifacts, in the order in which the manifest is to list them.
    pub artifacts: Vec<Artifact>,
    /// What was in it at that point in time.
    pub inventory: Inventory,
    /// What a restore needs to know; the store's page in the docs lists the names.
    pub facts: BTreeMap<String, String>,
}

impl Drained {
    /// What the manifest says of the store.
    pub fn record(self, store: &dyn Store, took: Option<Took>, watermarks: Option<Watermarks>) -> StoreRecord {
        StoreRecord {
            name: store.name().clone(),
            kind: store.kind(),
            version: self.version,
            pinned: self.pinned,
            artifacts: self.artifacts,
            inventory: self.inventory,
            took,
            watermarks,
            facts: self.facts,
        }
    }
}

/// A store whose point in time is fixed.
#[async_trait]
pub trait Pinned: Send {
    /// Whether clients must stay down until it is drained.
    fn needs_standstill(&self) -> bool;

    /// Every store is pinned, and nobody has written meanwhile: what kept writers out only until now may let them in.
    /// Called at most once, before the clients start; never where the clients wait until it is drained.
    async fn marks_compared(&mut self) {}

    /// Streams the pinned state into the sink, while clients run, unless [`Pinned::needs_standstill`]. Nothing is
    /// recorded of a drain that failed.
    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError>;

    /// Lets go of the point in time and of all that holds it. Called on every way out, also after a
    /// failed drain; may be repeated.
    async fn release(&mut self);
}

/// Why a store's call failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The server refused who we are.
    #[error("{store} refused user `{user}`: {cause}")]
    Credential {
        /// The store.
        store: StoreName,
        /// The user we tried.
        user: String,
        /// The server's own words.
        cause: String,
        /// Where the credential came from, and how to give another.
        remedy: String,
    },
    /// The server does not answer in time.
    #[error("{store} does not answer: {cause}")]
    Silent {
        /// The store.
        store: StoreName,
        /// What was tried last.
        cause: String,
    },
    /// The server answered with an error.
    #[error("{doing}: {cause}")]
    Server {
        /// What was asked of it.
        doing: String,
        /// The server's own words.
        cause: String,
    },
    /// A tool in the container failed.
    #[error("{doing}: {tool} ended with exit code {code}: {errors}")]
    Tool {
        /// What it was to do.
        doing: String,
        /// The program.
        tool: String,
        /// Its exit code.
        code: i64,
        /// The end of its error output.
        errors: String,
    },
    /// The backup cannot be restored into this server.
    #[error("{0}")]
    Unfit(String),
    /// An artifact did not arrive as the manifest says.
    #[error("{0}")]
    Damaged(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Nothing moved for too long.
    #[error(transparent)]
    Overdue(#[from] Overdue),
    /// The spool failed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The repository failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl MayBeCancelled for StoreError {
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}
