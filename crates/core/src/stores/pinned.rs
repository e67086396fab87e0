//! A store whose point in time is fixed, and what is drained of it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Cx, Store, StoreError};
use crate::manifest::{Artifact, Inventory, StoreRecord, Took, Watermarks};
use crate::sink::Sink;

/// What was drained of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// The server's version, in its own words.
    pub version: String,
    /// When its point in time was fixed.
    pub pinned: Timestamp,
    /// Its artifacts, in the order in which the manifest is to list them.
    pub artifacts: Vec<Artifact>,
    /// What was in it at that point in time.
    pub inventory: Inventory,
    /// What a restore needs to know; the store's page in the docs lists the names.
    pub facts: BTreeMap<String, String>,
}

impl Drained {
    /// What the manifest says of the store.
    pub fn record(self, store: &dyn Store, took: Option<Took>, watermarks: Option<Watermarks>) -> StoreRecord {
        StoreRecord {
            name: store.name().clone(),
            kind: store.kind(),
            version: self.version,
            pinned: self.pinned,
            artifacts: self.artifacts,
            inventory: self.inventory,
            took,
            watermarks,
            facts: self.facts,
        }
    }
}

/// A store whose point in time is fixed.
#[async_trait]
pub trait Pinned: Send {
    /// Whether clients must stay down until it is drained.
    fn needs_standstill(&self) -> bool;

    /// Streams the pinned state into the sink, while clients run, unless [`Pinned::needs_standstill`]. Nothing is
    /// recorded of a drain that failed.
    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError>;

    /// Lets go of the point in time and of all that holds it. Called on every way out, also after a
    /// failed drain; may be repeated.
    async fn release(&mut self);
}
