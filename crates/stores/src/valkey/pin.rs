//! The pin: a save of our own, whose file is open before anybody can put another in its place. The
//! state in an RDB file is that of the moment at which the server forked for it: from then on clients may run.
//!
//! Nobody is kept from saving (see `docs/adr/0010` and `0018`): what is open stays the same file, whoever renames what over its
//! name. That it is ours is asked right after it was opened, while the clients are down.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::manifest::Inventory;
use stillpoint_core::ports::within;
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{Cx, Drained, Pinned, StoreError};

use super::info::Info;
use super::layout::Layout;
use super::reader::{Held, READING, Reader};
use super::saves::{self, Fate, Save};
use super::session::Session;
use super::versions::Version;
use super::{ValkeyStore, inventory, preflight};
use crate::toolbox::{BY_SIZE, guarded};

/// How often a save is made again because another came between.
const ATTEMPTS: u32 = 5;

/// Between two looks for the file of a fork: the clients wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server whose dump is open.
pub(super) struct PinnedServer {
    pub(super) store: ValkeyStore,
    pub(super) version: Version,
    pub(super) layout: Layout,
    pub(super) modules: Vec<String>,
    pub(super) fork: Fork,
    /// What has the dump open; none once it was drained or let go.
    pub(super) reader: Option<Reader>,
}

/// A fork that writes, or has written, a dump.
pub(super) struct Fork {
    pub(super) at: Timestamp,
    pub(super) inventory: Inventory,
    /// The save before it.
    pub(super) before: Save,
    /// The server has said already that it succeeded.
    pub(super) done: bool,
}

impl ValkeyStore {
    pub(super) async fn hold(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let session = self.open(cx).await?;
        let (info, layout) = self.must_be_supported(&session).await?;
        let modules = preflight::modules(&session).await?;
        let mut reader = Reader::begin(cx, self, &layout, info.text("process_id")).await?;
        match self.fork(cx, &session, &mut reader).await {
            Ok(fork) => Ok(Box::new(PinnedServer {
                store: self.clone(),
                version: Version::of(&info),
                layout,
                modules,
                fork,
                reader: Some(reader),
            })),
            Err(error) => {
                reader.end(cx).await;
                Err(error)
            }
        }
    }

    /// Has the server fork, and the reader open what the fork writes.
    async fn fork(&self, cx: &Cx, session: &Session, reader: &mut Reader) -> Result<Fork, StoreError> {
        let what = format!("{} saving", self.name);
        for _ in 0..ATTEMPTS {
            let (before, at) = within(&*cx.clock, BY_SIZE, &what, saves::begin(cx, session)).await??;
            let held = async {
                let opened = open_fork(cx, session, reader, before).await?;
                Ok((opened, inventory::count(session).await?))
            };
            match held.await {
                Ok((Some(done), inventory)) => {
                    return Ok(Fork {
                        at,
                        inventory,
                        before,
                        done,
                    });
                }
                Ok((None, _)) => {}
                Err(error) => {
                    // From Valkey 8.1 on. Elsewhere the save ends by itself and leaves what automatic ones leave.
                    let _ = session.ask(&["BGSAVE", "CANCEL"]).await;
                    return Err(error);
                }
            }
        }
        let cause = format!("{ATTEMPTS} times another save came before our own could be read");
        Err(StoreError::Server {
            doing: "saving".to_owned(),
            cause: cause.into(),
        })
    }
}

/// Has the reader open the file of the save after `before`, and returns whether that has succeeded already. None if
/// what is open need not be of that save.
async fn open_fork(cx: &Cx, session: &Session, reader: &mut Reader, before: Save) -> Result<Option<bool>, StoreError> {
    let ask = async || Ok::<_, StoreError>(before.next(&Info::ask(session, Some("persistence")).await?));
    let mut fate = ask().await?;
    loop {
        let held = reader.look(cx).await?;
        let earlier = fate;
        fate = ask().await?;
        match (earlier, held, fate) {
            (_, _, Fate::Unknown) => return Ok(None),
            (_, _, Fate::Failed) => return Err(saves::failed()),
            // Whoever wrote it then was the child of the only save since.
            (_, Held::Temporary, Fate::Runs) => return Ok(Some(false)),
            // Or the dump had its name before it was opened, and no other was begun until after that.
            (_, Held::Temporary, Fate::Done) | (Fate::Done, Held::Dump, Fate::Done) => return Ok(Some(true)),
            (Fate::Done, Held::Nothing, Fate::Done) => {
                return Err(StoreError::Server {
                    doing: READING.what.to_owned(),
                    cause: "the server has saved, and there is no dump where it says that it keeps it".into(),
                });
            }
            _ => guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?,
        }
    }
}

#[async_trait]
impl Pinned for PinnedServer {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        self.drain_dump(cx, sink).await
    }

    /// A save that still runs goes on: it leaves what the server's own saves leave.
    async fn release(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.kill().await;
        }
    }
}
