//! Everything that a doctor looks for: what it is called, why it matters, and what is done about it. `docs/operating/doctor.md`
//! is made from here.

use serde::{Serialize, Serializer};

/// One thing that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The engine answers.
    Engine,
    /// The engine is new enough.
    EngineVersion,
    /// There is a platform.
    Platform,
    /// A run has left nothing unfinished.
    UnfinishedRun,
    /// What ran before a run runs again.
    NotBack,
    /// Each store can be backed up.
    Store,
    /// What stores say of themselves.
    StoreNote,
    /// The repository can be written and read, and is this platform's.
    Repository,
    /// It keeps two writers apart.
    RepositoryConditions,
    /// Its clock agrees with ours.
    RepositoryClock,
    /// The next two backups fit.
    RepositoryRoom,
    /// What is deleted there gives its room back.
    RepositoryKeeps,
    /// It dies not with the host.
    OnlyCopy,
    /// What stores spool fits.
    SpoolRoom,
    /// There is a backup.
    NoBackup,
    /// The newest backup is whole.
    Damaged,
    /// The newest backup holds every store.
    Incomplete,
    /// Some backup was read back.
    Unverified,
    /// The newest backup can be restored here.
    Restore,
    /// The images are those of the last backup.
    Changed,
    /// What is stopped can be started again.
    CannotStart,
    /// What is stopped ends when it is asked to.
    IgnoresStop,
    /// What was stopped came back.
    SlowBack,
    /// Health checks do not make every start slow.
    SlowHealth,
    /// What runs comes back when the host starts.
    RestartPolicy,
    /// Every database is one that is known.
    UnknownDatabase,
    /// Nothing that looks like data is left out.
    LeftOut,
    /// No container outside is cut off.
    CutOff,
    /// Backups begin by themselves.
    NoSchedule,
    /// Nothing is overdue.
    Overdue,
    /// Jobs do not meet.
    JobsMeet,
    /// No other backup service is at work.
    OtherBackup,
    /// What died is brought back when the host starts.
    BootUnit,
    /// Somebody is told.
    NobodyTold,
    /// Somebody notices that nobody tells.
    NoHeartbeat,
    /// Those who are told are reached.
    NotReached,
    /// Nobody removes what is stopped.
    PruneJob,
}

/// What is written of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// What it is called.
    pub name: &'static str,
    /// What is found.
    pub finds: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What is done about it.
    pub fix: &'static str,
}

