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
use stillpoint_core::ports::Repository;

use crate::config::{self, Config};
use crate::failure::Failure;

/// The version, as it stands in manifests.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The use cases, wired to this machine.
pub(crate) fn operations(config: &Config) -> Result<Local, Failure> {
    let platform = &config.platform;
    let docker = Arc::new(Docker::connect(Some(&platform.docker_host)).map_err(Error::from)?);
    Ok(Local::new(Site {
        catalog: docker.clone(),
        power: docker.clone(),
        shell: docker.clone(),
        reach: docker,
        clock: Arc::new(SystemClock::new()),
        locks: Arc::new(FileLocks::new(platform.state_dir.clone())),
        journal: Arc::new(Ledger::in_folder(platform.state_dir.clone())),
        backups: Backups::new(repository(config)?),
        kinds: stillpoint_stores::registry(&config.setting()),
        host: host(),
        process: std::process::id(),
        version: VERSION.to_owned(),
        keep: Keep::new(platform.keep.clone(), None),
        retention: config.retention,
        lease: config.lease,
    }))
}

/// Where the backups go, opened.
fn repository(config: &Config) -> Result<Arc<dyn Repository>, Failure> {
    match config.repository() {
        config::Repository::Local(directory) => {
            let opened = LocalRepository::open(&directory).map_err(|cause| Error::Repository {
                place: format!("local directory {}", directory.display()),
                cause,
            })?;
            Ok(Arc::new(opened))
        }
        config::Repository::S3 { .. } => Err(Failure::usage(
            format!(
                "{} asks for a repository in S3, which is not wired yet",
                config.chosen_by()
            ),
            "say with --repository DIR that the backups go to a local directory",
        )),
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() {
        "unknown".to_owned()
    } else {
        name.trim().to_owned()
    }
}
