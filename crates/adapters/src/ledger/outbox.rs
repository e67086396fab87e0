//! The outbox as tables of the ledger.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use stillpoint_core::ports::Outbox;
use stillpoint_core::ports::journal::JournalError;
use stillpoint_core::ports::notices::{
    ChannelNote, Delivery, Noted, Notice, NoticeKind, OutboxError, Outcome, Waiting,
};

use super::{HISTORY, Ledger};

const NOTE: &str = "INSERT OR IGNORE INTO notices (key, at, job, kind, notice) VALUES (?1, ?2, ?3, ?4, ?5)";

const TAKE: &str = "SELECT number, channel, tries, notice FROM deliveries JOIN notices USING (number)
    WHERE again IS NOT NULL AND again <= ?1 ORDER BY number, channel LIMIT ?2";

const ATTEMPTED: &str = "UPDATE deliveries SET tries = tries + 1, again = ?3, delivered_at = ?4, error = ?5
    WHERE number = ?1 AND channel = ?2";

const ARRIVED: &str = "INSERT INTO channels (channel, delivered, delivered_at) VALUES (?1, 1, ?2)
    ON CONFLICT (channel) DO UPDATE SET delivered = channels.delivered + 1, delivered_at = excluded.delivered_at";

const FAILED: &str = "INSERT INTO channels (channel, failed, failed_at, error) VALUES (?1, 1, ?2, ?3)
    ON CONFLICT (channel) DO UPDATE SET
        failed = channels.failed + 1, failed_at = excluded.failed_at, error = excluded.error";

const PRUNE: &str = "DELETE FROM notices WHERE at < ?1
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.number = notices.number AND again IS NOT NULL)";

/// The outbox in a state directory's ledger. Opened at the first use: a command that only looks makes no file.
#[derive(Clone)]
pub struct LedgerOutbox {
    ledger: Ledger,
}

impl LedgerOutbox {
    /// The outbox in this directory.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            ledger: Ledger::used(folder.into(), HISTORY),
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, OutboxError> {
        self.ledger.with("written", act).await.map_err(into_outbox)
    }

    /// What a question finds; nothing where there is no ledger.
    async fn read<T: Default + Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, OutboxError> {
        if !self.ledger.path().exists() {
            return Ok(T::default());
        }
        self.ledger.with("read", act).await.map_err(into_outbox)
    }

    fn unusable(&self, doing: &'static str, error: &serde_json::Error) -> OutboxError {
        OutboxError {
            place: self.ledger.path().display().to_string(),
            doing,
            cause: error.to_string(),
        }
    }

    fn notice(&self, text: &str) -> Result<Notice, OutboxError> {
        serde_json::from_str(text).map_err(|error| self.unusable("read", &error))
    }
}

#[async_trait]
impl Outbox for LedgerOutbox {
    async fn note(&self, notice: &Notice, channels: &[String]) -> Result<bool, OutboxError> {
        let text = serde_json::to_string(notice).map_err(|error| self.unusable("written", &error))?;
        let at = notice.at.as_millisecond();
        let (key, job, kind) = (notice.key.clone(), notice.job.clone(), notice.kind.name());
        let channels = channels.to_vec();
        self.write(move |ledger| {
            let all = Transaction::new_unchecked(ledger, TransactionBehavior::Immediate)?;
            if all.execute(NOTE, params![key, at, job, kind, text])? == 0 {
                return Ok(false);
            }
            let number = all.last_insert_rowid();
            for channel in channels {
                let deliver = "INSERT OR IGNORE INTO deliveries (number, channel, again) VALUES (?1, ?2, ?3)";
                all.execute(deliver, params![number, channel, at])?;
            }
            all.commit()?;
            Ok(true)
        })
        .await
    }

