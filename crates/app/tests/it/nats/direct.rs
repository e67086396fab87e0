//! The store without the engine: pinned and drained by the test itself, with the real adapters, so that
//! something can be done between one call and the next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use stillpoint_adapters::clock::SystemClock;
use stillpoint_adapters::docker::Docker;
use stillpoint_adapters::repository::LocalRepository;
use stillpoint_adapters::spool::DiskSpool;
use stillpoint_adapters::workers::Threads;
use stillpoint_core::backups::{Artifacts, Backups};
use stillpoint_core::events::{Event, Listener, Reporter};
use stillpoint_core::manifest::{FORMAT, RunRecord};
use stillpoint_core::names::{BackupId, Project, RunId, StoreName};
use stillpoint_core::ports::{Catalog, Clock, Spool, SpoolError, SpoolFile};
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{Cx, Kind, Neighbours, Store};
use stillpoint_stores::nats::Nats;
use stillpoint_stores::{Configured, Setting};
use stillpoint_testkit::testbed::Testbed;
use tokio_util::sync::CancellationToken;

use super::scene::NATS;

/// A store and what its calls take.
pub(super) struct Direct {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) store: Arc<dyn Store>,
    pub(super) cx: Cx,
    /// Where spool and repository are.
    folder: tempfile::TempDir,
}

struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _event: &Event) {}
}

impl Direct {
    /// The NATS of a platform.
    pub(super) fn of(testbed: &Testbed) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let folder = tempfile::tempdir()?;
        let docker = Arc::new(Docker::connect(None)?);
        let workloads = runtime.block_on(docker.workloads())?;
        let workload = workloads.into_iter().find(|workload| {
            workload.address.project.as_str() == testbed.project() && workload.address.service == NATS
        });
        let logins = testbed.logins();
        let configured: Configured = Arc::new(move |name: &str| {
            let found = logins.iter().find(|(variable, _)| variable == name);
            found.map(|(_, value)| value.clone().into())
        });
        let (name, workload) = (StoreName::new(NATS), workload.context("no NATS")?);
        let kind = Nats::new(Setting::of(&configured, Some(&name), &workload));
        let store = kind.store(name, &workload, Neighbours::of(&[]))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let cx = Cx {
            shell: docker.clone(),
            reach: docker.clone(),
            gateway: docker.clone(),
            buckets: docker,
            spool: Arc::new(DiskSpool::in_folder(folder.path().join("spool"))),
            clock: clock.clone(),
            owner: RunId::new("direct"),
            report: Reporter::new(RunId::new("direct"), clock, Arc::new(Deaf)),
            cancel: CancellationToken::new(),
            idle_limit: Duration::from_mins(1),
            processors: 2,
        };
        Ok(Self {
            runtime,
            store,
            cx,
            folder,
        })
    }

    /// A backup to drain into.
    pub(super) fn backup(&self, testbed: &Testbed) -> Result<Backup> {
        let repository = self.folder.path().join("repository");
        let backups = Backups::new(Arc::new(LocalRepository::open(&repository)?), Arc::new(Threads));
        let began = self.cx.clock.now();
        let id = BackupId::at(began);
        let run = RunRecord {
            format: FORMAT,
            platform: Project::new(testbed.project()),
            run: self.cx.report.run().clone(),
            host: "here".to_owned(),
            process: std::process::id(),
            began,
        };
        let sink = self.runtime.block_on(backups.begin(id, &run, &self.cx.report))?;
        Ok(Backup {
            sink,
            artifacts: backups.artifacts(id, &self.cx.report),
            folder: repository.join(id.to_string()),
        })
    }
}

/// A backup that is being made.
pub(super) struct Backup {
    pub(super) sink: Sink,
    pub(super) artifacts: Artifacts,
    /// Where its artifacts are.
    pub(super) folder: PathBuf,
}

/// A spool that says it has room for everything, and cancels the run when the first file is made.
pub(super) struct Odd {
    pub(super) spool: Arc<dyn Spool>,
    pub(super) cancels: Option<CancellationToken>,
}

#[async_trait]
impl Spool for Odd {
    fn place(&self) -> String {
        self.spool.place()
    }

    async fn room(&self) -> Result<u64, SpoolError> {
        Ok(u64::MAX)
    }

    async fn create(&self) -> Result<Box<dyn SpoolFile>, SpoolError> {
        if let Some(cancel) = &self.cancels {
            cancel.cancel();
        }
        self.spool.create().await
    }
}
