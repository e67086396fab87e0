//! The cleanup of one database: what it needs first, then one handler after the other. Each handler has its own session and fails alone.

use std::time::Duration;

use stillpoint_core::events::{EventKind, Step};
use stillpoint_core::maintenance::{CleanedDatabase, CleanupWish, Handled, Handler, Rules, ticks};
use stillpoint_core::stores::Cx;

use crate::pacing::{self, Flow, wal};
use crate::schema::{self, Schema};
use crate::statements::{self, Slice};
use crate::work::{SHORT, Work, millis, number, text};
use crate::{Dagster, Failed, autovacuum, indexes, room, status};

/// How long a batch may take: without an index it reads the whole table.
const BATCH_LIMIT: Duration = Duration::from_mins(15);
/// How long what is left is counted.
const COUNT_LIMIT: Duration = Duration::from_mins(5);
/// How often a lock is tried for.
const TRIES: u32 = 2;
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How often it is told how many rows are gone.
const TELL_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn clean(
    dagster: &Dagster,
    cx: &Cx,
    database: &str,
    rules: &Rules,
    wish: CleanupWish,
) -> Result<CleanedDatabase, Failed> {
    let schema = find(dagster, cx, database).await?;
    let mut cleaned = CleanedDatabase {
        store: dagster.store.clone(),
        database: database.to_owned(),
        schema: schema.name.clone(),
        version: schema.version.clone(),
        notes: schema.notes.clone(),
        failed: Vec::new(),
        bytes: None,
        handlers: Vec::new(),
    };
    let task = Task {
        dagster,
        cx,
        database,
        schema: &schema,
        rules,
        wish,
    };
    let indexed = task.prepare(&mut cleaned).await?;
    for handler in Handler::ALL {
        let tally = task.handle(handler, indexed).await?;
        if let Some(why) = &tally.failed {
            let (store, rows) = (&dagster.store, tally.rows);
            cx.report.warn(format!(
                "{store}, database `{database}`, {handler}: {why}; {rows} rows went before"
            ));
        }
        cleaned.handlers.push(tally);
    }
    cleaned.bytes = size(dagster, cx, database, &schema).await;
    Ok(cleaned)
}

/// What the tables take with their indexes. That it cannot be told is nobody's failure.
async fn size(dagster: &Dagster, cx: &Cx, database: &str, schema: &Schema) -> Option<u64> {
    let work = Work::begin(dagster, cx, database).await.ok()?;
    let tables = status::tables(&work, schema).await;
    let tables = work.end(tables).await.ok()?;
    Some(tables.iter().map(|table| table.table_bytes + table.index_bytes).sum())
}

/// Finds Dagster's tables in a database that may be written.
async fn find(dagster: &Dagster, cx: &Cx, database: &str) -> Result<Schema, Failed> {
    let work = Work::begin(dagster, cx, database).await?;
    let found = async {
        if work
            .value(SHORT, "asking whether it is a standby", "SELECT pg_is_in_recovery()")
            .await?
            == "t"
        {
            return Err(Failed::Unfit("it is a standby, which takes no writes".to_owned()));
        }
        schema::find(&work).await
    };
    let found = found.await;
    work.end(found).await
}

/// What one transaction has deleted.
#[derive(Default)]
struct Batch {
    rows: u64,
    /// The newest moment among them.
    newest: Option<String>,
    /// WAL that the server had written then.
    written: u64,
}

struct Task<'a> {
    dagster: &'a Dagster,
    cx: &'a Cx,
    database: &'a str,
    schema: &'a Schema,
    rules: &'a Rules,
    wish: CleanupWish,
}

