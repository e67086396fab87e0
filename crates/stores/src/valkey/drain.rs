//! The drain: the dump that the pin has open goes into the repository as it is, checked on its way. Clients run
//! meanwhile, and may save as they like.

use stillpoint_core::engine::limits::LOOK_EVERY;
use stillpoint_core::manifest::Artifact;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::within;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, Drained, StoreError};

use super::ValkeyStore;
use super::check::is_too_old;
use super::info::Info;
use super::pin::PinnedServer;
use super::preflight;
use super::rdb::{Check, Sound};
use super::reader::{READING, Reader};
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
        let name = ArtifactName::of(&[&format!("{}{SUFFIX}", self.store.name)]);
        let reader = self.reader.take();
        let reader = reader.ok_or_else(|| self.store.unfit("it is not pinned any more"))?;
        let (store, path) = (self.store.clone(), self.layout.path());
        let write = async |writer: &mut ArtifactWriter| store.copy_dump(cx, reader, &path, fate, writer).await;
        let (artifact, sound) = sink.put(&self.store.name, name, (RDB, None), write).await?;
        if !sound.has_checksum {
            cx.report.warn(format!(
                "{}: the server writes no checksums (rdbchecksum no): what was damaged before it was read cannot be told",
                self.store.name
            ));
        }
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

impl ValkeyStore {
    /// Copies the dump, and returns what it was found to be. `fate` is what became of the save that wrote it.
    async fn copy_dump(
        &self,
        cx: &Cx,
        reader: Reader,
        path: &str,
        fate: Fate,
        writer: &mut ArtifactWriter,
    ) -> Result<Sound, StoreError> {
        let process = reader.go(cx).await?;
        let mut check = Check::new();
        let copied = stream_out_watched(cx, READING, process, writer, &mut |piece| check.take(piece)).await;
        // It ends with what the tool says of the file, after all of it has come.
        let tool_is_too_old = copied.as_ref().err().is_some_and(is_too_old);
        if !tool_is_too_old {
            copied?;
        }
        let sound = check.finish().map_err(|flaw| StoreError::Server {
            doing: format!("{} {path}", READING.what),
            cause: flaw.into(),
        })?;
        if tool_is_too_old {
            self.leave_out_tool(cx);
        }
        if sound.has_checksum || fate == Fate::Done {
            return Ok(sound);
        }
        Err(StoreError::Server {
            doing: READING.what.to_owned(),
            cause:
                "the server writes no checksums (rdbchecksum no), and could not say any more whether our save succeeded: \
                    others came after it"
                    .into(),
        })
    }
}
