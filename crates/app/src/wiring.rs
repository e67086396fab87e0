//! The one place where ports meet their adapters.

use std::sync::Arc;

use stillpoint_adapters::clock::SystemClock;
use stillpoint_adapters::docker::{Docker, Server};
use stillpoint_adapters::ledger::{Ledger, LedgerAccounts, LedgerHistory, LedgerOutbox};
use stillpoint_adapters::lock::FileLocks;
use stillpoint_adapters::repository::s3::S3Settings;
use stillpoint_adapters::spool::DiskSpool;
use stillpoint_adapters::traced::Traced;
use stillpoint_adapters::workers::Threads;
use stillpoint_core::backups::Backups;
use stillpoint_core::engine::errors::Error;
use stillpoint_core::engine::keep::Keep;
use stillpoint_core::engine::machine::Machine;
use stillpoint_core::engine::site::Site;
use stillpoint_core::history::Historian;
use stillpoint_core::operations::Local;
use stillpoint_core::ports::history::{HistoryError, RunRecord};
use stillpoint_core::ports::{EngineError, Repository, RepositoryError};
use stillpoint_core::stores::Kind;

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::repository::{self, Platform};

/// The version, as it stands in manifests.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The use cases, wired to this machine. Looks at the engine, and never fails because it does not
/// answer: whoever needs it will say so.
pub(crate) async fn operations(config: &Config) -> Result<Local, Failure> {
    let docker = connect(config)?;
    let kinds = config.kinds();
    let wired = repository(config, &docker, &kinds).await?;
    Ok(Local::new(Site {
        machine: machine(config, docker),
        backups: Backups::new(Arc::new(Traced::new(wired.repository)), Arc::new(Threads)),
        kinds,
        keep: wired.keep,
        standstill: config.standstill,
        retention: config.retention,
        lease: config.lease,
        maintenance: config.maintenance,
    }))
}

fn connect(config: &Config) -> Result<Arc<Docker>, Failure> {
    let docker = Docker::connect(Some(&config.platform.docker_host)).map_err(Error::from)?;
    Ok(Arc::new(docker))
}

fn machine(config: &Config, docker: Arc<Docker>) -> Machine {
    let platform = &config.platform;
    let docker = Arc::new(Traced::new(docker));
    Machine {
        catalog: docker.clone(),
        power: docker.clone(),
        shell: docker.clone(),
        reach: docker.clone(),
        gateway: docker.clone(),
        buckets: docker,
        spool: Arc::new(DiskSpool::in_folder(platform.state_dir.clone())),
        clock: Arc::new(SystemClock::new()),
        locks: Arc::new(FileLocks::new(platform.state_dir.clone())),
        journal: Arc::new(journal(config)),
        host: host(),
        process: std::process::id(),
        processors: processors(),
        version: VERSION.to_owned(),
    }
}

/// What runs of this host intend. Needs neither engine nor repository.
pub(crate) fn journal(config: &Config) -> Ledger {
    Ledger::in_folder(config.platform.state_dir.clone())
}

/// Keeps the history of this host's runs. Needs neither engine nor repository.
pub(crate) fn historian(config: &Config) -> Historian {
    Historian {
        history: Arc::new(LedgerHistory::in_folder(&config.platform.state_dir)),
        clock: Arc::new(SystemClock::new()),
        limits: config.history,
    }
}

/// What is to be told, and what became of it. Needs neither engine nor repository.
pub(crate) fn outbox(config: &Config) -> LedgerOutbox {
    LedgerOutbox::in_folder(&config.platform.state_dir)
}

/// Who may ask the service over the network. Needs neither engine nor repository.
pub(crate) fn accounts(config: &Config) -> LedgerAccounts {
    LedgerAccounts::in_folder(&config.platform.state_dir)
}

/// Closes the runs of this host that died, and forgets what is old. Returns those that it has closed, for whoever tells of them.
pub(crate) async fn tidy_up(config: &Config, historian: &Historian) -> Result<Vec<RunRecord>, HistoryError> {
    let locks = FileLocks::new(&config.platform.state_dir);
    historian.tidy_up(&host(), &locks).await
}

struct Wired {
    repository: Arc<dyn Repository>,
    /// What is never stopped: whatever serves the repository, too.
    keep: Keep,
}

async fn repository(config: &Config, docker: &Arc<Docker>, kinds: &[Arc<dyn Kind>]) -> Result<Wired, Failure> {
    let names = config.platform.keep.clone();
    let (settings, prefix) = match config.repository() {
        config::Repository::Local(directory) => {
            return Ok(Wired {
                repository: repository::local(directory),
                keep: Keep::new(names, None),
            });
        }
        config::Repository::S3 { settings, prefix } => (settings, prefix),
        config::Repository::Unknown(why) => {
            return Ok(Wired {
                repository: repository::unknown(&why),
                keep: Keep::new(names, None),
            });
        }
    };
    let server = server(config, docker, &settings).await;
    let serving = match &server {
        Ok(Some(server)) => Some(server.container.clone()),
        _ => repository::host_of(&settings).map(|(host, _)| host),
    };
    let keep = Keep::new(names, serving);
    let platform = Platform {
        docker: docker.clone(),
        kinds: kinds.to_vec(),
        keep: keep.clone(),
        wanted: config.project(),
    };
    Ok(Wired {
        repository: repository::s3(*settings, prefix, server, platform),
        keep,
    })
}

/// The container that serves the repository, if it is one of this engine's. That it cannot be told which
/// must not keep a platform down: whoever needs the repository is told then.
async fn server(config: &Config, docker: &Docker, settings: &S3Settings) -> Result<Option<Server>, RepositoryError> {
    let Some((host, port)) = repository::host_of(settings) else {
        return Ok(None);
    };
    match docker.server(&host, port, config.project().as_ref()).await {
        Ok(server) => Ok(server),
        // Without an engine there is no such container either; verbs that need none go on.
        Err(EngineError::Unreachable { .. } | EngineError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(RepositoryError::Unreachable {
            cause: error.to_string(),
        }),
    }
}

/// How many processors this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The name of this host.
pub(crate) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() {
        "unknown".to_owned()
    } else {
        name.trim().to_owned()
    }
}
