//! Whether artifacts are what their names say, whatever their hashes: the server's own tools read them to
//! their ends and write nothing. Also, what artifacts of others are, by their names.

use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::names::{ArtifactName, StoreName, unescape};
use stillpoint_core::stores::{Cx, StoreError};

use super::access::MAINTENANCE;
use super::drain::{DATABASE, GLOBALS};
use super::ext_catalog::{self, CATALOG, Unpacking, Whole};
use super::preflight::major;
use super::sequences::SEQUENCES;
use super::tools::Tool;
use super::{PostgresStore, globals, sequences};
use crate::toolbox::{Doing, UNPACKED_AT_ONCE, damage_of_all, damaged, feed, guarded};

/// The last words of `pg_dumpall`: without them it died.
const LAST_WORDS: &str = "PostgreSQL database cluster dump complete";

const GLOBALS_FILE: &str = "globals.sql.gz";
const DUMP: &str = ".dump";

impl PostgresStore {
    pub(super) async fn read_along(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        let needs_newer = major(&self.version(cx).await?) < major(&record.version);
        let read = |artifact| async move {
            match self.read_one(cx, artifact, artifacts).await {
                Err(error @ StoreError::Tool { .. }) if !needs_newer && !is_too_new(&error) => {
                    Err(StoreError::Damaged(error.to_string()))
                }
                Err(StoreError::Tool { .. }) => Err(newer_tool(record)),
                read => read,
            }
        };
        damage_of_all(&self.name, record, read).await
    }

    async fn read_one(&self, cx: &Cx, artifact: &Artifact, artifacts: &Artifacts) -> Result<(), StoreError> {
        match artifact.content.as_str() {
            GLOBALS => self.read_globals(artifact, artifacts).await,
            SEQUENCES => self.read_sequences(artifact, artifacts).await,
            CATALOG => self.read_catalog(cx, artifact, artifacts).await,
            _ => self.read_dump(cx, artifact, artifacts).await,
        }
    }

    async fn read_globals(&self, artifact: &Artifact, artifacts: &Artifacts) -> Result<(), StoreError> {
        let text = globals::unpack(&self.read(artifact, artifacts).await?)?;
        if text.contains(LAST_WORDS) {
            return Ok(());
        }
        Err(StoreError::Damaged("it ends before the end of the dump".to_owned()))
    }

    async fn read_sequences(&self, artifact: &Artifact, artifacts: &Artifacts) -> Result<(), StoreError> {
        sequences::is_whole(&self.read(artifact, artifacts).await?)
    }

    async fn read_catalog(&self, cx: &Cx, artifact: &Artifact, artifacts: &Artifacts) -> Result<(), StoreError> {
        let mut reader = artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        let (mut unpacking, mut whole) = (Unpacking::new(), Whole::default());
        while let Some(piece) = guarded(cx, "reading", reader.next()).await?.map_err(damaged)? {
            for packed in piece.chunks(UNPACKED_AT_ONCE) {
                whole.add(&unpacking.add(packed)?);
            }
        }
        whole.add(&unpacking.finish()?);
        whole.finish()
    }

    async fn read_dump(&self, cx: &Cx, artifact: &Artifact, artifacts: &Artifacts) -> Result<(), StoreError> {
        let reader = artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        let process = self
            .start(cx, Tool::Restore, MAINTENANCE, &["--file=/dev/null"], true)
            .await?;
        let doing = Doing {
            what: "reading a dump",
            tool: Tool::Restore.program(),
        };
        feed(cx, doing, process, reader).await
    }
}

/// The words of an archive's reader for a format that is newer than itself. The tools of a container may be older than its
/// server, and of what others made nobody knows the version.
fn is_too_new(error: &StoreError) -> bool {
    matches!(error, StoreError::Tool { errors, .. } if errors.contains("unsupported version (") && errors.contains("in file header"))
}

/// A tool that is older than what made a dump need not be able to read it: that says nothing of the dump.
fn newer_tool(record: &StoreRecord) -> StoreError {
    let made = match record.version.as_str() {
        "" => "a newer PostgreSQL".to_owned(),
        version => format!("PostgreSQL {version}"),
    };
    StoreError::Unfit(format!(
        "the dumps are of {made} and need a pg_restore of that version or a newer one"
    ))
}

/// What others have put there under this name, if it lies in the store's folder.
pub(super) fn recognise(store: &StoreName, name: &ArtifactName) -> Option<(String, Option<String>)> {
    let (folder, file) = name.as_str().split_once('/')?;
    if unescape(folder)? != store.as_str() {
        return None;
    }
    if file == GLOBALS_FILE {
        return Some((GLOBALS.to_owned(), None));
    }
    let endings = [
        (sequences::FILE, SEQUENCES),
        (ext_catalog::FILE, CATALOG),
        (DUMP, DATABASE),
    ];
    let known = endings
        .iter()
        .find_map(|(ending, content)| Some((file.strip_suffix(ending)?, content)));
    let (database, content) = known.filter(|(database, _)| !database.contains('/'))?;
    Some(((*content).to_owned(), Some(unescape(database)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<(String, Option<String>)> {
        recognise(&StoreName::new("pg"), &ArtifactName::try_from(name.to_owned()).unwrap())
    }

    #[test]
    fn a_reader_that_is_older_than_the_archive_found_no_damage() {
        let failed = |errors: &str| StoreError::Tool {
            doing: "reading a dump".into(),
            tool: "pg_restore".into(),
            code: 1,
            errors: errors.into(),
        };
        assert!(is_too_new(&failed(
            "pg_restore: error: unsupported version (1.16) in file header"
        )));
        assert!(!is_too_new(&failed(
            "pg_restore: error: could not read from input file: end of file"
        )));
    }

    #[test]
    fn what_others_made_is_known_by_its_name() {
        assert_eq!(known("pg/globals.sql.gz"), Some(("globals".into(), None)));
        assert_eq!(
            known("pg/we%20ird.dump"),
            Some(("database".into(), Some("we ird".into())))
        );
        assert_eq!(
            known("pg/x.sequences.sql.gz"),
            Some(("sequences".into(), Some("x".into())))
        );
        assert_eq!(
            known("pg/x.ext-catalog.sql.gz"),
            Some(("extension catalog".into(), Some("x".into())))
        );
        for name in [
            "pg/notes.txt",
            "pg/deep/x.dump",
            "valkey.rdb",
            "other/x.dump",
            "pg/%FF.dump",
        ] {
            assert_eq!(known(name), None, "{name}");
        }
    }
}
