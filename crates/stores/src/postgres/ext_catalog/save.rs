//! Saving what extensions own, before the dump of its database and in the same snapshot.

use bytes::Bytes;
use futures::future::join;
use stillpoint_core::manifest::Artifact;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::Command;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, StoreError};
use tokio_util::sync::CancellationToken;

use super::definitions::{Definition, definitions};
use super::gzip::Packing;
use super::script::{copying, head, tail};
use super::{CATALOG, FILE, find};
use crate::postgres::access::server;
use crate::postgres::pin::PinnedDatabase;
use crate::postgres::tools::Tool;
use crate::postgres::{PostgresStore, queue};
use crate::toolbox::{Doing, collect, stream_out_of_script};

/// psql, told what to copy.
pub(super) const PSQL: [&str; 5] = ["psql", "-XAtq", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"];

impl PostgresStore {
    /// Stores what the extensions of a pinned database own; nothing where the dump has all.
    pub(in crate::postgres) async fn drain_catalog(
        &self,
        cx: &Cx,
        sink: &Sink,
        database: &PinnedDatabase,
    ) -> Result<Option<Artifact>, StoreError> {
        if database.catalog.is_empty() {
            return Ok(None);
        }
        let definitions = self.definitions(cx, database).await?;
        let head = head(&database.name, &database.catalog, &definitions);
        let file = ArtifactName::of(&[self.name.as_str(), &format!("{}{FILE}", database.name)]);
        let about = (CATALOG, Some(database.name.as_str()));
        let write = async |writer: &mut ArtifactWriter| self.copy(cx, database, &head, writer).await;
        Ok(Some(sink.put(&self.name, file, about, write).await?.0))
    }

    /// Every definition that the members need, as `pg_dump` writes it. A table that a client waits to change is waited for,
    /// unless the holder lets this go first.
    async fn definitions(&self, cx: &Cx, database: &PinnedDatabase) -> Result<Vec<Definition>, StoreError> {
        let Some(holder) = &database.holder else {
            return Err(StoreError::Unfit(format!(
                "database `{}` is pinned no more",
                database.name
            )));
        };
        let what = format!("reading what extensions own in database `{}`", database.name);
        let wanted = find::wanted(holder).await;
        let wanted = wanted.map_err(|error| server(&what, error))?;
        let snapshot = format!("--snapshot={}", database.snapshot);
        let arguments = [
            "--schema-only",
            "--binary-upgrade",
            "--verbose",
            "--no-blobs",
            "--encoding=UTF8",
            "--no-password",
            &snapshot,
        ];
        let process = self.start(cx, Tool::Dump, &database.name, &arguments, false).await?;
        let doing = Doing {
            what: &what,
            tool: Tool::Dump.program(),
        };
        let ended = CancellationToken::new();
        let dump = async {
            let dump = collect(cx, doing, process).await;
            ended.cancel();
            dump
        };
        let (dump, ()) = join(dump, queue::let_pass(cx, holder, &ended)).await;
        Ok(definitions(&dump?, &wanted))
    }

    async fn copy(
        &self,
        cx: &Cx,
        database: &PinnedDatabase,
        head: &str,
        writer: &mut ArtifactWriter,
    ) -> Result<(), StoreError> {
        let mut packing = Packing::new();
        writer.write(packing.add(head.as_bytes())?).await?;
        let what = format!("copying what extensions own in database `{}`", database.name);
        let doing = Doing {
            what: &what,
            tool: PSQL[0],
        };
        let command = Command::new(PSQL)
            .env("PGAPPNAME", "stillpoint".into())
            .env("PGCLIENTENCODING", database.catalog.of_texts().into());
        let process = self.run(cx, command, &database.name, true).await?;
        let script = copying(&database.snapshot, &database.catalog);
        let begun = CancellationToken::new();
        let copy = async {
            let mut pack = |piece: Bytes| {
                begun.cancel();
                packing.add(&piece)
            };
            let copied = stream_out_of_script(cx, doing, process, script.as_bytes(), writer, &mut pack).await;
            begun.cancel();
            copied
        };
        match &database.holder {
            Some(holder) => join(copy, queue::let_pass(cx, holder, &begun)).await.0?,
            None => copy.await?,
        }
        writer.write(packing.add(tail(&database.catalog).as_bytes())?).await?;
        writer.write(packing.finish()?).await?;
        Ok(())
    }
}
