//! What can be counted in a server: rows by collection, and what users make by number. The rows of a collection that is not loaded
//! cannot be counted, and those that were written are told as an estimate.

use std::time::Duration;

use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::manifest::Inventory;
use stillpoint_core::stores::{Cx, StoreError};

use super::MilvusStore;
use super::config::Config;
use super::metadata::Metadata;
use super::proto::LOADING;
use super::session::{Session, Trouble};
use crate::toolbox::guarded;

/// A partition that was loaded a moment ago answers as if it were empty for so long: up to ten seconds were seen.
const SETTLES: Duration = Duration::from_mins(2);

const DOING: &str = "counting what is in it";

impl MilvusStore {
    /// Counts what is in it now.
    pub(super) async fn count(&self, cx: &Cx, config: &Config, session: &Session<'_>) -> Result<Inventory, StoreError> {
        let metadata = self.metadata(cx, config).await?;
        let counts = Metadata::of(&metadata.pairs, config).counts();
        let mut inventory = self
            .rows(session)
            .await
            .map_err(|trouble| self.failed(DOING, trouble))?;
        for (what, count) in counts {
            inventory.exact(what, count);
        }
        Ok(inventory)
    }

    async fn rows(&self, session: &Session<'_>) -> Result<Inventory, Trouble> {
        let mut inventory = Inventory::default();
        for (collection, rows) in session.rows_of_all().await? {
            let told = collection.told();
            match rows {
                Some(rows) => inventory.exact(format!("{told}: rows"), rows),
                None => {
                    let stored = session.stored_rows(&collection).await?;
                    inventory.estimate(format!("{told}: rows written, not loaded"), stored);
                }
            }
            let collections = format!("{}: collections", collection.database);
            let before = inventory.0.get(&collections).map_or(0, |count| count.count);
            inventory.exact(collections, before + 1);
        }
        Ok(inventory)
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
