//! The load: globals first, then each database from its dump, under its own name, with the old one
//! set aside. Databases are loaded side by side and independently: what one of them cannot be loaded for keeps no other
//! from being loaded. Those that failed are tried once more, when all others are there and as their own users would see
//! them ([`reload`](super::reload)). May be repeated after a death at any point.

use async_trait::async_trait;
use stillpoint_core::backups::Artifacts;
use stillpoint_core::manifest::Artifact;
use stillpoint_core::stores::{Cx, Footing, Gap, Source, Staged, StoreError, together};
use stillpoint_pg::Session;

use super::access::{MAINTENANCE, server};
use super::drain::{DATABASE, GLOBALS};
use super::ext_catalog::CATALOG;
use super::passwords::Roles;
use super::reload::{Part, Path};
use super::sequences::SEQUENCES;
use super::tools::Tool;
use super::{PostgresStore, globals, left_out, repack, timescale};
use crate::toolbox::{BY_SIZE, Doing, cancellable, damaged, feed};

/// A database of the backup.
#[derive(Clone, Copy)]
pub(super) struct Dump<'a> {
    pub(super) name: &'a str,
    pub(super) rows: &'a Artifact,
    pub(super) sequences: Option<&'a Artifact>,
    /// What its extensions own.
    pub(super) catalog: Option<&'a Artifact>,
    /// The backup has `TimescaleDB`, in this database or another: in these versions.
    pub(super) timescale: Option<&'a [&'a str]>,
}

/// A restore of one server.
pub(super) struct Load {
    store: PostgresStore,
    source: Source,
    gaps: Vec<Gap>,
}

impl Load {
    pub(super) fn new(store: &PostgresStore, source: Source) -> Self {
        let store = store.clone();
        Self {
            store,
            source,
            gaps: Vec::new(),
        }
    }
}

#[async_trait]
impl Staged for Load {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Running]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        self.gaps = self.store.load_all(cx, &self.source).await?;
        Ok(())
    }

    fn gaps(&self) -> Vec<Gap> {
        self.gaps.clone()
    }
}

impl PostgresStore {
    async fn load_all(&self, cx: &Cx, source: &Source) -> Result<Vec<Gap>, StoreError> {
        let Source { record, artifacts, .. } = source;
        let session = self.open(cx, MAINTENANCE).await?;
        left_out::tell(cx, record);
        let prepared = async {
            self.hold_jobs_off(cx, &session).await?;
            self.prepare(cx, &session, source).await
        };
        let prepared = prepared.await;
        // `CREATE DATABASE` needs a template without sessions.
        session.close().await;
        prepared?;
        let mut databases: Vec<&Artifact> = record.artifacts.iter().filter(|one| one.content == DATABASE).collect();
        // The largest first, so that none is left alone at the end.
        databases.sort_by_key(|artifact| std::cmp::Reverse(artifact.size));
        let beside = |database: &Artifact, content: &str| {
            let is_it = |one: &&Artifact| one.content == content && one.of == database.of;
            record.artifacts.iter().find(is_it)
        };
        let versions = timescale::versions(record);
        let timescale = versions.as_deref();
        let dumps = databases.into_iter().map(|dump| Dump {
            name: dump.of.as_deref().unwrap_or_default(),
            rows: dump,
            sequences: beside(dump, SEQUENCES),
            catalog: beside(dump, CATALOG),
            timescale,
        });
        let dumps: Vec<Dump<'_>> = dumps.collect();
        let load = |dump, cx| async move { self.load_first(&cx, dump, artifacts).await };
        let (tried, failure) = together(cx, cx.processors, dumps.iter().copied(), load).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let failed = dumps.iter().zip(tried);
        let again: Vec<_> = failed.filter_map(|(dump, error)| Some((*dump, error?))).collect();
        let gaps = self.load_again(cx, &again, source).await?;
        let has_gap = |dump: &&Dump<'_>| gaps.iter().any(|gap| gap.part == dump.name);
        let whole: Vec<Dump<'_>> = dumps.iter().filter(|dump| !has_gap(dump)).copied().collect();
        self.refresh_what_reads_others(cx, &whole).await?;
        self.mend_ports_of_jobs(cx, &source.record).await?;
        Ok(gaps)
    }

