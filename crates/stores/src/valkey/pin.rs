//! The pin: a save of our own, whose file is open before anybody can put another in its place. The
//! state in an RDB file is that of the moment at which the server forked for it.
//!
//! Automatic saves are not switched off (see `docs/adr/0010`): a save replaces the dump by rename, so
//! a file that is being read stays whole, and that it was ours is asked after its first bytes came.

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::engine::limits::LOOK_EVERY;
use stillpoint_core::manifest::Inventory;
use stillpoint_core::ports::store::Drained;
use stillpoint_core::ports::{Command, Cx, Pinned, Process, StoreError, within};
use stillpoint_core::sink::Sink;

use super::access::server;
use super::info::Info;
use super::layout::Layout;
use super::session::{Session, Trouble};
use super::versions::Version;
use super::{CAT, ValkeyStore, inventory, preflight};
use crate::toolbox::{BY_SIZE, Doing, end, guarded, opened};

/// How often a save is made again because another came between.
const ATTEMPTS: u32 = 5;

pub(super) const READING: &str = "reading the dump";

/// A server whose dump is open.
pub(super) struct PinnedServer {
    pub(super) store: ValkeyStore,
    pub(super) version: Version,
    pub(super) layout: Layout,
    pub(super) modules: Vec<String>,
    pub(super) at: Timestamp,
    pub(super) inventory: Inventory,
    /// What has the dump open; none once it was drained or let go.
    pub(super) dump: Option<Process>,
}

/// A finished save, as the server numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Save {
    /// `LASTSAVE`: whole seconds.
    at: u64,
    /// How many there were since the server's start; zero before version 7.
    count: u64,
}

impl Save {
    fn of(info: &Info) -> Self {
        Self {
            at: info.number("rdb_last_save_time"),
            count: info.number("rdb_saves"),
        }
    }

    /// Whether `self` is the first save after `before`. Two within a second look the same to a
    /// server that does not count them; one starts only in a later second than the last ended.
    fn follows(self, before: Self) -> bool {
        self.at != before.at && (self.count == 0 || self.count == before.count + 1)
    }
}

impl ValkeyStore {
    pub(super) async fn hold(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let session = self.open(cx).await?;
        let (info, layout) = self.must_be_supported(&session).await?;
        let modules = preflight::modules(&session).await?;
        for _ in 0..ATTEMPTS {
            let Some((save, at)) = self.save(cx, &session).await? else {
                continue;
            };
            let inventory = inventory::count(&session).await?;
            if let Some(dump) = self.open_dump(cx, &session, &layout, save).await? {
                return Ok(Box::new(PinnedServer {
                    store: self.clone(),
                    version: Version::of(&info),
                    layout,
                    modules,
                    at,
                    inventory,
                    dump: Some(dump),
                }));
            }
        }
        let cause = format!("{ATTEMPTS} times another save came before our own could be read");
        Err(StoreError::Server {
            doing: "saving".to_owned(),
            cause,
        })
    }

    /// Saves. None if another save followed before we saw the end of ours.
    async fn save(&self, cx: &Cx, session: &Session) -> Result<Option<(Save, Timestamp)>, StoreError> {
        let what = format!("{} saving", self.name);
        within(&*cx.clock, BY_SIZE, &what, async {
            let (before, at) = self.begin_save(cx, session).await?;
            let ended = idle(cx, session).await;
            if matches!(ended, Err(StoreError::Cancelled)) {
                // From Valkey 8.1 on. Elsewhere the save ends by itself and leaves what automatic ones leave.
                let _ = session.ask(&["BGSAVE", "CANCEL"]).await;
            }
            let info = ended?;
            if info.text("rdb_last_bgsave_status") != "ok" {
                let cause = "the server could not save: its log says why (disk full, no memory for a fork?)".to_owned();
                return Err(StoreError::Server {
                    doing: "saving".to_owned(),
                    cause,
                });
            }
            let save = Save::of(&info);
            Ok(save.follows(before).then_some((save, at)))
        })
        .await?
    }

    /// Begins a save as soon as none runs. Returns the last one before it, and when it began.
    async fn begin_save(&self, cx: &Cx, session: &Session) -> Result<(Save, Timestamp), StoreError> {
        loop {
            let before = Save::of(&idle(cx, session).await?);
            if seconds(session).await? != before.at {
                match session.ask(&["BGSAVE"]).await {
                    Ok(_) => return Ok((before, cx.clock.now())),
                    // Another, or a rewrite of append-only files, began in this very moment.
                    Err(Trouble::Answer(answer)) if answer.contains("in progress") => {}
                    Err(trouble) => return Err(server("saving", trouble)),
                }
            }
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
    }

    /// Opens the dump; none if it need not be that of `save` any more.
    async fn open_dump(
        &self,
        cx: &Cx,
        session: &Session,
        layout: &Layout,
        save: Save,
    ) -> Result<Option<Process>, StoreError> {
        let command = Command::new([CAT, &layout.path()]);
        let process = cx.shell.exec(&self.workload, command).await?;
        let process = opened(cx, CATTING, process).await?;
        // A child renames its file before the server counts the save: one that runs now may have done so.
        let still_ours = match Info::ask(session, Some("persistence")).await {
            Ok(info) => Ok(!info.flag("rdb_bgsave_in_progress") && Save::of(&info) == save),
            Err(error) => Err(error),
        };
        if matches!(still_ours, Ok(true)) {
            return Ok(Some(process));
        }
        end(cx, CATTING, process).await;
        still_ours.map(|_| None)
    }
}

/// What a dump is read with.
pub(super) const CATTING: Doing<'_> = Doing {
    what: READING,
    tool: CAT,
};

/// Waits until no child of the server writes files, and returns what it says then.
async fn idle(cx: &Cx, session: &Session) -> Result<Info, StoreError> {
    loop {
        let info = Info::ask(session, Some("persistence")).await?;
        if !["rdb_bgsave_in_progress", "aof_rewrite_in_progress"]
            .iter()
            .any(|name| info.flag(name))
        {
            return Ok(info);
        }
        guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
    }
}

/// The server's own time, in the resolution of its `LASTSAVE`.
async fn seconds(session: &Session) -> Result<u64, StoreError> {
    let answer = session
        .ask(&["TIME"])
        .await
        .map_err(|trouble| server("asking for the time", trouble))?;
    let seconds = super::session::items(&answer).first().map(super::session::text);
    Ok(seconds.and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[async_trait]
impl Pinned for PinnedServer {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        self.drain_dump(cx, sink).await
    }

    async fn release(&mut self) {
        if let Some(mut dump) = self.dump.take() {
            // Reading a file holds nothing up: where it cannot be ended now, the end of the run reaps it.
            let _ = dump.control.kill().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_next_save_is_ours() {
        let save = |at, count| Save { at, count };
        assert!(save(11, 3).follows(save(10, 2)));
        assert!(save(11, 0).follows(save(10, 0)));
        for (other, before) in [
            (save(10, 2), save(10, 2)),
            (save(10, 3), save(10, 2)),
            (save(12, 4), save(10, 2)),
        ] {
            assert!(!other.follows(before), "{other:?} after {before:?}");
        }
    }
}
