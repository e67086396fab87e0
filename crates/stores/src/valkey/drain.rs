//! The drain: the dump that the pin has open goes into the repository as it is, checked on its way.

use stillpoint_core::manifest::Artifact;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::store::Drained;
use stillpoint_core::ports::{Cx, StoreError};
use stillpoint_core::sink::{ArtifactWriter, Sink};

use futures::future::join;

use super::pin::{CATTING, PinnedServer, READING};
use super::preflight;
use super::rdb::{Check, Sound};
use super::versions::MAGIC;
use crate::toolbox::stream_out_watched;

/// What the artifact holds.
pub(super) const RDB: &str = "rdb";

/// The end of its name.
pub(super) const SUFFIX: &str = ".rdb";

impl PinnedServer {
    pub(super) async fn drain_dump(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        // The server's own tool reads the file as well, at the same time.
        let path = self.layout.path();
        let store = self.store.clone();
        let (stored, proved) = join(self.store_dump(cx, sink), store.prove(cx, &path)).await;
        let (writer, sound) = stored?;
        if let Err(error) = proved {
            writer.abort(&cx.report).await;
            return Err(error);
        }
        if !sound.has_checksum {
            cx.report.warn(format!(
                "{}: the server writes no checksums (rdbchecksum no): what was damaged before it was read cannot be told",
                self.store.name
            ));
        }
        let artifact = writer.commit(RDB, None).await?;
        Ok(self.record(artifact, sound))
    }

    async fn store_dump(&mut self, cx: &Cx, sink: &Sink) -> Result<(ArtifactWriter, Sound), StoreError> {
        let name = ArtifactName::of(&[&format!("{}{SUFFIX}", self.store.name)]);
        let writer = sink.create(&self.store.name, name).await?;
        let Some(process) = self.dump.take() else {
            writer.abort(&cx.report).await;
            return Err(StoreError::Unfit(format!(
                "{}: it is not pinned any more",
                self.store.name
            )));
        };
        let mut check = Check::new();
        let writer = stream_out_watched(cx, CATTING, process, writer, &mut |piece| check.take(piece)).await?;
        match check.finish() {
            Ok(sound) => Ok((writer, sound)),
            Err(flaw) => {
                writer.abort(&cx.report).await;
                let doing = format!("{READING} {}", self.layout.path());
                Err(StoreError::Server {
                    doing,
                    cause: flaw.to_string(),
                })
            }
        }
    }

    fn record(&self, artifact: Artifact, sound: Sound) -> Drained {
        let facts = [
            self.version.fact(),
            (MAGIC.to_owned(), sound.format.to_string()),
            (preflight::MODULES.to_owned(), self.modules.join(", ")),
        ];
        Drained {
            version: self.version.number.clone(),
            pinned: self.at,
            artifacts: vec![artifact],
            inventory: self.inventory.clone(),
            facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        }
    }
}
