//! A store: something stateful whose data is backed up. The engine decides when; a store only knows
//! how. It is handed a [`Cx`] with which nothing can be stopped or started.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Clock, EngineError, Overdue, Reach, RepositoryError, Shell};
use crate::backups::{Artifacts, Damage};
use crate::events::Reporter;
use crate::manifest::{Inventory, StoreRecord};
use crate::names::{ArtifactName, StoreKind, StoreName, WorkloadId};
use crate::sink::Sink;
use crate::workload::Workload;

/// A line of the registry: how to tell this kind of store, and how to make one.
pub trait Kind: Send + Sync {
    /// The kind's name: `postgres`.
    fn kind(&self) -> StoreKind;

    /// Whether a workload is a store of this kind, from its image, environment and labels alone.
    fn recognises(&self, workload: &Workload) -> bool;

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
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Takes events.
    pub report: Reporter,
    /// Ends the call: what was started outside is ended within 10 s, then [`StoreError::Cancelled`].
    pub cancel: CancellationToken,
    /// How long a stream may stand still before it counts as stuck.
    pub idle_limit: Duration,
}

/// What a store tells about itself before anything is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// The server's version, in its own words.
    pub version: String,
    /// Estimated bytes of live data.
    pub bytes: u64,
    /// What the operator should know but need not act on.
    pub warnings: Vec<String>,
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

    /// Fixes the store's point in time. On an error nothing is left behind.
    async fn pin(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError>;

    /// Looks, while the platform runs, whether this record can be restored here. Writes nothing.
    async fn examine(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError>;

    /// Reads the record's artifacts with the store's own tools to their ends, whatever their hashes say,
    /// and returns what is wrong with them. Writes nothing.
    async fn structure(&self, cx: &Cx, record: &StoreRecord, artifacts: &Artifacts) -> Result<Vec<Damage>, StoreError>;

    /// What an artifact of this store's folder is, by its name alone: what [`Artifact::content`] and
    /// [`Artifact::of`] say of it. None: nothing that this kind of store knows.
    ///
    /// [`Artifact::content`]: crate::manifest::Artifact::content
    /// [`Artifact::of`]: crate::manifest::Artifact::of
    fn recognise(&self, name: &ArtifactName) -> Option<(String, Option<String>)>;

    /// Loads the record's artifacts. Old data is set aside, not destroyed, and a load that failed
    /// before can be repeated: what it left is replaced.
    async fn load(&self, cx: &Cx, record: &StoreRecord, artifacts: &Artifacts) -> Result<(), StoreError>;

    /// Counts what is in the store now, in the units of the record's inventory.
    async fn inventory(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError>;

    /// Frees the data that [`Store::load`] set aside. Called when every store was loaded and compared.
    async fn settle(&self, cx: &Cx) -> Result<(), StoreError>;
}

/// A store whose point in time is fixed.
#[async_trait]
pub trait Pinned: Send {
    /// Whether clients must stay down until it is drained.
    fn needs_standstill(&self) -> bool;

    /// Streams the pinned state into the sink. Nothing is recorded of a drain that failed.
    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<StoreRecord, StoreError>;

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
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The repository failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}
