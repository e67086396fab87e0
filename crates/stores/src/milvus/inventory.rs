//! What can be counted in a server: rows by collection, and what users make by number.
//!
//! The metadata knows how many rows were stored. Those are all that there are, unless some were deleted or expire by themselves: then the
//! number is an estimate. What the server answers when it is asked to count is right only some time after it has loaded a collection, so
//! it is asked after a restore alone.

use std::time::Duration;

use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::manifest::Inventory;
use stillpoint_core::stores::{Cx, StoreError};

use super::MilvusStore;
use super::config::Config;
use super::metadata::{Metadata, Stored};
use super::proto::LOADING;
use super::session::{Collection, Session};
use crate::toolbox::guarded;

/// A partition that was loaded a moment ago answers as if it were empty for so long: up to ten seconds were seen.
const SETTLES: Duration = Duration::from_mins(2);

const DOING: &str = "counting what is in it";

/// What its metadata says of these collections. `counted` are the rows of those that were asked, in their order.
pub(super) fn told(
    metadata: &Metadata<'_>,
    config: &Config,
    collections: &[Collection],
    counted: &[Option<u64>],
) -> Inventory {
    let mut inventory = Inventory::default();
    let stored = metadata.stored(config);
    let counted = counted.iter().copied().chain(std::iter::repeat(None));
    for (collection, counted) in collections.iter().zip(counted) {
        let told = collection.told();
        let Stored { rows, loaded, shrinks } = stored.get(&collection.id).copied().unwrap_or_default();
        if shrinks {
            inventory.estimate(format!("{told}: rows stored"), rows);
        } else {
            // Where all that is loaded is there, the metadata's word is taken for the rest.
            let is_partly_asked = loaded > 0 && counted == Some(loaded);
            let found = counted.filter(|_| !is_partly_asked).unwrap_or(rows);
            inventory.exact(format!("{told}: rows"), found);
        }
        let collections = format!("{}: collections", collection.database);
        let before = inventory.0.get(&collections).map_or(0, |count| count.count);
        inventory.exact(collections, before + 1);
    }
    for (what, count) in metadata.counts() {
        inventory.exact(what, count);
    }
    inventory
}

impl MilvusStore {
    /// Counts what is in it now, by asking it.
    async fn count(&self, cx: &Cx, config: &Config, session: &Session<'_>) -> Result<Inventory, StoreError> {
        let snapshot = self.metadata(cx, config).await?;
        let counted = session.rows_of_all().await;
        let counted = counted.map_err(|trouble| self.failed(DOING, trouble))?;
        let (collections, rows): (Vec<_>, Vec<_>) = counted.into_iter().unzip();
        Ok(told(
            &Metadata::of(&snapshot.pairs, config),
            config,
            &collections,
            &rows,
        ))
    }

    /// Counts until it is what the record says, or has had the time to become that: a server that has just started loads what it had
    /// loaded, and some of it is there before it answers.
    pub(super) async fn count_again(&self, cx: &Cx, recorded: &Inventory) -> Result<Inventory, StoreError> {
        let config = self.config(cx, &self.workload).await?;
        let session = self.open(cx, &config).await?;
        self.wait_until_loaded(&session).await?;
        let began = cx.clock.elapsed();
        loop {
            let found = self.count(cx, &config, &session).await?;
            if recorded.differences(&found).is_empty() || cx.clock.elapsed().saturating_sub(began) > SETTLES {
                return Ok(found);
            }
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
    }

    async fn wait_until_loaded(&self, session: &Session<'_>) -> Result<(), StoreError> {
        let failed = |trouble| self.failed("waiting until its collections are loaded", trouble);
        let cx = session.cx;
        let began = cx.clock.elapsed();
        for collection in session.collections().await.map_err(failed)? {
            while session.load_state(&collection).await.map_err(failed)? == LOADING {
                if cx.clock.elapsed().saturating_sub(began) > STORE_READY {
                    return Ok(());
                }
                guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::etcd::Pairs;
    use super::super::metadata::tests::{deletes, loaded, segment_of};
    use super::*;

    #[test]
    fn rows_are_exact_unless_some_may_go() {
        let pairs = Pairs::from([
            segment_of((7, 1), 1, 5),
            segment_of((7, 2), 2, 6),
            segment_of((8, 1), 3, 9),
            loaded(7),
            deletes(8, 3),
        ]);
        let collection = |name: &str, id: i64| Collection {
            database: "default".into(),
            name: name.into(),
            id,
        };
        let collections = [collection("kept", 7), collection("shrunk", 8), collection("empty", 9)];
        let config = Config::default();
        let metadata = Metadata::of(&pairs, &config);
        let count = |inventory: &Inventory, name: &str| inventory.0.get(name).map(|count| (count.count, count.exact));

        let recorded = told(&metadata, &config, &collections, &[]);
        assert_eq!(count(&recorded, "default.kept: rows"), Some((11, true)));
        assert_eq!(count(&recorded, "default.shrunk: rows stored"), Some((9, false)));
        assert_eq!(count(&recorded, "default.empty: rows"), Some((0, true)));
        assert_eq!(count(&recorded, "default: collections"), Some((3, true)));

        // One of its two partitions is loaded, and whole.
        let found = told(&metadata, &config, &collections, &[Some(5), None, None]);
        assert_eq!(recorded.differences(&found), Vec::<String>::new());

        // What answers as if it were empty has lost its rows, or will be asked again.
        let found = told(&metadata, &config, &collections, &[Some(0), None, None]);
        assert_eq!(count(&found, "default.kept: rows"), Some((0, true)));

        let found = told(&metadata, &config, &collections, &[Some(10), Some(4), None]);
        assert_eq!(
            recorded.differences(&found),
            ["default.kept: rows: 11 in the backup, 10 restored"]
        );
    }
}