    /// A failure that may be of the dump's own making is returned as a success: it is tried once more.
    async fn load_first(
        &self,
        cx: &Cx,
        dump: Dump<'_>,
        artifacts: &Artifacts,
    ) -> Result<Option<StoreError>, StoreError> {
        match self.load_database(cx, dump, artifacts, Path::None).await {
            Ok(()) => Ok(None),
            Err(error @ (StoreError::Tool { .. } | StoreError::Server { .. })) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }

    async fn prepare(&self, cx: &Cx, session: &Session, source: &Source) -> Result<(), StoreError> {
        for artifact in &source.record.artifacts {
            match (artifact.content.as_str(), &artifact.of) {
                (GLOBALS, _) => {
                    let packed = self.read(artifact, &source.artifacts).await?;
                    let roles = Roles::of(cx, session, &self.name, source.passwords).await?;
                    globals::replay(cx, session, &globals::unpack(&packed)?, &roles).await?;
                }
                // They follow their database's rows.
                (SEQUENCES | CATALOG, Some(_)) => {}
                (DATABASE, Some(name)) => self.make_room(cx, session, name).await?,
                (content, _) => {
                    return Err(StoreError::Unfit(format!(
                        "{}: cannot load `{content}` ({})",
                        self.name, artifact.name
                    )));
                }
            }
        }
        Ok(())
    }

    pub(super) async fn read(&self, artifact: &Artifact, artifacts: &Artifacts) -> Result<Vec<u8>, StoreError> {
        let mut reader = artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        let mut whole = Vec::new();
        while let Some(piece) = reader.next().await.map_err(damaged)? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    pub(super) async fn load_database(
        &self,
        cx: &Cx,
        dump: Dump<'_>,
        artifacts: &Artifacts,
        path: Path,
    ) -> Result<(), StoreError> {
        let Dump { name, sequences, .. } = dump;
        match (dump.catalog, path) {
            // A name that is no ASCII is made right in sections alone.
            (None, Path::None) if name.is_ascii() && dump.timescale.is_none() => {
                self.load_rows(cx, dump, artifacts, path, Part::All).await?;
            }
            _ => self.load_in_sections(cx, dump, artifacts, path).await?,
        }
        self.finish_load(cx, name, sequences, artifacts).await
    }

    /// What is no part of the dump, when that was loaded.
    pub(super) async fn finish_load(
        &self,
        cx: &Cx,
        name: &str,
        sequences: Option<&Artifact>,
        artifacts: &Artifacts,
    ) -> Result<(), StoreError> {
        if let Some(sequences) = sequences {
            self.set_sequences(cx, sequences, artifacts, name).await?;
        }
        let session = self.open(cx, name).await?;
        let finished = self.finish_database(cx, &session, name).await;
        session.close().await;
        finished
    }

    /// Loads from a dump by the server's own `pg_restore`.
    pub(super) async fn load_rows(
        &self,
        cx: &Cx,
        dump: Dump<'_>,
        artifacts: &Artifacts,
        path: Path,
        part: Part,
    ) -> Result<(), StoreError> {
        let reader = artifacts.open(&self.name, dump.rows).await.map_err(damaged)?;
        let process = self.start_load(cx, dump.name, path, part).await?;
        let what = format!("loading database `{}`", dump.name);
        let doing = Doing {
            what: &what,
            tool: Tool::Restore.program(),
        };
        feed(cx, doing, process, reader).await
    }

    async fn finish_database(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        if repack::remove(cx, session).await? > 0 {
            cx.report.warn(format!(
                "{}: database `{name}`: what a killed pg_repack had left behind is not restored",
                self.name
            ));
        }
        self.tell_subscriptions(cx, session, name).await?;
        self.analyse(cx, session, name).await
    }

    /// They come back disabled, and what was published meanwhile is not fetched by itself.
    async fn tell_subscriptions(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        let disabled = session.column(cx.idle_limit, SUBSCRIPTIONS).await;
        let disabled = disabled.map_err(|error| server("looking for subscriptions", error))?;
        if !disabled.is_empty() {
            cx.report.warn(format!(
                "{}: database `{name}`: subscriptions came back disabled, so that nothing is fetched twice: {}. Copy what is \
                 missing, then `ALTER SUBSCRIPTION … ENABLE` and `ALTER SUBSCRIPTION … REFRESH PUBLICATION`",
                self.name,
                disabled.join(", ")
            ));
        }
        Ok(())
    }

    /// Planner statistics are in no dump before PostgreSQL 18: without them the first queries crawl. They hold no data: what
    /// cannot be analysed is told, and nothing waits for it.
    async fn analyse(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        for failed in cancellable(cx, analyse(session)).await? {
            cx.report.warn(format!(
                "{}: database `{name}`: the planner has no statistics of {failed}; queries may be slow until ANALYZE succeeds",
                self.name
            ));
        }
        Ok(())
    }
}

const SUBSCRIPTIONS: &str = "SELECT quote_ident(subname) FROM pg_subscription \
    WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND NOT subenabled ORDER BY 1";

/// What ANALYZE looks at, as the database's users would.
const ANALYSED: &str = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";

/// All at once, or, where one table cannot be analysed, one by one. Returns what could not be, with the reason.
async fn analyse(session: &Session) -> Vec<String> {
    let all = async {
        session.run(BY_SIZE, "SET search_path TO DEFAULT").await?;
        session.run(BY_SIZE, "ANALYZE").await
    };
    let Err(first) = all.await else {
        return Vec::new();
    };
    let Ok(tables) = session.column(BY_SIZE, ANALYSED).await else {
        return vec![format!("any table: {first}")];
    };
    let mut failed = Vec::new();
    for table in tables {
        if let Err(error) = session.run(BY_SIZE, &format!("ANALYZE {table}")).await {
            failed.push(format!("{table}: {error}"));
        }
    }
    failed
}