impl Task<'_> {
    /// Sees to indexes and autovacuum. What cannot be done keeps no handler from its work: it is only slower. Whether the indexes
    /// are there.
    async fn prepare(&self, cleaned: &mut CleanedDatabase) -> Result<bool, Failed> {
        let mut failed = Vec::new();
        let mut indexed = false;
        let act = async {
            let published = Box::pin(self.published()).await;
            let built = Box::pin(self.indexes()).await;
            indexed = built.is_ok();
            for outcome in [published, built, Box::pin(self.autovacuum()).await] {
                match outcome {
                    Ok((done, not_done)) => {
                        cleaned.notes.extend(done);
                        cleaned.notes.extend(not_done);
                    }
                    Err(Failed::Cancelled) => return Err(Failed::Cancelled),
                    Err(error) => failed.push(error.to_string()),
                }
            }
            for why in &failed {
                let (store, database) = (&self.dagster.store, self.database);
                self.cx.report.warn(format!("{store}, database `{database}`: {why}"));
            }
            if failed.is_empty() {
                Ok(())
            } else {
                Err(Failed::Unfit(String::new()))
            }
        };
        let prepared = self.cx.report.step(Step::Prepare, act).await;
        if let Err(Failed::Cancelled) = prepared {
            return Err(Failed::Cancelled);
        }
        cleaned.failed.extend(failed);
        Ok(indexed)
    }

    /// What stands in the way of others.
    async fn published(&self) -> Result<(Vec<String>, Vec<String>), Failed> {
        let work = Work::begin(self.dagster, self.cx, self.database).await?;
        let done = async {
            let mut told = pacing::left_slots(&work, &self.rules.pace).await?;
            if self.wish.drop_published_index {
                told.extend(indexes::drop_published(&work, self.schema).await?);
            } else {
                let published = indexes::published(&work, self.schema).await?;
                told.extend(published.iter().map(|index| indexes::told(index)));
            }
            Ok(told)
        };
        let done = done.await;
        Ok((work.end(done).await?, Vec::new()))
    }

    async fn indexes(&self) -> Result<(Vec<String>, Vec<String>), Failed> {
        let work = Work::begin(self.dagster, self.cx, self.database).await?;
        let done = async {
            room::must_be_there(&work, self.dagster.server.workload()).await?;
            indexes::ensure(self.dagster, &work, self.database, self.schema).await
        };
        let done = done.await;
        Ok((work.end(done).await?, Vec::new()))
    }

    async fn autovacuum(&self) -> Result<(Vec<String>, Vec<String>), Failed> {
        let work = Work::begin(self.dagster, self.cx, self.database).await?;
        let tuned = autovacuum::tune(&work, self.schema).await;
        work.end(tuned).await
    }

    /// One handler, as a step of the run. Fails only if the run was cancelled.
    async fn handle(&self, handler: Handler, indexed: bool) -> Result<Handled, Failed> {
        let mut tally = Handled::new(handler, self.rules.days(handler));
        let act = async {
            let work = Work::begin(self.dagster, self.cx, self.database).await?;
            let drained = self.drain(&work, handler, indexed, &mut tally).await;
            work.end(drained).await
        };
        match self.cx.report.step(handler.step(), act).await {
            Err(Failed::Cancelled) => return Err(Failed::Cancelled),
            Err(error) => tally.failed = Some(error.to_string()),
            Ok(()) => {}
        }
        Ok(tally)
    }

    async fn drain(&self, work: &Work<'_>, handler: Handler, indexed: bool, tally: &mut Handled) -> Result<(), Failed> {
        let began = self.cx.clock.elapsed();
        let before = wal(work).await?.written;
        let cutoff = statements::cutoff(tally.days);
        let cutoff = work.value(SHORT, "asking for the time", &cutoff).await?;
        let mut flow = Flow::begin(work, self.dagster, &self.rules.pace, indexed).await?;
        let mut outcome = Ok(());
        for slice in statements::slices(handler) {
            outcome = self
                .drain_slice(work, *slice, &cutoff, handler, (&mut flow, &mut *tally))
                .await;
            if outcome.is_err() {
                break;
            }
        }
        tally.millis = millis(self.cx.clock.elapsed().saturating_sub(began));
        if let Err(Failed::Cancelled) = outcome {
            return outcome;
        }
        let told = self.account(work, handler, &cutoff, before, tally).await;
        outcome.and(told)
    }

    /// Counts what is left. That it takes too long is no failure.
    async fn account(
        &self,
        work: &Work<'_>,
        handler: Handler,
        cutoff: &str,
        before: u64,
        tally: &mut Handled,
    ) -> Result<(), Failed> {
        tally.wal_bytes = wal(work).await?.written.saturating_sub(before);
        pacing::await_disk(work).await?;
        let mut left = 0;
        for slice in statements::slices(handler) {
            let sql = statements::left(self.schema, *slice, cutoff);
            let rows = work.rows(COUNT_LIMIT, "counting what is left", &sql).await?;
            left += rows.first().map_or(0, |row| number(row, 0));
        }
        tally.left = Some(left);
        tally.ticks_to_drained = Some(ticks(left, self.rules.limit));
        Ok(())
    }

    async fn drain_slice(
        &self,
        work: &Work<'_>,
        slice: Slice,
        cutoff: &str,
        handler: Handler,
        (flow, tally): (&mut Flow<'_>, &mut Handled),
    ) -> Result<(), Failed> {
        let mut from: Option<String> = None;
        let mut written = wal(work).await?.written;
        let mut told = None;
        loop {
            let most = self.most(tally.rows, flow.rows());
            if most == 0 {
                break;
            }
            flow.may_go_on(work, written).await?;
            let (began, before) = (self.cx.clock.elapsed(), written);
            let sql = statements::delete(self.schema, slice, cutoff, from.as_deref(), most);
            let batch = self.batch(work, handler, &sql).await?;
            let now = self.cx.clock.elapsed();
            written = batch.written;
            if batch.rows > 0 {
                tally.rows += batch.rows;
                tally.batches += 1;
            }
            if batch.rows > 0 && told.is_none_or(|told| now.saturating_sub(told) >= TELL_EVERY) {
                told = Some(now);
                self.tell(handler, tally.rows);
            }
            if batch.rows < most {
                break;
            }
            from = batch.newest;
            let (wal_bytes, lasted) = (written.saturating_sub(before), now.saturating_sub(began));
            if flow.pause(work, batch.rows, wal_bytes, lasted).await? {
                written = wal(work).await?.written;
            }
        }
        if told.is_some() {
            self.tell(handler, tally.rows);
        }
        Ok(())
    }

    fn tell(&self, handler: Handler, rows: u64) {
        self.cx.report.tell(EventKind::RowsDeleted {
            database: self.database.to_owned(),
            step: handler.step(),
            rows,
        });
    }

    /// How many rows the next batch may have.
    fn most(&self, so_far: u64, batch: u64) -> u64 {
        if self.wish.until_drained {
            return batch;
        }
        self.rules.limit.saturating_sub(so_far).min(batch)
    }

    /// One transaction. A lock that cannot be had is tried for a few times; who holds it is told.
    async fn batch(&self, work: &Work<'_>, handler: Handler, sql: &str) -> Result<Batch, Failed> {
        let doing = format!("deleting {handler}");
        let mut tries = 0;
        loop {
            tries += 1;
            match work.rows(BATCH_LIMIT, &doing, sql).await {
                Ok(rows) => {
                    let row = rows.first().cloned().unwrap_or_default();
                    return Ok(Batch {
                        rows: number(&row, 0),
                        newest: Some(text(&row, 1)).filter(|newest| !newest.is_empty()),
                        written: number(&row, 2),
                    });
                }
                Err(failed) if failed.is_locked_out() && tries < TRIES => work.sleep(TRY_AGAIN).await?,
                failed => return indexes::locked(work, self.schema, failed.map(|_| Batch::default())).await,
            }
        }
    }
}
