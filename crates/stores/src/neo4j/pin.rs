//! The pin. The server is frozen: what its files hold is what a sudden death would leave, which a start recovers from. They
//! are copied beside themselves, in the same volume, where a file system that can shares the blocks. Or, if the operator
//! says so, the server is stopped, and its own tool dumps it into the spool meanwhile.

use std::io::SeekFrom;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use stillpoint_core::names::RunId;
use stillpoint_core::ports::{Process, SpoolFile};
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, Drained, Pinned, StoreError};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::beside::{ADMIN, Beside, DUMP, Place};
use super::drain::DUMPING;
use super::dump::{Check, Sound};
use super::layout::Layout;
use super::session::SYSTEM;
use super::{Neo4jStore, aside};
use crate::toolbox::{Doing, end, finished, guarded};

/// Copies the data. What dead runs have left of theirs goes first: only one run has the platform. Transaction logs are made in
/// their full size before anything is in them: what was never written to is not copied. Arguments: data, logs, folder
/// of the copy, owner.
const COPY: &str = r#"for left in "$1"/.stillpoint-*; do
  if [ -e "$left" ]; then rm -rf -- "$left"; fi
done
mkdir -- "$3"
how=
if cp --help 2>&1 | grep -q -e --sparse; then how='--reflink=auto --sparse=always'; fi
cp -a $how -- "$1/databases" "$3/databases"
cp -a $how -- "$2" "$3/transactions"
chown -- "$4" "$3""#;

/// Removes folders. Arguments: each of them.
const REMOVE: &str = r#"rm -rf -- "$@""#;

/// Bytes that are read from the spool at once.
const PIECE: usize = 256 << 10;

/// The folder of a run's copy.
pub(super) fn copy_of(data: &str, run: &RunId) -> String {
    format!("{data}/.stillpoint-{run}")
}

/// A server whose files were copied.
pub(super) struct Copied {
    pub(super) store: Neo4jStore,
    pub(super) layout: Layout,
    pub(super) folder: String,
    pub(super) at: Timestamp,
    pub(super) beside: Beside,
    cx: Cx,
    is_released: bool,
}

/// A server that was dumped while it was stopped.
pub(super) struct Spooled {
    pub(super) store: Neo4jStore,
    pub(super) layout: Layout,
    pub(super) at: Timestamp,
    /// Of the database, and of `system`.
    pub(super) dumps: Vec<Dumped>,
}

/// A dump in the spool.
pub(super) struct Dumped {
    pub(super) sound: Sound,
    file: Box<dyn SpoolFile>,
}

impl Neo4jStore {
    /// Copies the files of the frozen server.
    pub(super) async fn copy_files(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let at = cx.clock.now();
        let beside = Beside::begin(cx, &self.workload, DUMP).await?;
        let copied = async {
            let layout = self.learn(cx, &beside.id).await?;
            let folder = copy_of(&layout.data, &cx.owner);
            let arguments = [&*layout.data, &layout.logs, &folder, &layout.owner];
            let copied = beside
                .work(cx, "copying the frozen server's files", COPY, &arguments)
                .await;
            if copied.is_err() {
                remove(cx, &beside, &folder).await;
            }
            copied.map(|()| (layout, folder))
        };
        match copied.await {
            Ok((layout, folder)) => Ok(Box::new(Copied {
                store: self.clone(),
                layout,
                folder,
                at,
                beside,
                cx: cx.clone(),
                is_released: false,
            })),
            Err(error) => beside.end(cx, Err(error)).await,
        }
    }

    /// Dumps the stopped server.
    pub(super) async fn dump_stopped(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let at = cx.clock.now();
        let mut beside = Beside::begin(cx, &self.workload, DUMP).await?;
        let dumped = async {
            let layout = self.learn(cx, &beside.id).await?;
            let place = Place {
                data: layout.data.clone(),
                logs: layout.logs.clone(),
            };
            beside.furnish(cx, &layout, &place).await?;
            let databases = [layout.database.as_str(), SYSTEM];
            beside.must_be_clean(cx, &databases).await?;
            let mut dumps = Vec::new();
            for database in databases {
                dumps.push(spooled(cx, &beside, database).await?);
            }
            Ok((layout, dumps))
        };
        let dumped = dumped.await;
        let (layout, dumps) = beside.end(cx, dumped).await?;
        Ok(Box::new(Spooled {
            store: self.clone(),
            layout,
            at,
            dumps,
        }))
    }

