//! The load: globals first, then each database from its dump, under its own name, with the old one
//! set aside. May be repeated after a death at any point.

use stillpoint_core::backups::Artifacts;
use stillpoint_core::manifest::Artifact;
use stillpoint_core::stores::{Cx, Source, StoreError, together};
use stillpoint_pg::Session;

use super::access::{MAINTENANCE, server};
use super::drain::{DATABASE, GLOBALS};
use super::passwords::Roles;
use super::sequences::SEQUENCES;
use super::tools::Tool;
use super::{PostgresStore, globals};
use crate::toolbox::{BY_SIZE, Doing, cancellable, damaged, feed};

impl PostgresStore {
    pub(super) async fn load_all(&self, cx: &Cx, source: Source<'_>) -> Result<(), StoreError> {
        let Source { record, artifacts, .. } = source;
        let session = self.open(cx, MAINTENANCE).await?;
        let prepared = self.prepare(cx, &session, source).await;
        // `CREATE DATABASE` needs a template without visitors.
        session.close().await;
        prepared?;
        let mut databases: Vec<&Artifact> = record.artifacts.iter().filter(|one| one.content == DATABASE).collect();
        // The largest first, so that none is left alone at the end.
        databases.sort_by_key(|artifact| std::cmp::Reverse(artifact.size));
        let beside = |database: &Artifact| {
            let is_it = |one: &&Artifact| one.content == SEQUENCES && one.of == database.of;
            record.artifacts.iter().find(is_it)
        };
        let databases = databases.into_iter().map(|database| (database, beside(database)));
        let load =
            |(database, sequences), cx| async move { self.load_database(&cx, database, sequences, artifacts).await };
        let (_, failure) = together(cx, cx.processors, databases, load).await;
        failure.map_or(Ok(()), Err)
    }

    async fn prepare(&self, cx: &Cx, session: &Session, source: Source<'_>) -> Result<(), StoreError> {
        for artifact in &source.record.artifacts {
            match (artifact.content.as_str(), &artifact.of) {
                (GLOBALS, _) => {
                    let packed = self.read(artifact, source.artifacts).await?;
                    let roles = Roles::of(cx, session, &self.name, source.passwords).await?;
                    globals::replay(cx, session, &globals::unpack(&packed)?, &roles).await?;
                }
                // They are set when their database was loaded.
                (SEQUENCES, Some(_)) => {}
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

    /// `-C` makes the database with its owner, settings, rights and comment; `--exit-on-error`
    /// because `pg_restore` otherwise goes on after errors.
    async fn load_database(
        &self,
        cx: &Cx,
        artifact: &Artifact,
        sequences: Option<&Artifact>,
        artifacts: &Artifacts,
    ) -> Result<(), StoreError> {
        let name = artifact.of.as_deref().unwrap_or_default();
        let reader = artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        let arguments = ["--create", "--exit-on-error", "--no-password", "--dbname", MAINTENANCE];
        let process = self.start(cx, Tool::Restore, MAINTENANCE, &arguments, true).await?;
        let what = format!("loading database `{name}`");
        feed(
            cx,
            Doing {
                what: &what,
                tool: Tool::Restore.program(),
            },
            process,
            reader,
        )
        .await?;
        if let Some(sequences) = sequences {
            self.set_sequences(cx, sequences, artifacts, name).await?;
        }
        self.analyse(cx, name).await
    }

    /// Planner statistics are in no dump before PostgreSQL 18: without them the first queries crawl.
    async fn analyse(&self, cx: &Cx, name: &str) -> Result<(), StoreError> {
        let session = self.open(cx, name).await?;
        let analysed = cancellable(cx, session.run(BY_SIZE, "ANALYZE")).await;
        session.close().await;
        analysed?.map_err(|error| server(format!("analysing database `{name}`"), error))
    }
}
