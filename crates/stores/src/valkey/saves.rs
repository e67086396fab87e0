//! Saves as the server numbers and judges them: which of them is ours, and what became of it.

use jiff::Timestamp;
use stillpoint_core::engine::limits::LOOK_EVERY;
use stillpoint_core::stores::{Cx, StoreError};

use super::access::server;
use super::info::Info;
use super::session::{Session, Trouble, items, text};
use crate::toolbox::guarded;

/// `ok`, or `err` after a save that failed.
pub(super) const STATUS: &str = "rdb_last_bgsave_status";

/// A save, as the server tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Save {
    /// `LASTSAVE`: when the last one succeeded, in whole seconds.
    at: u64,
    /// How many were begun since the server's start; none before version 7.
    count: Option<u64>,
}

/// What a server says of our save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It runs, and no other was begun.
    Runs,
    /// It succeeded, and no other was begun.
    Done,
    /// It failed, and no other was begun.
    Failed,
    /// The server cannot tell: others were begun since, or it was started anew.
    Unknown,
}

impl Save {
    fn of(info: &Info) -> Self {
        Self {
            at: info.number("rdb_last_save_time"),
            count: info.text("rdb_saves").parse().ok(),
        }
    }

    /// What became of the first save after `self`. Servers count saves when they begin, and one that was ended on
    /// purpose (`FLUSHALL`, `BGSAVE CANCEL`) is no failure to them: one that succeeded has set the time of the last.
    /// That is in whole seconds, so ours begins only in a later second than the last one ended.
    pub(super) fn next(self, info: &Info) -> Fate {
        let now = Self::of(info);
        let is_ours = match (self.count, now.count) {
            (Some(before), Some(count)) => count == before + 1,
            (None, None) => true,
            _ => false,
        };
        let runs = info.flag("rdb_bgsave_in_progress");
        if !is_ours || (runs && self.count.is_none() && now.at != self.at) {
            Fate::Unknown
        } else if runs {
            Fate::Runs
        } else if info.text(STATUS) != "ok" {
            Fate::Failed
        } else if now.at == self.at {
            Fate::Unknown
        } else {
            Fate::Done
        }
    }
}

/// Begins a save as soon as no child of the server writes files. Returns the last one before it, and when it began.
pub(super) async fn begin(cx: &Cx, session: &Session) -> Result<(Save, Timestamp), StoreError> {
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
    let answer = session.ask(&["TIME"]).await;
    let answer = answer.map_err(|trouble| server("asking for the time", trouble))?;
    let seconds = items(&answer).first().map(text);
    Ok(seconds.and_then(|text| text.parse().ok()).unwrap_or(0))
}

pub(super) fn failed() -> StoreError {
    StoreError::Server {
        doing: "saving".to_owned(),
        cause: "the server could not save: its log says why (disk full, no memory for a fork?)".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(at: u64, count: Option<u64>, runs: bool, status: &str) -> Info {
        let count = count.map(|count| format!("rdb_saves:{count}\r\n")).unwrap_or_default();
        Info::parse(&format!(
            "rdb_last_save_time:{at}\r\n{count}rdb_bgsave_in_progress:{}\r\nrdb_last_bgsave_status:{status}\r\n",
            u8::from(runs)
        ))
    }

    #[test]
    fn only_the_next_save_is_ours() {
        let counted = Save { at: 10, count: Some(2) };
        let uncounted = Save { at: 10, count: None };
        for (before, now, fate) in [
            (counted, info(10, Some(3), true, "ok"), Fate::Runs),
            (counted, info(10, Some(3), true, "err"), Fate::Runs),
            (counted, info(10, Some(3), false, "ok"), Fate::Unknown),
            (counted, info(11, Some(3), false, "ok"), Fate::Done),
            (counted, info(10, Some(3), false, "err"), Fate::Failed),
            (counted, info(11, Some(4), true, "ok"), Fate::Unknown),
            (counted, info(12, Some(4), false, "ok"), Fate::Unknown),
            (counted, info(12, Some(0), false, "ok"), Fate::Unknown),
            (counted, info(10, Some(2), false, "ok"), Fate::Unknown),
            (uncounted, info(10, None, true, "ok"), Fate::Runs),
            (uncounted, info(11, None, true, "ok"), Fate::Unknown),
            (uncounted, info(11, None, false, "ok"), Fate::Done),
            (uncounted, info(10, None, false, "ok"), Fate::Unknown),
            (uncounted, info(10, None, false, "err"), Fate::Failed),
        ] {
            assert_eq!(before.next(&now), fate, "{before:?} {now:?}");
        }
    }
}
