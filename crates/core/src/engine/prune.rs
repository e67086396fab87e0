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

impl Pruned {
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
        for id in going {
            lease.renew().await.map_err(|cause| self.lease_failed(cause))?;
            run.check()?;
            // Dropped in the middle when the lease is lost: whoever has it finishes what is half-deleted.
            match run.unless_cancelled(self.delete(run, platform, &pruned.plan, id)).await {
                Ok(Ok(true)) => pruned.gone.push(id),
                Ok(Ok(false)) => {}
                Ok(Err(why @ RepositoryError::Denied { .. })) => pruned.locked.push((id, why.to_string())),
                Ok(Err(why)) => pruned.left.push((id, why.to_string())),
                Err(interrupted) => {
                    let lost = lease.lost().await;
                    return Err(lost.map_or(interrupted, |cause| self.lease_failed(cause)));
                }
            }
        }
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

    async fn delete(
        &self,
        run: &Run,
        platform: &Project,
        plan: &RetentionPlan,
        id: BackupId,
    ) -> Result<bool, RepositoryError> {
        let verdict = plan.verdicts.iter().find(|verdict| verdict.id == id);
        let half_deleted = verdict.is_some_and(Verdict::is_half_deleted);
        // Its operator may have protected it since the plan was made.
        if !half_deleted && self.backups.is_protected(id).await? {
            return Ok(false);
        }
        let order = DeletedBy {
            platform: platform.clone(),
            run: run.report.run().clone(),
            at: self.machine.clock.now(),
            reason: verdict.map_or_else(String::new, |verdict| verdict.reason.to_string()),
        };
        self.backups.remove(id, &order).await?;
        run.report.tell(EventKind::Deleted { backup: id });
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
