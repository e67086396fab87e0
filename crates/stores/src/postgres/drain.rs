//! The drain: globals, then each database's dump from its pinned snapshot, counted in the same
//! snapshot while it is dumped. As many databases at once as there are processors: the dump itself keeps
//! one busy, and the largest comes first, so that none is left alone at the end.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::join;
use stillpoint_core::manifest::{Artifact, CLIENTS_WAITED, Inventory};
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::Process;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, Drained, StoreError, together};
use stillpoint_pg::Session;
use tokio_util::sync::CancellationToken;

use super::ext_catalog::SAVED;
use super::extensions::{EXTENSIONS, VERSIONS};
use super::inventory::Counts;
use super::left_out::{self, LEFT_OUT};
use super::pin::{PinnedDatabase, PinnedServer};
use super::preflight::BYTES;
use super::tools::{Compression, Tool};
use super::{PostgresStore, globals, inventory, queue, sequences, waiting};
use crate::toolbox::{Doing, opened, stream_out};

/// What an artifact of this kind holds.
pub(super) const GLOBALS: &str = "globals";
pub(super) const DATABASE: &str = "database";

/// The fact that names the tables whose rows could not be counted, with the reason.
const NOT_COUNTED: &str = "not counted";

/// What became of one database.
struct Dumped {
    artifacts: Vec<Artifact>,
    counted: Counted,
    /// What its extensions own, saved beside its dump.
    saved: Option<String>,
}

/// What the holder of a database finds out while it is dumped.
struct Counted {
    counts: Counts,
    left_out: Vec<String>,
    extensions: BTreeSet<(String, String)>,
    bytes: u64,
}

impl PinnedServer {
    pub(super) async fn drain_all(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let compression = self.store.probe_tools(cx).await?;
        let mut artifacts = vec![self.drain_globals(sink).await?];
        let store = &self.store;
        let drain = |database, cx| async move { store.drain_and_count(&cx, sink, database, compression).await };
        let databases = &mut self.databases;
        let drains = |cx: Cx| async move { together(&cx, cx.processors, databases, drain).await };
        let (drained, failure) = self.watch.unless_over(cx, drains).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut inventory = Inventory::default();
        let (mut extensions, mut bytes) = (BTreeSet::new(), 0);
        let (mut gaps, mut saved) = (Vec::new(), Vec::new());
        let mut left_out: Vec<String> = self.template.iter().cloned().collect();
        for one in drained {
            artifacts.extend(one.artifacts);
            inventory.extend(one.counted.counts.inventory);
            gaps.extend(one.counted.counts.gaps);
            left_out.extend(one.counted.left_out);
            saved.extend(one.saved);
            extensions.extend(one.counted.extensions);
            bytes += one.counted.bytes;
        }
        // Whichever was the largest today, the manifest lists them alike every day.
        artifacts.sort_by(|a, b| (&a.of, &a.name).cmp(&(&b.of, &b.name)));
        let waited = waiting::told(&self.watch.end().await).map(|told| (CLIENTS_WAITED.to_owned(), told));
        let facts = facts(&extensions, bytes).into_iter();
        for gap in &gaps {
            cx.report.warn(format!(
                "{}: is in the backup and cannot be counted: {gap}",
                self.store.name
            ));
        }
        let named = [(NOT_COUNTED, gaps), (LEFT_OUT, left_out), (SAVED, saved)].into_iter();
        let named = named.filter(|(_, all)| !all.is_empty());
        let named = named.map(|(fact, all)| (fact.to_owned(), all.join("; ")));
        Ok(Drained {
            version: self.version.clone(),
            pinned: self.at,
            artifacts,
            inventory,
            facts: facts.chain(self.needs.clone()).chain(waited).chain(named).collect(),
        })
    }

    async fn drain_globals(&self, sink: &Sink) -> Result<Artifact, StoreError> {
        let name = ArtifactName::of(&[self.store.name.as_str(), "globals.sql.gz"]);
        let packed = globals::pack(&self.globals)?;
        let write = async |writer: &mut ArtifactWriter| writer.write(Bytes::from(packed)).await;
        Ok(sink.put(&self.store.name, name, (GLOBALS, None), write).await?.0)
    }
}

