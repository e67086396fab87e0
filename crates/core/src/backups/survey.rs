//! What retention has to know about every directory of a repository: whose it is, and how it stands. A
//! directory is ours if its manifest, its `run.json` or its `deleted.json` names our platform; what
//! nothing marks as ours is told and never touched.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::remove::Deletion;
use super::{Backups, DELETED, DOCUMENT_LIMIT, MANIFEST, Marks, PARTIAL, READS_AT_ONCE, RUN, ReadError};
use crate::manifest::{RunRecord, Unreadable};
use crate::names::{BackupId, Project, RunId};
use crate::ports::repository::Entry as Found;
use crate::ports::{Key, RepositoryError};
use crate::retention::{Entry, Exempt, Standing};

/// A repository through the eyes of retention.
#[derive(Debug, Default)]
pub struct Survey {
    /// What is ours.
    pub ours: Vec<Entry>,
    /// What looks like a backup and is not marked as ours.
    pub foreign: Vec<BackupId>,
}

/// A directory's objects, by their names in it.
#[derive(Default)]
struct Directory {
    names: BTreeSet<String>,
    newest: Option<Timestamp>,
}

impl Directory {
    fn take(&mut self, name: &str, found: &Found) {
        self.names.insert(name.to_owned());
        self.newest = self.newest.max(Some(found.written));
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// How a directory that is ours stands.
struct Look {
    standing: Standing,
    /// It is the way back from a restore.
    is_copy: bool,
}

impl From<Standing> for Look {
    fn from(standing: Standing) -> Self {
        Self {
            standing,
            is_copy: false,
        }
    }
}

fn exempt(protected: bool, is_copy: bool) -> Option<Exempt> {
    if protected {
        Some(Exempt::Protected)
    } else {
        is_copy.then_some(Exempt::Safety)
    }
}

impl Backups {
    /// Looks at everything. What `writer` is writing is held.
    pub async fn survey(&self, platform: &Project, writer: Option<&RunId>) -> Result<Survey, RepositoryError> {
        let found = self.repository.list(None).await?;
        let marks = Marks::of(&found);
        let directories = directories(&found);
        let marks = &marks;
        let looks = directories.into_iter().map(|(id, directory)| async move {
            let look = self.look_at(id, &directory, platform, writer, marks).await?;
            Ok::<_, RepositoryError>((id, look))
        });
        let looks: Vec<_> = stream::iter(looks).buffered(READS_AT_ONCE).try_collect().await?;
        let mut survey = Survey::default();
        for (id, look) in looks {
            match look {
                Some(Look { standing, is_copy }) => survey.ours.push(Entry {
                    id,
                    standing,
                    exempt: exempt(marks.protected.contains(&id), is_copy),
                }),
                None => survey.foreign.push(id),
            }
        }
        Ok(survey)
    }

    /// None: it is not marked as ours.
    async fn look_at(
        &self,
        id: BackupId,
        directory: &Directory,
        platform: &Project,
        writer: Option<&RunId>,
        marks: &Marks,
    ) -> Result<Option<Look>, RepositoryError> {
        if directory.has(DELETED) {
            let begun: Option<Deletion> = self.said(id, DELETED).await?;
            return Ok(begun
                .filter(|begun| begun.platform == *platform)
                .map(|_| Standing::HalfDeleted.into()));
        }
        if directory.has(MANIFEST) {
            return match self.manifest(id).await {
                Ok(manifest) if manifest.platform != *platform => Ok(None),
                Ok(manifest) => Ok(Some(Look {
                    standing: if marks.is_damaged(id) {
                        Standing::FailedVerification
                    } else {
                        Standing::Complete
                    },
                    is_copy: manifest.safety_of.is_some(),
                })),
                // Deleted since it was listed.
                Err(ReadError::Unknown(_) | ReadError::Incomplete(..)) => Ok(None),
                Err(ReadError::Repository(error)) => Err(error),
                Err(ReadError::Unreadable { cause, .. }) => {
                    let newer = matches!(cause, Unreadable::Newer(_));
                    let ours = self.is_run_of(id, platform).await?;
                    Ok(ours.then(|| Standing::Unusable { newer }.into()))
                }
            };
        }
        let run: Option<RunRecord> = self.said(id, RUN).await?;
        let Some(run) = run.filter(|run| run.platform == *platform) else {
            return Ok(None);
        };
        let standing = if directory.has(PARTIAL) {
            Standing::Partial
        } else {
            Standing::Torso {
                written: directory.newest.unwrap_or(run.began),
                held: writer == Some(&run.run),
            }
        };
        Ok(Some(standing.into()))
    }

    async fn is_run_of(&self, id: BackupId, platform: &Project) -> Result<bool, RepositoryError> {
        let run: Option<RunRecord> = self.said(id, RUN).await?;
        Ok(run.is_some_and(|run| run.platform == *platform))
    }

    /// One of our small documents; none if it is missing or is not what we write.
    async fn said<T: DeserializeOwned>(&self, id: BackupId, name: &str) -> Result<Option<T>, RepositoryError> {
        match self.read(&Key::of(id, name), DOCUMENT_LIMIT).await {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(RepositoryError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether nobody has begun or ended anything in this directory: what others made, and only that,
    /// may be adopted.
    pub(super) async fn is_unmarked(&self, id: BackupId) -> Result<Option<&'static str>, RepositoryError> {
        let found = self.repository.list(Some(&id.to_string())).await?;
        let has = |name: &str| found.iter().any(|entry| entry.key == Key::of(id, name));
        Ok([MANIFEST, DELETED, PARTIAL, RUN].into_iter().find(|name| has(name)))
    }
}

fn directories(found: &[Found]) -> BTreeMap<BackupId, Directory> {
    let mut directories: BTreeMap<BackupId, Directory> = BTreeMap::new();
    for entry in found {
        if let Some((directory, name)) = entry.key.split()
            && let Ok(id) = directory.parse()
        {
            directories.entry(id).or_default().take(name, entry);
        }
    }
    directories
}
