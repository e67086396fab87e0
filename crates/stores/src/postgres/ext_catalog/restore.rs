//! A load in sections: definitions, rows, what is built on rows. Between them comes what the dump has not. It is also how a
//! database is loaded whose extensions bring rows into tables that the dump fills: those rows are taken out before.

use bytes::Bytes;
use stillpoint_core::backups::Artifacts;
use stillpoint_core::manifest::Artifact;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};

use super::definitions::{Definition, ENCODING, INSTEAD_OF, merged, of_bytes, to_bytes};
use super::find::NO_ENCODING;
use super::gzip::Unpacking;
use super::save::PSQL;
use super::script::{ROWS, definitions_of};
use crate::postgres::access::{MAINTENANCE, all_or_nothing, server};
use crate::postgres::load::Dump;
use crate::postgres::reload::{Part, Path, Views, for_second_try};
use crate::postgres::tools::Tool;
use crate::postgres::{PostgresStore, timescale};
use crate::toolbox::{Doing, UNPACKED_AT_ONCE, collect_of, damaged, feed_through, guarded, run_script};

/// Definitions are text: more than this no database has.
const HEAD_LIMIT: usize = 64 << 20;

/// What a dump's rows are loaded into and an extension's script may have filled.
const REGISTERED: &str = "SELECT format('DELETE FROM ONLY %I.%I %s', n.nspname, c.relname, \
        e.extcondition[array_position(e.extconfig, c.oid)]) \
    FROM pg_extension e JOIN pg_class c ON c.oid = ANY(e.extconfig) JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'r' ORDER BY 1";

/// Triggers and foreign keys are held off.
const HELD_OFF: &str = "SET LOCAL session_replication_role = replica";

impl PostgresStore {
    /// Loads a database and what its extensions own.
    pub(in crate::postgres) async fn load_in_sections(
        &self,
        cx: &Cx,
        dump: Dump<'_>,
        artifacts: &Artifacts,
        path: Path,
    ) -> Result<(), StoreError> {
        let name = dump.name;
        let definitions = match dump.catalog {
            Some(catalog) => self.read_definitions(cx, catalog, artifacts).await?,
            None => Vec::new(),
        };
        let (before, _) = self
            .section(cx, dump, artifacts, &["--create", "--section=pre-data"], path)
            .await?;
        let timescale = dump
            .timescale
            .and_then(|versions| timescale::prepared(&before, versions));
        let (has_timescale, before) = (timescale.is_some(), timescale.unwrap_or(before));
        self.run_text(cx, MAINTENANCE, name, &merged(&before, &definitions, false))
            .await?;
        self.take_out_seeds(cx, name).await?;
        self.load_rows(cx, dump, artifacts, path, Part::Rows).await?;
        if let Some(catalog) = dump.catalog {
            self.replay_catalog(cx, catalog, artifacts, name).await?;
        }
        let (after, views) = self
            .section(cx, dump, artifacts, &["--section=post-data"], path)
            .await?;
        self.run_text(cx, name, name, &merged(&after, &definitions, true))
            .await?;
        if has_timescale {
            self.finish_timescale(cx, name).await?;
        }
        self.fill_views(cx, name, &views).await
    }

    /// A section of a dump as text, and what fills materialised views where that is done apart. It proves nothing of the rest.
    async fn section(
        &self,
        cx: &Cx,
        dump: Dump<'_>,
        artifacts: &Artifacts,
        which: &[&str],
        path: Path,
    ) -> Result<(String, Views), StoreError> {
        let reader = artifacts.open(&self.name, dump.rows).await.map_err(damaged)?;
        let arguments = [which, &["--file=-"]].concat();
        let process = self.start(cx, Tool::Restore, MAINTENANCE, &arguments, true).await?;
        let what = format!("reading the definitions of database `{}`", dump.name);
        let doing = Doing {
            what: &what,
            tool: Tool::Restore.program(),
        };
        let text = of_bytes(&collect_of(cx, doing, process, reader).await?);
        // The name of a database is in the encoding of the one that it was made from: not to be converted when it is made.
        let text = text.replacen(
            ENCODING,
            &format!("{ENCODING}{NO_ENCODING}{INSTEAD_OF}"),
            usize::from(which.len() > 1),
        );
        Ok(match path {
            Path::None => (text, Views::default()),
            Path::Own => {
                let (text, refreshes) = for_second_try(&text);
                let views = Views::of(&text, refreshes);
                (text, views)
            }
        })
    }