fn facts(extensions: &BTreeSet<(String, String)>, bytes: u64) -> [(String, String); 3] {
    let mut names: Vec<&str> = extensions.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    let versions: Vec<String> = extensions.iter().map(|(name, is)| format!("{name} {is}")).collect();
    [
        (EXTENSIONS.to_owned(), names.join(", ")),
        (VERSIONS.to_owned(), versions.join(", ")),
        (BYTES.to_owned(), bytes.to_string()),
    ]
}

impl PostgresStore {
    /// Dumps and counts, both in the pinned snapshot. A dump that fails ends the count.
    async fn drain_and_count(
        &self,
        cx: &Cx,
        sink: &Sink,
        database: &mut PinnedDatabase,
        compression: Compression,
    ) -> Result<Dumped, StoreError> {
        let counting = Cx {
            cancel: cx.cancel.child_token(),
            ..cx.clone()
        };
        let catalog = self.drain_catalog(cx, sink, database).await?;
        let process = self.start_dump(cx, database, compression).await?;
        let dump = async {
            let dumped = self.drain_dump(cx, sink, &database.name, process).await;
            dumped.inspect_err(|_| counting.cancel.cancel())
        };
        let holder = database.holder.take();
        let (dumped, counted) = join(dump, count(&counting, holder, &database.name)).await;
        let (dumped, mut counted) = (dumped?, counted?);
        let sequences = sequences::counted(&database.sequences, &database.name);
        counted.counts.inventory.extend(sequences);
        let owned = sequences::counted(&database.catalog.sequences, &database.name);
        counted.counts.inventory.extend(owned);
        let beside = self.drain_sequences(sink, &database.sequences, &database.name);
        let artifacts = [dumped].into_iter().chain(beside.await?).chain(catalog).collect();
        let saved = (!database.catalog.is_empty()).then(|| {
            let named = left_out::named(&database.catalog.named);
            format!("`{}`: {named}", database.name)
        });
        Ok(Dumped {
            artifacts,
            counted,
            saved,
        })
    }

    /// Starts a dump and returns when its first bytes are there. It then holds its own locks and has read every
    /// definition and every sequence: only rows are left.
    async fn start_dump(
        &self,
        cx: &Cx,
        database: &PinnedDatabase,
        compression: Compression,
    ) -> Result<Process, StoreError> {
        let snapshot = format!("--snapshot={}", database.snapshot);
        // Else it would be the role's or the database's `client_encoding`, into which not every name can be converted.
        let encoding = format!("--encoding={}", database.catalog.encoding);
        let arguments = ["-Fc", "--no-password", compression.option(), &snapshot, &encoding];
        let process = self.start(cx, Tool::Dump, &database.name, &arguments, false).await?;
        let what = format!("dumping database `{}`", database.name);
        let begun = CancellationToken::new();
        let open = async {
            let opened = opened(cx, dumping(&what), process).await;
            begun.cancel();
            opened
        };
        match &database.holder {
            Some(holder) => join(open, queue::let_pass(cx, holder, &begun)).await.0,
            None => open.await,
        }
    }

    async fn drain_dump(&self, cx: &Cx, sink: &Sink, database: &str, process: Process) -> Result<Artifact, StoreError> {
        let what = format!("dumping database `{database}`");
        let name = ArtifactName::of(&[self.name.as_str(), &format!("{database}.dump")]);
        let write = async |writer: &mut ArtifactWriter| stream_out(cx, dumping(&what), process, writer).await;
        let put = sink.put(&self.name, name, (DATABASE, Some(database)), write).await?;
        Ok(put.0)
    }
}

fn dumping(what: &str) -> Doing<'_> {
    Doing {
        what,
        tool: Tool::Dump.program(),
    }
}

/// Counts on the holder's session, which has everything locked already: the dump holds its own locks by then, but a
/// session that came anew would have to queue behind whoever waits for them. The holder ends with the count.
async fn count(cx: &Cx, holder: Option<Session>, database: &str) -> Result<Counted, StoreError> {
    let Some(holder) = holder else {
        return Err(StoreError::Unfit(format!("database `{database}` is pinned no more")));
    };
    let counted = async {
        Ok(Counted {
            counts: inventory::count(cx, &holder, database).await?,
            extensions: inventory::extensions(cx, &holder).await?,
            bytes: inventory::bytes(cx, &holder).await?,
            // Last: a look that is refused ends the transaction.
            left_out: left_out::of_database(cx, &holder, database).await?,
        })
    };
    let counted = counted.await;
    match &counted {
        Ok(_) => holder.close().await,
        // A count that was told to stop may still run.
        Err(_) => holder.abort().await,
    }
    counted
}