impl Check {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 37] = [
        Self::Engine,
        Self::EngineVersion,
        Self::Platform,
        Self::UnfinishedRun,
        Self::NotBack,
        Self::Store,
        Self::StoreNote,
        Self::Repository,
        Self::RepositoryConditions,
        Self::RepositoryClock,
        Self::RepositoryRoom,
        Self::RepositoryKeeps,
        Self::OnlyCopy,
        Self::SpoolRoom,
        Self::NoBackup,
        Self::Damaged,
        Self::Incomplete,
        Self::Unverified,
        Self::Restore,
        Self::Changed,
        Self::CannotStart,
        Self::IgnoresStop,
        Self::SlowBack,
        Self::SlowHealth,
        Self::RestartPolicy,
        Self::UnknownDatabase,
        Self::LeftOut,
        Self::CutOff,
        Self::NoSchedule,
        Self::Overdue,
        Self::JobsMeet,
        Self::OtherBackup,
        Self::BootUnit,
        Self::NobodyTold,
        Self::NoHeartbeat,
        Self::NotReached,
        Self::PruneJob,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        self.sheet().name
    }

    /// Why it matters.
    pub fn why(self) -> &'static str {
        self.sheet().why
    }

    /// What is done about it, in general.
    pub fn fix(self) -> &'static str {
        self.sheet().fix
    }

    /// The check of this name.
    pub fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.name() == name)
    }

    /// All that is written of it.
    pub fn sheet(self) -> Sheet {
        let (name, finds, why, fix) = match self {
            Self::Engine
            | Self::EngineVersion
            | Self::Platform
            | Self::UnfinishedRun
            | Self::NotBack
            | Self::Store
            | Self::StoreNote => self.of_platform(),
            Self::Repository
            | Self::RepositoryConditions
            | Self::RepositoryClock
            | Self::RepositoryRoom
            | Self::RepositoryKeeps
            | Self::OnlyCopy
            | Self::SpoolRoom => self.of_repository(),
            Self::NoBackup | Self::Damaged | Self::Incomplete | Self::Unverified | Self::Restore | Self::Changed => {
                self.of_backups()
            }
            Self::CannotStart
            | Self::IgnoresStop
            | Self::SlowBack
            | Self::SlowHealth
            | Self::RestartPolicy
            | Self::UnknownDatabase
            | Self::LeftOut
            | Self::CutOff => self.of_containers(),
            _ => self.of_habits(),
        };
        Sheet { name, finds, why, fix }
    }

    fn of_platform(self) -> Texts {
        match self {
            Self::Engine => (
                "engine",
                "the container engine does not answer, or may not be used",
                "nothing can be stopped, looked at or backed up",
                "start it, or name it with DOCKER_HOST; let this user open its socket",
            ),
            Self::EngineVersion => (
                "engine-version",
                "the engine is older than what Stillpoint is tested on",
                "calls may be missing, or mean something else",
                "update the engine to 20.10 or newer",
            ),
            Self::Platform => (
                "platform",
                "no platform is found, or several are",
                "nobody knows what is to be backed up",
                "start it with `docker compose up -d`, or name it with --platform",
            ),
            Self::UnfinishedRun => (
                "unfinished-run",
                "a run died, or a restore stands stopped on purpose",
                "clients may be down, and no other run begins before that is settled",
                "`stillpoint containers recover`, or `stillpoint restore resume` or `undo`",
            ),
            Self::NotBack => (
                "not-back",
                "something ran before an earlier run and does not run since",
                "a part of the platform is down, and every backup ends with 3",
                "`stillpoint containers start`; with `--forget` if it is not to come back",
            ),
            Self::Store => (
                "store",
                "a store is down, does not answer, refuses its login, or lacks a tool",
                "a backup is refused as long as one store cannot be backed up",
                "do what is named with it: start it, give its login, use an image with its tools",
            ),
            _ => (
                "store-note",
                "a store says something of itself that its operator should know",
                "some of it may not be in the backup, or not come back as it was",
                "read it once; docs/stores has a page for each kind",
            ),
        }
    }

    fn of_repository(self) -> Texts {
        match self {
            Self::Repository => (
                "repository",
                "the repository does not answer, takes or returns nothing, or is another platform's",
                "no backup can be written, and none read",
                "do what is named with it: address, keys, rights, disk",
            ),
            Self::RepositoryConditions => (
                "repository-conditions",
                "the repository ignores or refuses conditional writes",
                "two runs could write at the same time and destroy each other's backup",
                "update the server, or set BACKUP_S3_CONDITIONAL_WRITES=false where nobody else writes",
            ),
            Self::RepositoryClock => (
                "repository-clock",
                "the repository's clock and this host's disagree",
                "how old a backup is decides which one is deleted",
                "set both clocks right (NTP)",
            ),
            Self::RepositoryRoom => (
                "repository-room",
                "the next backup, or the one after it, does not fit",
                "a backup that does not fit is refused, or fails after clients were down",
                "free space there, or keep fewer backups (BACKUP_RETENTION_DAYS, `stillpoint prune`)",
            ),
            Self::RepositoryKeeps => (
                "repository-keeps",
                "what is deleted or replaced there goes on taking room",
                "retention frees nothing, and the repository fills up",
                "do what is named with it; docs/platforms.md says what a bucket needs",
            ),
            Self::OnlyCopy => (
                "only-copy",
                "the repository is on the host that it protects",
                "who loses the host loses the backups with it",
                "keep backups in an object store elsewhere, or copy the repository there (docs/operating/by-hand.md)",
            ),
            _ => (
                "spool-room",
                "the state directory has no room for what stores spool",
                "the backup is refused",
                "free space there, or set STILLPOINT_STATE_DIR to a place with more",
            ),
        }
    }

    fn of_backups(self) -> Texts {
        match self {
            Self::NoBackup => (
                "no-backup",
                "there is no complete backup",
                "nothing can be restored",
                "`stillpoint backup`",
            ),
            Self::Damaged => (
                "damaged",
                "the newest backup was read and found damaged",
                "it cannot be restored whole",
                "`stillpoint backup` now; look after the repository's disk",
            ),
            Self::Incomplete => (
                "incomplete",
                "a store is not in the newest backup, or a store of the backup is gone",
                "a restore would not bring back all of the platform",
                "`stillpoint backup`; if a store is missing, look why it is not recognised (`stillpoint containers plan`)",
            ),
            Self::Unverified => (
                "unverified",
                "no backup was ever read back",
                "a backup that nobody has read is a hope",
                "`stillpoint verify ID`; BACKUP_VERIFY_DAILY_BYTES has it done by itself",
            ),
            Self::Restore => (
                "restore",
                "the newest backup could not be restored into the servers that run now",
                "the restore would be refused on the worst day, and not before",
                "use an image that offers what is named, or make a new backup",
            ),
            _ => (
                "changed",
                "a store's version or image is not that of the newest backup",
                "an older backup may not load into a newer server as it was, nor a newer one into an older",
                "`stillpoint backup`, and keep the old image until it is made",
            ),
        }
    }

    fn of_containers(self) -> Texts {
        match self {
            Self::CannotStart => (
                "cannot-start",
                "a container could not be started again: a mounted file or folder, a network, or what it lives in is gone",
                "what a backup stops would stay down",
                "make again what is named; `docker compose up -d` makes containers and networks again",
            ),
            Self::IgnoresStop => (
                "ignores-stop",
                "a container did not end when it was asked to, and was killed",
                "every standstill is longer by its grace, and what it held is lost",
                "have it handle SIGTERM (`exec` in its script, `init: true`), or name its signal with `stop_signal`",
            ),
            Self::SlowBack => (
                "slow-back",
                "a container did not come back as it was after the last backup",
                "clients were down for longer than the standstill",
                "look at its log; give its health check the time that it needs (`start_period`)",
            ),
            Self::SlowHealth => (
                "slow-health",
                "a health check is made so late that every start is slow",
                "after each backup the container, and what waits for it, is unhealthy for that long",
                "give the check a shorter `interval`, or a `start_period` with `start_interval: 1s`",
            ),
            Self::RestartPolicy => (
                "restart-policy",
                "a container that runs would not come back when the host starts",
                "after a reboot the platform is not whole, and the next backup is refused or lacks it",
                "`restart: unless-stopped` in its Compose file, then `docker compose up -d`",
            ),
            Self::UnknownDatabase => (
                "unknown-database",
                "something looks like a database that no kind of store is for",
                "its data is in no backup",
                "back it up by other means, or say what it is with the label `stillpoint.kind` (`none`: no store)",
            ),
            Self::LeftOut => (
                "left-out",
                "a volume or folder of a container that is no store looks like data",
                "no backup holds it",
                "back it up by other means if it is worth it, then accept it: STILLPOINT_DOCTOR_ACCEPT=left-out:SERVICE",
            ),
            _ => (
                "cut-off",
                "a container outside the platform uses the network of one that a backup stops",
                "it has no network after each backup until somebody restarts it",
                "make it a service of the platform, or give it a network of its own",
            ),
        }
    }

    fn of_habits(self) -> Texts {
        match self {
            Self::NoSchedule => (
                "no-schedule",
                "no backup begins by itself",
                "the newest backup grows older until somebody thinks of it",
                "run `stillpoint serve` (ops/stillpoint.service), `stillpoint schedules on backup_job`",
            ),
            Self::Overdue => (
                "overdue",
                "a job was due and was not done",
                "the newest backup is older than it should be",
                "look at its last runs: `stillpoint runs ls`",
            ),
            Self::JobsMeet => (
                "jobs-meet",
                "a job falls into another one, or into a window of others",
                "it waits, or it cuts what others do",
                "move its schedule (`stillpoint schedules ls` shows them all)",
            ),
            Self::OtherBackup => (
                "other-backup",
                "another backup service is at work on the platform",
                "it may stop or start containers in the middle of a standstill, and dumps make stores slow",
                "switch it off, or declare its hours in BACKUP_FOREIGN_WINDOWS",
            ),
            Self::BootUnit => (
                "boot-unit",
                "nothing brings back what died when the host starts",
                "after a crash in a standstill clients stay down until somebody looks",
                "enable ops/stillpoint.service, or ops/stillpoint-recover.service where no service runs",
            ),
            Self::NobodyTold => (
                "nobody-told",
                "nobody is told when a run fails or is overdue",
                "backups fail for weeks until somebody needs one",
                "set NOTIFICATION_URLS, and try it: `stillpoint notify test` (docs/operating/notices.md)",
            ),
            Self::NoHeartbeat => (
                "no-heartbeat",
                "nobody outside watches whether backups are made",
                "a host that is gone tells nobody",
                "set HEARTBEAT_URLS for backup_job (docs/operating/notices.md)",
            ),
            Self::NotReached => (
                "not-reached",
                "the last notice or heartbeat did not arrive",
                "the next failure is told to nobody",
                "look at its address; `stillpoint notify test` tries it",
            ),
            _ => (
                "prune-job",
                "a job of the host removes what does not run (`docker system prune`)",
                "it removes containers and networks of the platform while a backup has them stopped",
                "take it out, or have it prune images alone (`docker image prune`)",
            ),
        }
    }
}

type Texts = (&'static str, &'static str, &'static str, &'static str);

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