    async fn take(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Waiting>, OutboxError> {
        let (now, until) = (now.as_millisecond(), until.as_millisecond());
        let rows = self.read(move |ledger| {
            let all = Transaction::new_unchecked(ledger, TransactionBehavior::Immediate)?;
            let taken: Vec<(i64, String, u32, String)> = all
                .prepare(TAKE)?
                .query_map(params![now, limit], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect::<rusqlite::Result<_>>()?;
            for (number, channel, ..) in &taken {
                let held = "UPDATE deliveries SET again = ?3 WHERE number = ?1 AND channel = ?2";
                all.execute(held, params![number, channel, until])?;
            }
            all.commit()?;
            Ok(taken)
        });
        let rows = rows.await?.into_iter();
        rows.map(|(number, channel, tries, notice)| {
            Ok(Waiting {
                number: number.unsigned_abs(),
                channel,
                tries,
                notice: self.notice(&notice)?,
            })
        })
        .collect()
    }

    async fn attempted(&self, taken: &Waiting, at: Timestamp, outcome: &Outcome) -> Result<(), OutboxError> {
        let (number, channel) = (sql(taken.number), taken.channel.clone());
        let (at, outcome) = (at.as_millisecond(), outcome.clone());
        self.write(move |ledger| {
            let all = Transaction::new_unchecked(ledger, TransactionBehavior::Immediate)?;
            match outcome {
                Outcome::Delivered => {
                    let nothing: Option<i64> = None;
                    all.execute(ATTEMPTED, params![number, channel, nothing, at, nothing])?;
                    all.execute(ARRIVED, params![channel, at])?;
                }
                Outcome::Failed { why, again } => {
                    let again = again.map(Timestamp::as_millisecond);
                    let never: Option<i64> = None;
                    all.execute(ATTEMPTED, params![number, channel, again, never, why])?;
                    all.execute(FAILED, params![channel, at, why])?;
                }
            }
            all.commit()
        })
        .await
    }

    async fn answered(&self, channel: &str, at: Timestamp, error: Option<&str>) -> Result<(), OutboxError> {
        let (channel, at, error) = (channel.to_owned(), at.as_millisecond(), error.map(ToOwned::to_owned));
        self.write(move |ledger| match error {
            None => ledger.execute(ARRIVED, params![channel, at]).map(drop),
            Some(error) => ledger.execute(FAILED, params![channel, at, error]).map(drop),
        })
        .await
    }

    async fn last_about(&self, job: &str, kinds: &[NoticeKind]) -> Result<Option<Notice>, OutboxError> {
        let (job, kinds) = (job.to_owned(), serde_json::json!(kinds).to_string());
        let question = "SELECT notice FROM notices WHERE job = ?1 AND kind IN (SELECT value FROM json_each(?2))
            ORDER BY number DESC LIMIT 1";
        let found = self.read(move |ledger| {
            let text = ledger.query_row(question, params![job, kinds], |row| row.get::<_, String>(0));
            text.optional()
        });
        found.await?.map(|text| self.notice(&text)).transpose()
    }

    async fn channels(&self) -> Result<Vec<ChannelNote>, OutboxError> {
        let question =
            "SELECT channel, delivered, failed, delivered_at, failed_at, error FROM channels ORDER BY channel";
        self.read(move |ledger| {
            let mut rows = ledger.prepare(question)?;
            let rows = rows.query_map([], channel)?;
            rows.collect()
        })
        .await
    }

    async fn notices(&self, limit: u32) -> Result<Vec<Noted>, OutboxError> {
        let rows = self.read(move |ledger| {
            let mut rows = ledger.prepare("SELECT number, notice FROM notices ORDER BY number DESC LIMIT ?1")?;
            let notices = rows.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let notices: Vec<(i64, String)> = notices.collect::<rusqlite::Result<_>>()?;
            let mut of_one = ledger.prepare(
                "SELECT channel, tries, delivered_at, again, error FROM deliveries WHERE number = ?1 ORDER BY channel",
            )?;
            let mut all = Vec::new();
            for (number, notice) in notices {
                let deliveries = of_one.query_map([number], delivery)?;
                all.push((number, notice, deliveries.collect::<rusqlite::Result<Vec<Delivery>>>()?));
            }
            Ok(all)
        });
        let rows = rows.await?.into_iter();
        rows.map(|(number, notice, deliveries)| {
            Ok(Noted {
                number: number.unsigned_abs(),
                notice: self.notice(&notice)?,
                deliveries,
            })
        })
        .collect()
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, OutboxError> {
        let before = before.as_millisecond();
        self.read(move |ledger| Ok(ledger.execute(PRUNE, [before])? as u64))
            .await
    }
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let count: i64 = row.get(column)?;
    Ok(count.unsigned_abs())
}

fn channel(row: &Row<'_>) -> rusqlite::Result<ChannelNote> {
    Ok(ChannelNote {
        channel: row.get(0)?,
        delivered: count(row, 1)?,
        failed: count(row, 2)?,
        delivered_at: moment(row, 3)?,
        failed_at: moment(row, 4)?,
        error: row.get(5)?,
    })
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        channel: row.get(0)?,
        tries: row.get(1)?,
        delivered_at: moment(row, 2)?,
        again_at: moment(row, 3)?,
        error: row.get(4)?,
    })
}

/// SQLite's numbers have a sign.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn into_outbox(error: JournalError) -> OutboxError {
    OutboxError {
        place: error.path,
        doing: error.doing,
        cause: error.cause,
    }
}
