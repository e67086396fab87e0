//! The drain: the dump that the pin has open goes into the repository as it is, checked on its way. Clients run
//! meanwhile, and may save as they like.

use stillpoint_core::engine::limits::LOOK_EVERY;
use stillpoint_core::manifest::Artifact;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::within;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, Drained, StoreError};

use super::info::Info;
use super::pin::PinnedServer;
use super::preflight;
use super::rdb::{Check, Sound};
use super::reader::READING;
use super::saves::{self, Fate};
use super::versions::MAGIC;
use crate::toolbox::{guarded, stream_out_watched};

/// What the artifact holds.
pub(super) const RDB: &str = "rdb";

/// The end of its name.
pub(super) const SUFFIX: &str = ".rdb";

impl PinnedServer {
    pub(super) async fn drain_dump(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let fate = self.end_of_save(cx).await?;
        if fate == Fate::Failed {
            return Err(saves::failed());
        }
        let (writer, sound) = self.store_dump(cx, sink).await?;
        if !sound.has_checksum && fate != Fate::Done {
            writer.abort(&cx.report).await;
            return Err(StoreError::Server {
                doing: READING.what.to_owned(),
                cause: "the server writes no checksums (rdbchecksum no), and could not say any more whether our save \
                        succeeded: others came after it"
                    .to_owned(),
            });
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

    /// Waits until our save has ended, and asks the server what became of it. That it cannot tell is no failure: the
    /// end of the file does.
    async fn end_of_save(&mut self, cx: &Cx) -> Result<Fate, StoreError> {
        if self.fork.done {
            return Ok(Fate::Done);
        }
        if let Some(reader) = &mut self.reader {
            reader.written(cx).await?;
        }
        let (store, before) = (self.store.clone(), self.fork.before);
        let asked = within(&*cx.clock, cx.idle_limit, "asking what became of the save", async {
            let session = store.open(cx).await?;
            loop {
                match before.next(&Info::ask(&session, Some("persistence")).await?) {
                    // Its child has ended, and the server has not looked yet.
                    Fate::Runs => guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?,
                    fate => return Ok(fate),
                }
            }
        });
        match asked.await {
            Ok(Err(StoreError::Cancelled)) => Err(StoreError::Cancelled),
            Ok(Ok(fate)) => Ok(fate),
            Ok(Err(_)) | Err(_) => Ok(Fate::Unknown),
        }
    }

    async fn store_dump(&mut self, cx: &Cx, sink: &Sink) -> Result<(ArtifactWriter, Sound), StoreError> {
        let name = ArtifactName::of(&[&format!("{}{SUFFIX}", self.store.name)]);
        let reader = self.reader.take();
        let reader = reader.ok_or_else(|| self.store.unfit("it is not pinned any more"))?;
        let writer = match sink.create(&self.store.name, name).await {
            Ok(writer) => writer,
            Err(error) => {
                reader.end(cx).await;
                return Err(error.into());
            }
        };
        let process = match reader.go(cx).await {
            Ok(process) => process,
            Err(error) => {
                writer.abort(&cx.report).await;
                return Err(error);
            }
        };
        let mut check = Check::new();
        let writer = stream_out_watched(cx, READING, process, writer, &mut |piece| check.take(piece)).await?;
        match check.finish() {
            Ok(sound) => Ok((writer, sound)),
            Err(flaw) => {
                writer.abort(&cx.report).await;
                let doing = format!("{} {}", READING.what, self.layout.path());
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
            pinned: self.fork.at,
            artifacts: vec![artifact],
            inventory: self.fork.inventory.clone(),
            facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        }
    }
}
