//! Retention carried out: what the pure function of `crate::retention` has decided, one backup after the
//! other, each only while the repository is provably ours. May die anywhere: the next one finishes.

use serde::Serialize;

use super::site::{Run, Site};
use crate::backups::{DeletedBy, Lease};
use crate::engine::errors::Error;
use crate::events::{EventKind, Step};
use crate::manifest::Manifest;
use crate::names::{BackupId, Project};
use crate::ports::RepositoryError;
use crate::ports::repository::PRODUCT;
use crate::retention::{self, RetentionPlan, Verdict};

/// What retention did, or would do.
#[derive(Debug, Serialize)]
pub struct Pruned {
    /// What becomes of every backup, and why.
    pub plan: RetentionPlan,
    /// What is gone.
    pub gone: Vec<BackupId>,
    /// What was to go and is still there, with the reason.
    pub left: Vec<(BackupId, String)>,
    /// What was to go and the repository does not let go, with its words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locked: Vec<(BackupId, String)>,
    /// Why what is gone goes on taking room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Directories that look like backups and are not marked as ours: never touched.
    pub foreign: Vec<BackupId>,
}

/// One that is to be deleted.
pub(super) struct Due {
    pub(super) id: BackupId,
    /// Somebody has begun to: it is a backup no more, whatever is said about it.
    pub(super) half_deleted: bool,
    /// Why, for `deleted.json`.
    pub(super) reason: String,
}

/// What became of those that were to be deleted.
#[derive(Default)]
pub(super) struct Removal {
    pub(super) gone: Vec<BackupId>,
    /// Protected since it was decided that they go.
    pub(super) protected: Vec<BackupId>,
    /// The repository does not let them go.
    pub(super) locked: Vec<(BackupId, String)>,
    /// Something else went wrong.
    pub(super) left: Vec<(BackupId, String)>,
}

impl Pruned {
    fn take(&mut self, removal: Removal) {
        self.gone = removal.gone;
        self.locked = removal.locked;
        self.left = removal.left;
    }

    fn tell_what_stays(&self, run: &Run) {
        if let Some((_, why)) = self.locked.first() {
            let ids: Vec<String> = self.locked.iter().map(|(id, _)| id.to_string()).collect();
            run.report.warn(format!(
                "retention lets {} go, but it stays: {why}; what holds it is the right to delete that our key lacks, or a \
                 retention of the server's own",
                ids.join(", ")
            ));
        }
        if let Some(why) = &self.kept {
            let gone = self.gone.len();
            run.report
                .warn(format!("{gone} deleted, which frees no room yet: {why}"));
        }
    }
}

impl Site {
    /// What retention would do now. Changes nothing.
    pub async fn retention(&self, run: &Run, platform: &Project) -> Result<Pruned, Error> {
        let writer = self
            .backups
            .holder()
            .await
            .map_err(|cause| self.repository_failed(cause))?;
        let writer = writer.map(|writer| writer.run);
        let survey = self.backups.survey(platform, writer.as_ref()).await;
        let survey = survey.map_err(|cause| self.repository_failed(cause))?;
        for id in &survey.foreign {
            run.report.warn(format!(
                "{id} is not marked as a backup of {platform}; it is left alone"
            ));
        }
        Ok(Pruned {
            plan: retention::plan(&survey.ours, &self.retention, self.machine.clock.now()),
            gone: Vec::new(),
            left: Vec::new(),
            locked: Vec::new(),
            kept: None,
            foreign: survey.foreign,
        })
    }

    /// Deletes what retention says. One backup's trouble does not keep the others. What the repository holds on to (by the
    /// rights of our key, by a retention of its own) is told, and is no failure: nobody here can mend it.
    pub async fn prune(&self, run: &Run, lease: &Lease, platform: &Project) -> Result<Pruned, Error> {
        let mut pruned = self.retention(run, platform).await?;
        let going: Vec<BackupId> = pruned.plan.gone().collect();
        if let Some(why) = lease.cannot_delete() {
            pruned.locked = going.into_iter().map(|id| (id, why.to_string())).collect();
            pruned.tell_what_stays(run);
            return Ok(pruned);
        }
        let plan = &pruned.plan;
        let due = going.into_iter().map(|id| {
            let verdict = plan.verdicts.iter().find(|verdict| verdict.id == id);
            Due {
                id,
                half_deleted: verdict.is_some_and(Verdict::is_half_deleted),
                reason: verdict.map_or_else(String::new, |verdict| verdict.reason.to_string()),
            }
        });
        let removed = self.remove_due(run, lease, platform, due.collect()).await?;
        pruned.take(removed);
        if let Err(error) = self.backups.remove_litter().await {
            run.report
                .warn(format!("what dead runs have left in {PRODUCT} stays there: {error}"));
        }
        if !pruned.gone.is_empty() {
            pruned.kept = self.backups.keeps().await;
        }
        pruned.tell_what_stays(run);
        Ok(pruned)
    }

    /// Deletes these, one after the other, each only while the repository is provably ours. One's trouble does not keep the
    /// others.
    pub(super) async fn remove_due(
        &self,
        run: &Run,
        lease: &Lease,
        platform: &Project,
        due: Vec<Due>,
    ) -> Result<Removal, Error> {
        let mut removal = Removal::default();
        for due in due {
            let id = due.id;
            lease.renew().await.map_err(|cause| self.lease_failed(cause))?;
            run.check()?;
            // Dropped in the middle when the lease is lost: whoever has it finishes what is half-deleted.
            match run.unless_cancelled(self.delete(run, platform, due)).await {
                Ok(Ok(true)) => removal.gone.push(id),
                Ok(Ok(false)) => removal.protected.push(id),
                Ok(Err(why @ RepositoryError::Denied { .. })) => removal.locked.push((id, why.to_string())),
                Ok(Err(why)) => removal.left.push((id, why.to_string())),
                Err(interrupted) => {
                    let lost = lease.lost().await;
                    return Err(lost.map_or(interrupted, |cause| self.lease_failed(cause)));
                }
            }
        }
        Ok(removal)
    }

    async fn delete(&self, run: &Run, platform: &Project, due: Due) -> Result<bool, RepositoryError> {
        // Its operator may have protected it since the plan was made.
        if !due.half_deleted && self.backups.is_protected(due.id).await? {
            return Ok(false);
        }
        let order = DeletedBy {
            platform: platform.clone(),
            run: run.report.run().clone(),
            at: self.machine.clock.now(),
            reason: due.reason,
        };
        self.backups.remove(due.id, &order).await?;
        run.report.tell(EventKind::Deleted { backup: due.id });
        Ok(true)
    }
}

/// Retention at the end of a backup. Its failure never unseals: it is told.
pub(super) async fn after_backup(site: &Site, run: &Run, lease: &Lease, manifest: &Manifest) {
    let pruned = run
        .report
        .step(Step::Prune, site.prune(run, lease, &manifest.platform))
        .await;
    let failed = match pruned {
        Ok(pruned) if pruned.left.is_empty() => return,
        Ok(pruned) => Error::from(pruned).to_string(),
        Err(error) => error.to_string(),
    };
    run.report.warn(format!(
        "the backup is good, but old ones could not be removed: {failed}"
    ));
}

impl From<Pruned> for Error {
    /// What is left, as an error.
    fn from(pruned: Pruned) -> Self {
        let left = pruned.left.into_iter();
        Self::Pruned(left.map(|(id, why)| format!("{id}: {why}")).collect())
    }
}
