//! Looking, while the platform runs, whether a backup or a restore can succeed. Writes nothing.

use stillpoint_core::stores::{Cx, Preflight, Reasons, Source, StoreError};

use super::MilvusStore;
use super::config::Config;
use super::facts::Facts;
use super::metadata::{Metadata, marker};
use super::objects::{listed, wanted};
use super::versions::{misfit, too_old};

impl MilvusStore {
    pub(super) async fn look_at_server(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        let config = self.config(cx, &self.workload).await?;
        self.must_be_supported(&config)?;
        let session = self.open(cx, &config).await?;
        let version = session.version().await;
        let version = version.map_err(|trouble| self.failed("asking for its version", trouble))?;
        let read = self.etcd(cx, &config)?.read(&config.etcd_root()).await;
        let snapshot = read.map_err(|error| self.etcd_failed("reading its metadata", error))?;
        let bucket = self.bucket(cx, &config).await?;
        let entries = self.list(cx, &bucket).await?;
        let mut reasons = Reasons::default();
        reasons.note(too_old(&version).map_or(Ok(()), |why| Err(self.unfit(&why))))?;
        reasons.note(self.must_be_whole(&config, snapshot.pairs.contains_key(marker(&config).as_bytes())))?;
        reasons.note(self.must_hold_all(&Metadata::of(&snapshot.pairs, &config), &entries))?;
        reasons.into_result()?;
        self.mark(cx, &config).await?;
        Ok(Preflight {
            version,
            bytes: entries.iter().map(|entry| entry.size).sum(),
            spool: 0,
            in_volume: None,
            warnings: Vec::new(),
        })
    }

    /// Whether what the server was told can be copied, and brought back.
    pub(super) fn must_be_supported(&self, config: &Config) -> Result<(), StoreError> {
        let mut reasons = Reasons::default();
        for why in config.unfit() {
            reasons.note(Err(self.unfit(&why)))?;
        }
        if reasons_are_none(&mut reasons, self.must_be_kept(config))? {
            reasons.note(self.must_lie_in_a_volume(config))?;
        }
        reasons.into_result()
    }

    /// A restore empties the queue while the server is down: a container's own layer is then out of reach.
    fn must_lie_in_a_volume(&self, config: &Config) -> Result<(), StoreError> {
        let own = self.neighbours.iter().find(|workload| workload.id == self.workload);
        let mounts = own.map(|workload| workload.mounts.as_slice()).unwrap_or_default();
        let outside = config.queue_folders().into_iter().find(|folder| {
            let above = |at: &str| folder == at || folder.starts_with(&format!("{}/", at.trim_end_matches('/')));
            !mounts.iter().any(|mount| above(&mount.at))
        });
        match outside {
            None => Ok(()),
            Some(folder) => Err(self.unfit(&format!(
                "its queue lies in {folder}, which is on no volume: a restore has to empty it while the server is down; mount a volume \
                 there"
            ))),
        }
    }

    fn must_be_whole(&self, config: &Config, is_marked: bool) -> Result<(), StoreError> {
        if is_marked {
            return Err(self.unfit(&format!(
                "a restore of it has not ended: what it serves is half of that (etcd has the key {}); resume or undo the restore",
                marker(config)
            )));
        }
        Ok(())
    }

    /// Whether the source can be restored here.
    pub(super) async fn fits(&self, cx: &Cx, source: &Source) -> Result<(), StoreError> {
        let config = self.config(cx, &self.workload).await?;
        self.must_be_supported(&config)?;
        let facts = self.facts(source)?;
        let session = self.open(cx, &config).await?;
        let version = session.version().await;
        let version = version.map_err(|trouble| self.failed("asking for its version", trouble))?;
        if let Some(why) = misfit(&source.record.version, &version) {
            return Err(self.unfit(&why));
        }
        wanted(&facts, listed(&source.record), &source.objects)?;
        self.pairs(cx, &source.record, &facts, &source.artifacts).await?;
        let read = self.etcd(cx, &config)?.read(&config.etcd_root()).await;
        read.map_err(|error| self.etcd_failed("reading its metadata", error))?;
        let bucket = self.bucket(cx, &config).await?;
        self.list(cx, &bucket).await.map(drop)
    }

    pub(super) fn facts(&self, source: &Source) -> Result<Facts, StoreError> {
        let facts = Facts::of(&source.record);
        facts.ok_or_else(|| self.unfit("the backup was made by a method that this program does not know"))
    }
}

/// Notes a look; whether it has found nothing.
fn reasons_are_none(reasons: &mut Reasons, look: Result<(), StoreError>) -> Result<bool, StoreError> {
    let is_none = look.is_ok();
    reasons.note(look)?;
    Ok(is_none)
}
