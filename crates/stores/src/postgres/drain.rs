//! The drain: globals, then each database's dump from its pinned snapshot, counted in the same
//! snapshot while it is dumped. As many databases at once as there are processors: the dump itself keeps
//! one busy, and the largest comes first, so that none is left alone at the end.

use bytes::Bytes;
use futures::future::join;
use stillpoint_core::manifest::{Artifact, Inventory};
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::store::Drained;
use stillpoint_core::ports::{Cx, StoreError, together};
use stillpoint_core::sink::Sink;

use super::extensions::{EXTENSIONS, VERSIONS};
use super::pin::{PinnedDatabase, PinnedServer};
use super::preflight::BYTES;
use super::tools::{Compression, Tool};
use super::{globals, inventory};
use crate::toolbox::{Doing, stream_out};

/// What an artifact of this kind holds.
pub(super) const GLOBALS: &str = "globals";
pub(super) const DATABASE: &str = "database";

impl PinnedServer {
    pub(super) async fn drain_all(&self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let compression = self.store.probe_tools(cx).await?;
        let mut artifacts = vec![self.drain_globals(cx, sink).await?];
        let mut inventory = Inventory::default();
        let drain = |database, cx| async move { self.drain_and_count(&cx, sink, database, compression).await };
        let (drained, failure) = together(cx, cx.processors, &self.databases, drain).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        for (artifact, counts) in drained {
            artifacts.push(artifact);
            inventory.extend(counts);
        }
        // Whichever was the largest today, the manifest lists them alike every day.
        artifacts.sort_by(|a, b| (&a.of, &a.name).cmp(&(&b.of, &b.name)));
        let extensions = inventory::extensions(cx, &self.databases).await?;
        let mut names: Vec<&str> = extensions.iter().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        let versions: Vec<String> = extensions.iter().map(|(name, is)| format!("{name} {is}")).collect();
        let bytes = inventory::bytes(cx, &self.databases).await?;
        let facts = [
            (EXTENSIONS.to_owned(), names.join(", ")),
            (VERSIONS.to_owned(), versions.join(", ")),
            (BYTES.to_owned(), bytes.to_string()),
        ];
        Ok(Drained {
            version: self.version.clone(),
            pinned: self.at,
            artifacts,
            inventory,
            facts: facts.into_iter().chain(self.tablespaces.clone()).collect(),
        })
    }

    async fn drain_globals(&self, cx: &Cx, sink: &Sink) -> Result<Artifact, StoreError> {
        let name = ArtifactName::of(&[self.store.name.as_str(), "globals.sql.gz"]);
        let mut writer = sink.create(&self.store.name, name).await?;
        match writer.write(Bytes::from(globals::pack(&self.globals)?)).await {
            Ok(()) => Ok(writer.commit(GLOBALS, None).await?),
            Err(error) => {
                writer.abort(&cx.report).await;
                Err(error.into())
            }
        }
    }

    /// Dumps and counts at once, both in the pinned snapshot. A dump that fails ends the count.
    async fn drain_and_count(
        &self,
        cx: &Cx,
        sink: &Sink,
        database: &PinnedDatabase,
        compression: Compression,
    ) -> Result<(Artifact, Inventory), StoreError> {
        let counting = Cx {
            cancel: cx.cancel.child_token(),
            ..cx.clone()
        };
        let dump = async {
            let dumped = self.drain_database(cx, sink, database, compression).await;
            dumped.inspect_err(|_| counting.cancel.cancel())
        };
        let (dumped, counted) = join(dump, inventory::count(&counting, &database.session, &database.name)).await;
        Ok((dumped?, counted?))
    }

    async fn drain_database(
        &self,
        cx: &Cx,
        sink: &Sink,
        database: &PinnedDatabase,
        compression: Compression,
    ) -> Result<Artifact, StoreError> {
        let snapshot = format!("--snapshot={}", database.snapshot);
        let arguments = ["-Fc", "--no-password", compression.option(), &snapshot];
        let process = self
            .store
            .start(cx, Tool::Dump, &database.name, &arguments, false)
            .await?;
        let name = ArtifactName::of(&[self.store.name.as_str(), &format!("{}.dump", database.name)]);
        let writer = sink.create(&self.store.name, name).await?;
        let what = format!("dumping database `{}`", database.name);
        let doing = Doing {
            what: &what,
            tool: Tool::Dump.program(),
        };
        let writer = stream_out(cx, doing, process, writer).await?;
        Ok(writer.commit(DATABASE, Some(&database.name)).await?)
    }
}
