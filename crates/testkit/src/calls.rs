//! The names of all port methods that can fail, and the log in which their calls stand in the order
//! in which they were made.

use std::fmt;

macro_rules! methods {
    ($($method:ident = $name:literal,)*) => {
        /// A method of a port.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`")] $method,)*
        }

        impl Method {
            /// Every method there is.
            pub const ALL: &[Self] = &[$(Self::$method,)*];

            /// Its name as a log shows it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)*
                }
            }
        }
    };
}

methods! {
    CatalogWorkloads = "catalog.workloads",
    CatalogInspect = "catalog.inspect",
    CatalogContents = "catalog.contents",
    CatalogNeighbours = "catalog.neighbours",
    CatalogMissing = "catalog.missing",
    CatalogEngine = "catalog.engine",
    CatalogLost = "catalog.lost",
    CatalogVolumeSizes = "catalog.volume_sizes",
    PowerStop = "power.stop",
    PowerStart = "power.start",
    PowerPause = "power.pause",
    PowerSetRestart = "power.set_restart",
    PowerClaim = "power.claim",
    PowerClaimed = "power.claimed",
    PowerHeld = "power.held",
    PowerRelease = "power.release",
    JournalPlan = "journal.plan",
    JournalAdvance = "journal.advance",
    JournalLoaded = "journal.loaded",
    JournalPlatforms = "journal.platforms",
    JournalOpenRuns = "journal.open_runs",
    JournalNoteMissing = "journal.note_missing",
    JournalMissing = "journal.missing",
    JournalForgetMissing = "journal.forget_missing",
    LocksTake = "locks.take",
    ShellExec = "shell.exec",
    ShellSibling = "shell.sibling",
    ShellEndSibling = "shell.end_sibling",
    ShellReap = "shell.reap",
    ProcessInput = "process.input",
    ProcessOutput = "process.output",
    ProcessFinish = "process.finish",
    ProcessKill = "process.kill",
    ReachDial = "reach.dial",
    ReachStream = "reach.stream",
    ReachForward = "reach.forward",
    GatewayProbe = "gateway.probe",
    GatewayReceive = "gateway.receive",
    GatewayFinish = "gateway.finish",
    GatewayServe = "gateway.serve",
    SpoolRoom = "spool.room",
    SpoolCreate = "spool.create",
    RepositoryCreate = "repository.create",
    RepositoryReplace = "repository.replace",
    RepositoryUpload = "repository.upload",
    RepositoryOpen = "repository.open",
    RepositoryDirectories = "repository.directories",
    RepositoryList = "repository.list",
    RepositoryClock = "repository.clock",
    RepositoryRoom = "repository.room",
    RepositoryKeeps = "repository.keeps",
    RepositorySweep = "repository.sweep",
    RepositoryDelete = "repository.delete",
    ObjectRead = "object.read",
    UploadWrite = "upload.write",
    UploadComplete = "upload.complete",
    UploadAbort = "upload.abort",
    KindStore = "kind.store",
    StoreReady = "store.ready",
    StorePreflight = "store.preflight",
    StoreAtRest = "store.at_rest",
    StoreBusy = "store.busy",
    StoreQuieten = "store.quieten",
    StoreWatermark = "store.watermark",
    StoreWritesSince = "store.writes_since",
    StoreConnectedClients = "store.connected_clients",
    StorePin = "store.pin",
    StoreExamine = "store.examine",
    StoreCheckArtifacts = "store.check_artifacts",
    StoreRestore = "store.restore",
    StoreInventory = "store.inventory",
    StoreTryLogin = "store.try_login",
    StoreResumeJobs = "store.resume_jobs",
    StoreReap = "store.reap",
    AsideHeld = "aside.held",
    AsidePutBack = "aside.put_back",
    AsideDiscard = "aside.discard",
    UpkeepDatabases = "upkeep.databases",
    UpkeepCount = "upkeep.count",
    UpkeepClean = "upkeep.clean",
    UpkeepRepack = "upkeep.repack",
    UpkeepStatus = "upkeep.status",
    CopiedKeepOnly = "copied.keep_only",
    QuietEnd = "quiet.end",
    PinnedDrain = "pinned.drain",
    PinnedRelease = "pinned.release",
}

impl Method {
    /// Whether it changes something on the far side of a wire: only there can an answer get lost
    /// after the deed. A store keeps its promise of "on an error nothing is left behind" itself.
    pub fn may_lose_its_answer(self) -> bool {
        matches!(
            self,
            Self::PowerStop
                | Self::PowerStart
                | Self::PowerPause
                | Self::PowerSetRestart
                | Self::PowerClaim
                | Self::PowerRelease
                | Self::ShellSibling
                | Self::ShellEndSibling
                | Self::RepositoryCreate
                | Self::RepositoryReplace
                | Self::RepositoryDelete
                | Self::UploadComplete
        )
    }

    /// Whether it changes what runs, or who holds the platform.
    pub fn changes_the_platform(self) -> bool {
        matches!(
            self,
            Self::PowerStop
                | Self::PowerStart
                | Self::PowerPause
                | Self::PowerSetRestart
                | Self::PowerClaim
                | Self::PowerRelease
        )
    }
}

/// One call of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Of what: the container, the object, the store.
    pub subject: String,
}

impl Call {
    /// Whether a run that is interrupted ends although this hangs: what a store does and what streams
    /// may take as long as it takes, so nothing but the cancellation ends it. Every other method
    /// promises a deadline of its own; there a hang is its adapter's broken promise.
    pub fn ends_when_cancelled(&self) -> bool {
        // A document lies directly in its directory, an artifact below its store's name.
        let in_an_artifact = self.subject.matches('/').count() > 1;
        matches!(
            self.method,
            Method::StoreReady
                | Method::StorePreflight
                | Method::StoreAtRest
                | Method::StoreQuieten
                | Method::StoreWatermark
                | Method::StoreWritesSince
                | Method::StoreConnectedClients
                | Method::StorePin
                | Method::StoreExamine
                | Method::StoreCheckArtifacts
                | Method::StoreRestore
                | Method::StoreInventory
                | Method::StoreTryLogin
                | Method::StoreResumeJobs
                | Method::StoreReap
                | Method::AsideHeld
                | Method::AsidePutBack
                | Method::AsideDiscard
                | Method::CopiedKeepOnly
                | Method::PinnedDrain
                | Method::ProcessInput
                | Method::ProcessOutput
                | Method::ReachStream
        ) || self.method == Method::ObjectRead && in_an_artifact
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.subject)
    }
}
