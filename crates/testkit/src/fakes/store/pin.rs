//! A pin of the simulated store, and its drain: as a file, as objects that it writes by itself, or as objects that are copied one by one.
//! One that is dropped without its release is told as a violation.

use std::io::Cursor;

use async_trait::async_trait;
use bytes::Bytes;
use stillpoint_core::manifest::Inventory;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::Command;
use stillpoint_core::sink::{ArtifactWriter, Delegated, ObjectWriter, Sink};
use stillpoint_core::stores::{Cx, Drained, Pinned, StoreError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::{FakeStore, KNOCK_EVERY, Moves, VERSION, ended};

pub(super) struct FakePin {
    pub(super) store: FakeStore,
    pub(super) owner: String,
    pub(super) inventory: Inventory,
    pub(super) held: bool,
    /// How it writes by itself.
    pub(super) writing: Option<Delegated>,
}

impl FakePin {
    /// What a server does that was told where to write.
    async fn write_objects(&self, cx: &Cx, writing: Delegated) -> Result<Drained, StoreError> {
        let gateway = &self.store.world.gateway;
        let write = async {
            for (table, count) in &self.inventory.0 {
                let content = count.count.to_string().into();
                gateway.put(writing.access(), table, content).await?;
                cx.clock.sleep(KNOCK_EVERY).await;
            }
            Ok::<_, StoreError>(())
        };
        let written = cx.cancel.run_until_cancelled(write).await;
        if let Err(error) = written.unwrap_or(Err(StoreError::Cancelled)) {
            writing.give_up().await;
            return Err(error);
        }
        writing.record().await?;
        Ok(Drained {
            version: VERSION.into(),
            pinned: cx.clock.now(),
            artifacts: Vec::new(),
            inventory: self.inventory.clone(),
            facts: [].into(),
        })
    }

    async fn copy_objects(&self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let objects = sink.objects(&self.store.name);
        let copied = async {
            for (table, count) in &self.inventory.0 {
                let name = ArtifactName::of(&[self.store.name.as_str(), "backup", table]);
                let content = Bytes::from(count.count.to_string());
                let write = async |writer: &mut ObjectWriter| Ok::<_, StoreError>(writer.write(content).await?);
                objects.put(&name, write).await?;
                cx.clock.sleep(KNOCK_EVERY).await;
            }
            Ok::<_, StoreError>(())
        };
        let copied = cx.cancel.run_until_cancelled(copied).await;
        if let Err(error) = copied.unwrap_or(Err(StoreError::Cancelled)) {
            objects.give_up().await;
            return Err(error);
        }
        objects.record();
        Ok(Drained {
            version: VERSION.into(),
            pinned: cx.clock.now(),
            artifacts: Vec::new(),
            inventory: self.inventory.clone(),
            facts: [].into(),
        })
    }

    async fn copy(&self, cx: &Cx, writer: &mut ArtifactWriter) -> Result<(), StoreError> {
        let mut process = cx.shell.exec(&self.store.id, Command::new(["dump"])).await?;
        let copied = async {
            if self.store.cold {
                let spooled = self.spool(cx, &mut process.output).await?;
                self.pump(cx, &mut Cursor::new(spooled), writer).await?;
            } else {
                self.pump(cx, &mut process.output, writer).await?;
            }
            ended(&mut *process.control, "dump").await
        };
        let copied = copied.await;
        if copied.is_err() {
            process.control.kill().await?;
        }
        copied
    }

    /// A cold store's dump goes by way of the spool.
    async fn spool(&self, cx: &Cx, output: &mut (dyn AsyncRead + Send + Unpin)) -> Result<Vec<u8>, StoreError> {
        let (mut file, mut dump) = (cx.spool.create().await?, Vec::new());
        let spooled = async {
            output.read_to_end(&mut dump).await?;
            file.write_all(&dump).await?;
            file.rewind().await?;
            dump.clear();
            file.read_to_end(&mut dump).await
        };
        let spooled = cx
            .cancel
            .run_until_cancelled(spooled)
            .await
            .ok_or(StoreError::Cancelled)?;
        spooled.map_err(|error| self.store.cut(&error))?;
        Ok(dump)
    }

    async fn pump(
        &self,
        cx: &Cx,
        output: &mut (dyn AsyncRead + Send + Unpin),
        writer: &mut ArtifactWriter,
    ) -> Result<(), StoreError> {
        let mut piece = [0; 16];
        loop {
            let read = output.read(&mut piece);
            let read = tokio::select! {
                biased;
                () = cx.cancel.cancelled() => return Err(StoreError::Cancelled),
                read = read => read.map_err(|error| self.store.cut(&error))?,
            };
            if read == 0 {
                return Ok(());
            }
            writer
                .write(Bytes::copy_from_slice(piece.get(..read).unwrap_or_default()))
                .await?;
            // A real dump takes time.
            cx.clock.sleep(KNOCK_EVERY).await;
        }
    }
}

#[async_trait]
impl Pinned for FakePin {
    fn needs_standstill(&self) -> bool {
        self.store.cold
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        if let Some(writing) = self.writing.take() {
            return self.write_objects(cx, writing).await;
        }
        if self.store.moves == Moves::ByObject {
            return self.copy_objects(cx, sink).await;
        }
        let store = &self.store;
        let name = ArtifactName::of(&[store.name.as_str(), "data.dump"]);
        let copy = async |writer: &mut ArtifactWriter| self.copy(cx, writer).await;
        let (artifact, ()) = sink.put(&store.name, name, ("data", None), copy).await?;
        Ok(Drained {
            version: VERSION.into(),
            pinned: cx.clock.now(),
            artifacts: vec![artifact],
            inventory: self.inventory.clone(),
            facts: [].into(),
        })
    }

    async fn release(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.give_up().await;
        }
        self.let_go();
        drop(self.store.data(|data| data.locks.remove(&self.owner)));
    }
}

impl FakePin {
    fn let_go(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        if held {
            // A store that is gone holds nothing either.
            drop(self.store.data(|data| {
                data.pins -= 1;
                data.holds -= usize::from(self.store.cold);
                if data.pins == 0 {
                    data.pinned = None;
                }
            }));
        }
        held
    }
}

/// Its connection ends with the process; in a process that lives on, that is a leak.
impl Drop for FakePin {
    fn drop(&mut self) {
        if self.let_go() && !self.store.world.faults.is_dead() {
            let name = &self.store.name;
            self.store
                .world
                .violated(format!("the pin of {name} was dropped, not released"));
        }
    }
}
