//! The restore: learn where a start of this server reads its data, put the dump there while it is
//! stopped, and see that it serves it. What was there is set aside, and stays so until it is settled.

use async_trait::async_trait;
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Aside, Cx, Footing, Old, Source, Staged, StoreError};

use super::aside::Scripts;
use super::check::{CHECK_RDB, is_too_old, verdict};
use super::drain::RDB;
use super::info::Info;
use super::layout::Layout;
use super::rdb::{Check, Format};
use super::{Known, ValkeyStore, aside};
use crate::toolbox::{Doing, collect, damaged, feed_watched, finished};

/// What is done in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Running: learn where its data lies.
    Learn,
    /// Stopped: put the dump in its place.
    Place,
    /// Running again: see what came of it.
    See,
}

impl Stage {
    /// In which state the server has to be.
    fn footing(self) -> Footing {
        match self {
            Self::Learn | Self::See => Footing::Running,
            Self::Place => Footing::Stopped,
        }
    }
}

/// A restore of one server.
pub(super) struct Restore {
    store: ValkeyStore,
    source: Source,
    stages: &'static [Stage],
    /// What it has to know of the server.
    known: Option<Known>,
}

impl Restore {
    /// Where the data lies was learned before the stop, unless an earlier restore stands unfinished: then nothing was
    /// asked, and the server has to be started for it.
    pub(super) fn of(store: &ValkeyStore, source: Source, known: Option<Known>) -> Self {
        Self {
            store: store.clone(),
            source,
            stages: match known {
                Some(_) => &[Stage::Place, Stage::See],
                None => &[Stage::Learn, Stage::Place, Stage::See],
            },
            known,
        }
    }

    fn known(&self) -> Result<&Known, StoreError> {
        let known = self.known.as_ref();
        known.ok_or_else(|| self.store.unfit("nobody knows where its data lies"))
    }
}

#[async_trait]
impl Staged for Restore {
    fn footings(&self) -> Vec<Footing> {
        self.stages.iter().map(|stage| stage.footing()).collect()
    }

    async fn carry_out(&mut self, cx: &Cx, stage: usize) -> Result<(), StoreError> {
        match self.stages.get(stage) {
            Some(Stage::Learn) => {
                let session = self.store.open(cx).await?;
                self.known = Some(self.store.learn(&session, &self.source.record).await?);
                Ok(())
            }
            Some(Stage::Place) => self.store.place(cx, self.known()?, &self.source).await,
            Some(Stage::See) => self.store.see(cx, self.known()?).await,
            None => Err(self.store.unfit(&format!("a restore has no stage {stage}"))),
        }
    }
}

impl ValkeyStore {
    async fn place(&self, cx: &Cx, known: &Known, source: &Source) -> Result<(), StoreError> {
        let artifact = self.only_artifact(&source.record)?;
        let beside = Beside::begin(cx, &self.workload).await?;
        let placed = async {
            let format = self.take(cx, &beside, known, artifact, source).await?;
            if let Some(why) = known.version.cannot_read(format) {
                return Err(self.unfit(&why));
            }
            let path = format!("{}/{}/rdb", known.layout.folder, aside::new(&self.name));
            match beside.prove(cx, &path).await {
                // What it is was found while it came.
                Err(error) if is_too_old(&error) => self.leave_out_tool(cx),
                proven => proven?,
            }
            let argv = Scripts(&self.name).place(&known.layout, artifact.size);
            beside.run(cx, "putting the dump in place", argv).await.map(drop)
        };
        let placed = placed.await;
        if placed.is_err() {
            // What did not come into place is of no use. If it cannot go now, the next restore removes it.
            let discard = Scripts(&self.name).discard(&known.layout.folder);
            let _ = beside.run(cx, "removing what was not put in place", discard).await;
        }
        beside.end(cx, placed).await
    }