    pub(in crate::postgres) async fn run_text(
        &self,
        cx: &Cx,
        connected_to: &str,
        name: &str,
        text: &str,
    ) -> Result<(), StoreError> {
        let what = format!("loading database `{name}`");
        let process = self.run(cx, Command::new(PSQL), connected_to, true).await?;
        run_script(cx, replaying(&what), process, &to_bytes(text)).await
    }

    async fn take_out_seeds(&self, cx: &Cx, name: &str) -> Result<(), StoreError> {
        let doing = format!("taking out what extensions have brought into database `{name}`");
        let session = self.open(cx, name).await?;
        let taken = async {
            let found = session.column(cx.idle_limit, REGISTERED).await;
            let mut statements = found.map_err(|error| server(&doing, error))?;
            statements.insert(0, HELD_OFF.to_owned());
            all_or_nothing(cx, &session, &doing, &statements).await
        };
        let taken = taken.await;
        session.close().await;
        taken
    }

    /// Replaces all rows of what is saved, in one transaction. The definitions that the artifact begins with are passed over.
    pub(in crate::postgres) async fn replay_catalog(
        &self,
        cx: &Cx,
        catalog: &Artifact,
        artifacts: &Artifacts,
        name: &str,
    ) -> Result<(), StoreError> {
        let reader = artifacts.open(&self.name, catalog).await.map_err(damaged)?;
        let what = format!("loading what extensions own in database `{name}`");
        let process = self.run(cx, Command::new(PSQL), name, true).await?;
        let (mut unpacking, mut head) = (Unpacking::new(), Some(Vec::new()));
        let mut pass = |piece: Bytes| {
            let text = unpacking.add(&piece)?;
            let Some(before) = &mut head else {
                return Ok(text.into());
            };
            before.extend_from_slice(&text);
            match rows_at(before) {
                Some(place) => {
                    let rows = Bytes::from(before.split_off(place));
                    head = None;
                    Ok(rows)
                }
                None => Ok(Bytes::new()),
            }
        };
        feed_through(cx, replaying(&what), process, reader, &mut pass).await?;
        unpacking.finish().map(drop)
    }

    /// What the artifact begins with. It proves nothing of the rest.
    async fn read_definitions(
        &self,
        cx: &Cx,
        catalog: &Artifact,
        artifacts: &Artifacts,
    ) -> Result<Vec<Definition>, StoreError> {
        let mut reader = artifacts.open(&self.name, catalog).await.map_err(damaged)?;
        let (mut unpacking, mut head) = (Unpacking::new(), Vec::new());
        while let Some(mut piece) = guarded(cx, "reading", reader.next()).await?.map_err(damaged)? {
            while !piece.is_empty() {
                head.extend(unpacking.add(&piece.split_to(piece.len().min(UNPACKED_AT_ONCE)))?);
                if let Some(place) = rows_at(&head) {
                    let text = String::from_utf8_lossy(&head[..place]).into_owned();
                    return definitions_of(&text);
                }
                if head.len() > HEAD_LIMIT {
                    break;
                }
            }
        }
        Err(StoreError::Damaged(format!("{}: it has no rows", catalog.name)))
    }
}

/// Where the rows begin.
fn rows_at(text: &[u8]) -> Option<usize> {
    let mark = format!("\n{ROWS}");
    let found = text.windows(mark.len()).position(|window| window == mark.as_bytes());
    found.map(|place| place + 1)
}

fn replaying(what: &str) -> Doing<'_> {
    Doing { what, tool: PSQL[0] }
}
