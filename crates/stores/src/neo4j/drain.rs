//! The drain: the copy is recovered by a server of its own and counted, and the server's tool dumps it into the repository,
//! checked on its way. Clients run meanwhile; the store's server is not asked.

use std::collections::BTreeMap;

use stillpoint_core::manifest::{Artifact, Inventory, Watermark};
use stillpoint_core::names::ArtifactName;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, Drained, StoreError};

use super::Neo4jStore;
use super::beside::{ADMIN, Beside, Place};
use super::dump::{Check, Flaw, Sound};
use super::inventory;
use super::layout::Layout;
use super::moment::{self, Moment};
use super::pin::{Copied, Spooled};
use super::session::{SYSTEM, Session};
use crate::toolbox::{Doing, stream_out_watched};

/// What the artifacts hold.
pub(super) const DATABASE: &str = "database";

/// The ends of their names.
pub(super) const SUFFIX: &str = ".dump";
pub(super) const SYSTEM_SUFFIX: &str = "-system.dump";

/// The facts of a record: the last transactions of its databases, and what a load of all of them writes.
pub(super) const LAST_TRANSACTION: &str = "last_transaction";
pub(super) const SYSTEM_LAST_TRANSACTION: &str = "system_last_transaction";
pub(super) const BYTES: &str = "bytes";

pub(super) const DUMPING: &str = "dumping a database";

/// What a server tells of the data.
struct Told {
    version: String,
    marks: Watermark,
    inventory: Inventory,
}

/// A dump that is no dump.
pub(super) fn flawed(flaw: Flaw) -> StoreError {
    StoreError::Server {
        doing: DUMPING.to_owned(),
        cause: flaw.into(),
    }
}

impl Neo4jStore {
    /// The artifact of a database.
    fn artifact(&self, database: &str) -> ArtifactName {
        let suffix = if database == SYSTEM { SYSTEM_SUFFIX } else { SUFFIX };
        ArtifactName::of(&[&format!("{}{suffix}", self.name)])
    }

    async fn told(&self, session: &Session<'_>, layout: &Layout) -> Result<Told, StoreError> {
        let inventory = inventory::count(session, &layout.database).await;
        Ok(Told {
            version: session.about.version.clone(),
            marks: self.mark(session, &layout.database).await?,
            inventory: inventory.map_err(|trouble| self.failed("counting what is in it", trouble))?,
        })
    }
}

fn drained(layout: &Layout, at: jiff::Timestamp, told: Told, artifacts: Vec<(Artifact, Sound)>) -> Drained {
    let bytes: u64 = artifacts.iter().map(|(_, sound)| sound.bytes).sum();
    let mark = |database: &str| told.marks.0.get(database).copied().unwrap_or(0).to_string();
    let facts = [
        (LAST_TRANSACTION, mark(&layout.database)),
        (SYSTEM_LAST_TRANSACTION, mark(SYSTEM)),
        (BYTES, bytes.to_string()),
    ];
    Drained {
        version: told.version,
        pinned: at,
        artifacts: artifacts.into_iter().map(|(artifact, _)| artifact).collect(),
        inventory: told.inventory,
        facts: facts
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    }
}

impl Copied {
    pub(super) async fn drain_copy(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let (store, layout, beside) = (&self.store, &self.layout, &mut self.beside);
        beside.furnish(cx, layout, &Place::of(&self.folder)).await?;
        let moment = Moment::begin(cx, beside).await?;
        let asked = async {
            let session = moment::ask(cx, beside, store).await?;
            store.told(&session, layout).await
        };
        let asked = asked.await;
        let told = moment.end(cx, asked).await?;
        let databases = [layout.database.as_str(), SYSTEM];
        beside.must_be_clean(cx, &databases).await?;
        let mut artifacts = Vec::new();
        for database in databases {
            let write = async |writer: &mut ArtifactWriter| dump(cx, beside, database, writer).await;
            let (name, content) = (store.artifact(database), (DATABASE, Some(database)));
            artifacts.push(sink.put(&store.name, name, content, write).await?);
        }
        Ok(drained(layout, self.at, told, artifacts))
    }
}

impl Spooled {
    pub(super) async fn drain_spool(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let (store, layout) = (&self.store, &self.layout);
        let session = store.open(cx).await?;
        let told = store.told(&session, layout).await?;
        let mut artifacts = Vec::new();
        for (database, dump) in [layout.database.as_str(), SYSTEM].into_iter().zip(&mut self.dumps) {
            let sound = dump.sound;
            let write = async |writer: &mut ArtifactWriter| dump.copy(cx, writer).await.map(|()| sound);
            let (name, content) = (store.artifact(database), (DATABASE, Some(database)));
            artifacts.push(sink.put(&store.name, name, content, write).await?);
        }
        Ok(drained(layout, self.at, told, artifacts))
    }
}

/// Dumps one database of the copy, and returns what it was found to be.
async fn dump(cx: &Cx, beside: &Beside, database: &str, writer: &mut ArtifactWriter) -> Result<Sound, StoreError> {
    let process = beside.admin(cx, &["database", "dump", database, "--to-stdout"]).await?;
    let doing = Doing {
        what: DUMPING,
        tool: ADMIN,
    };
    let mut check = Check::new();
    stream_out_watched(cx, doing, process, writer, &mut |piece| check.take(piece)).await?;
    check.finish().map_err(flawed)
}
