//! The one place where ports meet their adapters.

use std::sync::Arc;

use stillpoint_adapters::clock::SystemClock;
use stillpoint_adapters::docker::Docker;
use stillpoint_adapters::ledger::Ledger;
use stillpoint_adapters::lock::FileLocks;
use stillpoint_adapters::repository::LocalRepository;
use stillpoint_core::backups::Backups;
use stillpoint_core::engine::keep::Keep;
use stillpoint_core::engine::site::Site;
use stillpoint_core::errors::Error;
use stillpoint_core::operations::Local;
use stillpoint_core::retention::Policy;

use crate::failure::Failure;
use crate::options::{Options, setting};

/// The version, as it stands in manifests.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The use cases, wired to this machine.
pub(crate) fn operations(options: &Options) -> Result<Local, Failure> {
    let docker = Arc::new(Docker::connect(Some(&options.docker_host)).map_err(Error::from)?);
    let directory = options.repository_dir()?;
    let repository = LocalRepository::open(&directory).map_err(|cause| Error::Repository {
        place: format!("local directory {}", directory.display()),
        cause,
    })?;
    Ok(Local::new(Site {
        catalog: docker.clone(),
        power: docker.clone(),
        shell: docker.clone(),
        reach: docker,
        clock: Arc::new(SystemClock::new()),
        locks: Arc::new(FileLocks::new(options.state_directory()?)),
        journal: Arc::new(Ledger::in_folder(options.state_directory()?)),
        backups: Backups::new(Arc::new(repository)),
        kinds: stillpoint_stores::registry(&(Arc::new(setting) as stillpoint_stores::Setting)),
        host: host(),
        process: std::process::id(),
        version: VERSION.to_owned(),
        keep: Keep::default(),
        retention: Policy::default(),
        lease: std::time::Duration::from_mins(2),
    }))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() {
        "unknown".to_owned()
    } else {
        name.trim().to_owned()
    }
}