    /// Removes what a dead run has left beside the data: its copy, and what it was loading. Its container may be gone, and
    /// the volume with it.
    pub(super) async fn remove_leftovers(&self, cx: &Cx, owner: &RunId) -> Result<(), StoreError> {
        let beside = match Beside::begin(cx, &self.workload, DUMP).await {
            Err(StoreError::Engine(gone)) if gone.is_gone() => return Ok(()),
            made => made?,
        };
        let removed = async {
            let data = self.learn(cx, &beside.id).await?.data;
            let (copy, [new, part]) = (copy_of(&data, owner), aside::unfinished(&data, &self.name));
            beside
                .work(cx, "removing what a dead run has left", REMOVE, &[&copy, &new, &part])
                .await
        };
        let removed = match removed.await {
            // A store that was never started has nothing that could be copied.
            Err(StoreError::Tool { .. } | StoreError::Unfit(_)) => Ok(()),
            removed => removed,
        };
        beside.end(cx, removed).await
    }
}

/// Also after the run was cancelled.
async fn remove(cx: &Cx, beside: &Beside, folder: &str) {
    let cx = Cx {
        cancel: CancellationToken::new(),
        ..cx.clone()
    };
    if let Err(error) = beside.work(&cx, "removing the copy", REMOVE, &[folder]).await {
        cx.report
            .warn(format!("{folder} could not be removed, the next run does it: {error}"));
    }
}

#[async_trait]
impl Pinned for Copied {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        self.drain_copy(cx, sink).await
    }

    async fn release(&mut self) {
        if self.is_released {
            return;
        }
        self.is_released = true;
        remove(&self.cx, &self.beside, &self.folder).await;
        if let Err(error) = self.cx.shell.end_sibling(&self.beside.id).await {
            self.cx
                .report
                .warn(format!("a container beside the store is left: {error}"));
        }
    }
}

#[async_trait]
impl Pinned for Spooled {
    /// What is in it is counted while it serves again, and nobody may have written by then.
    fn needs_standstill(&self) -> bool {
        true
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        self.drain_spool(cx, sink).await
    }

    /// The files go with their holder.
    async fn release(&mut self) {
        self.dumps.clear();
    }
}

/// Dumps a database into the spool, checked on its way.
async fn spooled(cx: &Cx, beside: &Beside, database: &str) -> Result<Dumped, StoreError> {
    let mut file = cx.spool.create().await?;
    let mut process = beside.admin(cx, &["database", "dump", database, "--to-stdout"]).await?;
    let doing = Doing {
        what: DUMPING,
        tool: ADMIN,
    };
    let mut check = Check::new();
    if let Err(error) = write_all(cx, &mut process, &mut *file, &mut check).await {
        end(cx, doing, process).await;
        return Err(error);
    }
    finished(cx, doing, process).await?;
    let sound = check.finish().map_err(super::drain::flawed)?;
    Ok(Dumped { sound, file })
}

async fn write_all(
    cx: &Cx,
    process: &mut Process,
    file: &mut dyn SpoolFile,
    check: &mut Check,
) -> Result<(), StoreError> {
    let mut piece = BytesMut::with_capacity(PIECE);
    loop {
        piece.clear();
        let read = guarded(cx, DUMPING, process.output.read_buf(&mut piece)).await?;
        if read.map_err(|cause| server(cause.into()))? == 0 {
            break;
        }
        check.take(&piece);
        guarded(cx, DUMPING, file.write_all(&piece))
            .await?
            .map_err(|cause| server(cause.into()))?;
    }
    guarded(cx, DUMPING, file.flush())
        .await?
        .map_err(|cause| server(cause.into()))
}

impl Dumped {
    /// Copies it into an artifact.
    pub(super) async fn copy(&mut self, cx: &Cx, writer: &mut ArtifactWriter) -> Result<(), StoreError> {
        let failed = |cause: std::io::Error| server(cause.into());
        guarded(cx, DUMPING, self.file.seek(SeekFrom::Start(0)))
            .await?
            .map_err(failed)?;
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = guarded(cx, DUMPING, self.file.read_buf(&mut piece)).await?;
            if read.map_err(failed)? == 0 {
                return Ok(());
            }
            let piece: Bytes = piece.freeze();
            guarded(cx, "writing to the repository", writer.write(piece)).await??;
        }
    }
}

fn server(cause: stillpoint_core::stores::Cause) -> StoreError {
    StoreError::Server {
        doing: DUMPING.to_owned(),
        cause,
    }
}
