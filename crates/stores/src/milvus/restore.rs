//! The restore, with the server down and its etcd and its bucket up: objects first, then the metadata in transactions that hold only
//! while no server of this root lives, then what is not in the backup goes. The queue is emptied: it would replay what was written
//! after the backup into what was restored.
//!
//! A server starts on half of its metadata and says that it is healthy. A key beside the metadata says from the first change to the
//! last that it is not whole; after a death all of it is done again.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use stillpoint_core::engine::limits::LOOK_EVERY;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, Footing, Source, Staged, StoreError};

use super::MilvusStore;
use super::config::Config;
use super::etcd::{Change, Etcd, Pairs, changes};
use super::facts::Facts;
use super::metadata::{alive, lasting, marker};
use super::objects::{listed, wanted};
use crate::toolbox::{Doing, finished, guarded};

/// How its container beside the store's is called.
const BESIDE: &str = "milvus-restore";

/// How long the keys of a server that was killed live on beyond their term; half a minute in all was seen.
const LEASES_END: Duration = Duration::from_mins(1);

/// Their term where nobody sets another, in seconds.
const TERM: u64 = 30;

/// Empties folders, and keeps them: one may be a volume.
const EMPTY: &str = r#"for folder; do
  [ -d "$folder" ] || continue
  rm -rf "$folder"/* "$folder"/.[!.]* "$folder"/..?*
done
sync"#;

/// A restore of one server.
pub(super) struct Restore {
    store: MilvusStore,
    source: Source,
}

impl Restore {
    pub(super) fn of(store: &MilvusStore, source: Source) -> Self {
        let store = store.clone();
        Self { store, source }
    }
}

#[async_trait]
impl Staged for Restore {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Stopped]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        let beside = cx.shell.sibling(&self.store.workload, &cx.owner, BESIDE).await?;
        let loaded = Box::pin(self.load(cx, &beside)).await;
        let ended = cx.shell.end_sibling(&beside).await;
        loaded?;
        Ok(ended?)
    }
}

impl Restore {
    async fn load(&self, cx: &Cx, beside: &WorkloadId) -> Result<(), StoreError> {
        let (store, source) = (&self.store, &self.source);
        let config = store.config(cx, beside).await?;
        store.must_be_supported(&config)?;
        let facts = store.facts(source)?;
        let objects = wanted(&facts, listed(&source.record), &source.objects)?;
        let pairs = store.pairs(cx, &source.record, &facts, &source.artifacts).await?;
        let etcd = store.etcd(cx, &config)?;
        let bucket = store.bucket(cx, &config).await?;
        self.wait_until_down(cx, &etcd, &config).await?;
        self.mark(&etcd, &config).await?;
        store.copy_in(cx, &bucket, &source.artifacts, &objects).await?;
        self.replace_metadata(&etcd, &config, &facts, pairs).await?;
        empty(cx, beside, &config).await?;
        store.keep_only_these(cx, &bucket, &objects).await?;
        let unmark = [Change::Delete(marker(&config).into_bytes())];
        self.change(&etcd, &config, &unmark).await
    }

    /// The keys that a server holds while it lives, and for a while after it was killed.
    async fn wait_until_down(&self, cx: &Cx, etcd: &Etcd<'_>, config: &Config) -> Result<(), StoreError> {
        let limit = LEASES_END + Duration::from_secs(config.number("common.session.ttl", TERM));
        let began = cx.clock.elapsed();
        loop {
            let read = etcd.read(&format!("{}session/", config.meta())).await;
            let leased = read
                .map_err(|error| self.store.etcd_failed("reading who lives", error))?
                .leased;
            let Some(key) = leased.first() else {
                return Ok(());
            };
            if cx.clock.elapsed().saturating_sub(began) > limit {
                return Err(self.store.unfit(&format!(
                    "a server with the same etcd and root lives: {} is held",
                    String::from_utf8_lossy(key)
                )));
            }
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
    }

    async fn mark(&self, etcd: &Etcd<'_>, config: &Config) -> Result<(), StoreError> {
        let says = json!({ "run": etcd.cx.owner.to_string(), "since": etcd.cx.clock.now().to_string() });
        let mark = [Change::Put(marker(config).into_bytes(), says.to_string().into_bytes())];
        self.change(etcd, config, &mark).await
    }

    async fn change(&self, etcd: &Etcd<'_>, config: &Config, changes: &[Change]) -> Result<(), StoreError> {
        let done = etcd.change(&alive(config), changes).await;
        done.map_err(|error| self.store.etcd_failed("replacing its metadata", error))
    }

    /// And reads it back.
    async fn replace_metadata(
        &self,
        etcd: &Etcd<'_>,
        config: &Config,
        facts: &Facts,
        pairs: Pairs,
    ) -> Result<(), StoreError> {
        let present = self.read(etcd, config).await?;
        let wanted = rooted(pairs, facts, config, &present);
        self.change(etcd, config, &changes(&present, &wanted)).await?;
        let differences = changes(&self.read(etcd, config).await?, &wanted).len();
        if differences > 0 {
            return Err(self.store.unfit(&format!(
                "{differences} keys of its metadata are not what was written a moment ago: somebody else writes into {}",
                config.etcd_root()
            )));
        }
        Ok(())
    }

    async fn read(&self, etcd: &Etcd<'_>, config: &Config) -> Result<Pairs, StoreError> {
        let read = etcd.read(&config.etcd_root()).await;
        let snapshot = read.map_err(|error| self.store.etcd_failed("reading its metadata", error))?;
        Ok(lasting(snapshot.pairs, config))
    }
}

async fn empty(cx: &Cx, beside: &WorkloadId, config: &Config) -> Result<(), StoreError> {
    let folders = config.queue_folders();
    let words = ["sh", "-euc", EMPTY, "sh"]
        .into_iter()
        .chain(folders.iter().map(String::as_str));
    let process = cx.shell.exec(beside, Command::new(words)).await?;
    let doing = Doing {
        what: "emptying the server's queue",
        tool: "sh",
    };
    finished(cx, doing, process).await
}

/// The metadata of a backup under the present root. Allocators never go back: what they have given out stays given out.
fn rooted(pairs: Pairs, facts: &Facts, config: &Config, present: &Pairs) -> Pairs {
    let root = config.etcd_root().into_bytes();
    let allocators = config.allocators().into_bytes();
    let moved = pairs.into_iter().map(|(key, value)| {
        let key = match key.strip_prefix(facts.etcd_root.as_bytes()) {
            Some(below) => [root.as_slice(), below].concat(),
            None => key,
        };
        let value = match present.get(&key) {
            Some(is) if key.starts_with(&allocators) && is.len() == value.len() => value.max(is.clone()),
            _ => value,
        };
        (key, value)
    });
    moved.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_moves_to_the_present_root_and_allocators_never_go_back() {
        let facts = Facts {
            etcd_root: "old/".into(),
            ..Facts::default()
        };
        let pair = |key: &str, value: &[u8]| (key.as_bytes().to_vec(), value.to_vec());
        let backup = Pairs::from([
            pair("old/kv/gid/idTimestamp", &[1; 8]),
            pair("old/kv/gid/timestamp", &[3; 8]),
            pair("old/meta/x", &[1]),
        ]);
        let present = Pairs::from([
            pair("by-dev/kv/gid/idTimestamp", &[2; 8]),
            pair("by-dev/kv/gid/timestamp", &[2; 8]),
            pair("by-dev/meta/x", &[9]),
        ]);
        let moved = rooted(backup, &facts, &Config::default(), &present);
        assert_eq!(
            moved,
            Pairs::from([
                pair("by-dev/kv/gid/idTimestamp", &[2; 8]),
                pair("by-dev/kv/gid/timestamp", &[3; 8]),
                pair("by-dev/meta/x", &[1]),
            ])
        );
    }
}