    fn only_artifact<'a>(&self, record: &'a StoreRecord) -> Result<&'a Artifact, StoreError> {
        match &record.artifacts[..] {
            [artifact] if artifact.content == RDB => Ok(artifact),
            _ => Err(self.unfit("the backup does not hold exactly one dump of it")),
        }
    }

    /// Brings the dump beside the old data. Nothing is replaced before all of it was checked.
    async fn take(
        &self,
        cx: &Cx,
        beside: &Beside,
        known: &Known,
        artifact: &Artifact,
        source: &Source,
    ) -> Result<Format, StoreError> {
        let reader = source.artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        let command = Command::new(Scripts(&self.name).take(&known.layout)).with_input();
        let process = cx.shell.exec(&beside.0, command).await?;
        let mut check = Check::new();
        feed_watched(cx, doing("loading the dump"), process, reader, &mut |piece| {
            check.take(piece);
        })
        .await?;
        Ok(verdict(check, &source.record)?.format)
    }

    /// Whether the server took the append-only files for what they are. What it loaded is counted by
    /// whoever asked for the restore.
    async fn see(&self, cx: &Cx, before: &Known) -> Result<(), StoreError> {
        let session = self.open(cx).await?;
        let (_, layout) = self.must_be_supported(&session).await?;
        let info = Info::ask(&session, Some("persistence")).await?;
        if layout.aof && !info.flag("aof_enabled") {
            return Err(self.unfit("it is to keep append-only files and does not"));
        }
        for name in ["aof_last_write_status", "aof_last_bgrewrite_status"] {
            if layout.aof && info.text(name) != "ok" {
                return Err(self.unfit(&format!(
                    "its append-only files cannot be written: {name} is {}",
                    info.text(name)
                )));
            }
        }
        if before.layout.aof && !layout.aof {
            cx.report.warn(format!(
                "{}: it kept append-only files before and does not since its start: they had been switched on while it ran",
                self.name
            ));
        }
        Ok(())
    }

    /// Where its data lies, of a server that runs.
    async fn ask_layout(&self, cx: &Cx) -> Result<Layout, StoreError> {
        let session = self.open(cx).await?;
        Ok(self.must_be_supported(&session).await?.1)
    }
}

#[async_trait]
impl Aside for ValkeyStore {
    async fn held(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        let layout = match self.ask_layout(cx).await {
            Ok(layout) => layout,
            // What cannot be restored was never replaced.
            Err(StoreError::Unfit(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let is_there = self.has_aside(cx, &layout).await?;
        let old = is_there.then(|| Old {
            what: self.aside_folder(&layout),
            is_sole: false,
            replaced_by: Some("all its keys".to_owned()),
        });
        Ok(old.into_iter().collect())
    }

    fn put_back(&self) -> Box<dyn Staged> {
        Box::new(PutBack {
            store: self.clone(),
            folder: None,
        })
    }

    /// The server runs: it does not know of that folder.
    async fn discard(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        let folder = self.ask_layout(cx).await?.folder;
        let beside = Beside::begin(cx, &self.workload).await?;
        let freed = beside
            .run(cx, "removing the old data", Scripts(&self.name).free(&folder))
            .await;
        beside.end(cx, freed.map(drop)).await.map(|()| Vec::new())
    }
}

/// Putting the old data of one server back.
struct PutBack {
    store: ValkeyStore,
    /// Where its data lies.
    folder: Option<String>,
}

/// Asked while it runs, put back while it is stopped: what it saves at its stop is what was loaded, and goes.
#[async_trait]
impl Staged for PutBack {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Running, Footing::Stopped]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        let store = &self.store;
        let Some(folder) = &self.folder else {
            self.folder = Some(store.ask_layout(cx).await?.folder);
            return Ok(());
        };
        let beside = Beside::begin(cx, &store.workload).await?;
        let put_back = Scripts(&store.name).put_back(folder);
        let put_back = beside.run(cx, "putting the old data back", put_back).await;
        beside.end(cx, put_back.map(drop)).await
    }
}

/// A container beside the server, on its volumes. It must be ended.
struct Beside(WorkloadId);

impl Beside {
    async fn begin(cx: &Cx, of: &WorkloadId) -> Result<Self, StoreError> {
        Ok(Self(cx.shell.sibling(of, &cx.owner, "valkey-restore").await?))
    }

    /// Runs a script and returns what it says.
    async fn run(&self, cx: &Cx, what: &str, argv: Vec<String>) -> Result<String, StoreError> {
        let process = cx.shell.exec(&self.0, Command::new(argv)).await?;
        collect(cx, doing(what), process).await
    }

    /// Has the server's own tool read a file, where the image has it.
    async fn prove(&self, cx: &Cx, path: &str) -> Result<(), StoreError> {
        let process = cx
            .shell
            .exec(&self.0, Command::new(["sh", "-c", CHECK_RDB, "sh", path]))
            .await?;
        finished(cx, doing("checking the dump"), process).await
    }

    /// Ends it, whatever came of the work. What failed first is told.
    async fn end<T>(self, cx: &Cx, worked: Result<T, StoreError>) -> Result<T, StoreError> {
        let ended = cx.shell.end_sibling(&self.0).await;
        let worked = worked?;
        ended?;
        Ok(worked)
    }
}

fn doing(what: &str) -> Doing<'_> {
    Doing { what, tool: "sh" }
}
