//! The cleanup of one database: what it needs first, then one handler after the other. Each handler has its own session and fails alone.

use std::time::Duration;

use stillpoint_core::events::{EventKind, Step};
use stillpoint_core::maintenance::{CleanedDatabase, CleanupWish, Handled, Handler, Rules, ticks};
use stillpoint_core::stores::Cx;

use crate::pacing::{self, wal};
use crate::schema::{self, Schema};
use crate::statements::{self, Slice};
use crate::work::{SHORT, Work, millis, number, text};
use crate::{Dagster, Failed, autovacuum, indexes, room};

/// So many rows in one transaction: a second or two.
const BATCH: u64 = 20_000;
/// How long a batch may take: without an index it reads the whole table.
const BATCH_LIMIT: Duration = Duration::from_mins(15);
/// How long what is left is counted.
const COUNT_LIMIT: Duration = Duration::from_mins(5);
/// How often a lock is tried for.
const TRIES: u32 = 2;
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Deletions write WAL before they free anything: below so many free bytes none begins.
const LEAST_FREE: u64 = 1 << 30;
/// So many batches between two looks at the disk.
const LOOK_AT_DISK: u64 = 10;

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
    task.prepare(&mut cleaned).await?;
    for handler in Handler::ALL {
        let tally = task.handle(handler).await?;
        if let Some(why) = &tally.failed {
            let (store, rows) = (&dagster.store, tally.rows);
            cx.report.warn(format!(
                "{store}, database `{database}`, {handler}: {why}; {rows} rows went before"
            ));
        }
        cleaned.handlers.push(tally);
    }
    Ok(cleaned)
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

struct Task<'a> {
    dagster: &'a Dagster,
    cx: &'a Cx,
    database: &'a str,
    schema: &'a Schema,
    rules: &'a Rules,
    wish: CleanupWish,
}

impl Task<'_> {
    /// Sees to indexes and autovacuum. What cannot be done keeps no handler from its work: it is only slower.
    async fn prepare(&self, cleaned: &mut CleanedDatabase) -> Result<(), Failed> {
        let act = async {
            let mut failed = Vec::new();
            let outcomes = [
                Box::pin(self.published()).await,
                Box::pin(self.indexes()).await,
                Box::pin(self.autovacuum()).await,
            ];
            for outcome in outcomes {
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
            let all = failed.is_empty();
            cleaned.failed.extend(failed);
            if all { Ok(()) } else { Err(Failed::Unfit(String::new())) }
        };
        match self.cx.report.step(Step::Prepare, act).await {
            Err(Failed::Cancelled) => Err(Failed::Cancelled),
            // Noted already.
            _ => Ok(()),
        }
    }

    async fn published(&self) -> Result<(Vec<String>, Vec<String>), Failed> {
        let work = Work::begin(self.dagster, self.cx, self.database).await?;
        let done = if self.wish.drop_published_index {
            indexes::drop_published(&work, self.schema).await
        } else {
            let published = indexes::published(&work, self.schema).await;
            published.map(|found| found.iter().map(|index| indexes::told(index)).collect())
        };
        Ok((work.end(done).await?, Vec::new()))
    }

    async fn indexes(&self) -> Result<(Vec<String>, Vec<String>), Failed> {
        let work = Work::begin(self.dagster, self.cx, self.database).await?;
        let done = indexes::ensure(self.dagster, &work, self.database, self.schema).await;
        Ok((work.end(done).await?, Vec::new()))
    }

    async fn autovacuum(&self) -> Result<(Vec<String>, Vec<String>), Failed> {
        let work = Work::begin(self.dagster, self.cx, self.database).await?;
        let tuned = autovacuum::tune(&work, self.schema).await;
        work.end(tuned).await
    }

    /// One handler, as a step of the run. Fails only if the run was cancelled.
    async fn handle(&self, handler: Handler) -> Result<Handled, Failed> {
        let mut tally = Handled::new(handler, self.rules.days(handler));
        let act = async {
            let work = Work::begin(self.dagster, self.cx, self.database).await?;
            let drained = self.drain(&work, handler, &mut tally).await;
            work.end(drained).await
        };
        match self.cx.report.step(handler.step(), act).await {
            Err(Failed::Cancelled) => return Err(Failed::Cancelled),
            Err(error) => tally.failed = Some(error.to_string()),
            Ok(()) => {}
        }
        Ok(tally)
    }

    async fn drain(&self, work: &Work<'_>, handler: Handler, tally: &mut Handled) -> Result<(), Failed> {
        let began = self.cx.clock.elapsed();
        let before = wal(work).await?.written;
        let cutoff = statements::cutoff(tally.days);
        let cutoff = work.value(SHORT, "asking for the time", &cutoff).await?;
        let mut outcome = Ok(());
        for slice in statements::slices(handler) {
            outcome = self.drain_slice(work, *slice, &cutoff, handler, tally).await;
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
        tally: &mut Handled,
    ) -> Result<(), Failed> {
        let mut from: Option<String> = None;
        loop {
            let most = self.most(tally.rows);
            if most == 0 {
                return Ok(());
            }
            self.must_have_room(work, tally.batches).await?;
            pacing::await_replicas(work, &self.rules.pace).await?;
            let (began, before) = (self.cx.clock.elapsed(), wal(work).await?.written);
            let sql = statements::delete(self.schema, slice, cutoff, from.as_deref(), most);
            let (rows, newest) = self.batch(work, handler, &sql).await?;
            if rows > 0 {
                tally.rows += rows;
                tally.batches += 1;
                self.cx.report.tell(EventKind::RowsDeleted {
                    database: self.database.to_owned(),
                    step: handler.step(),
                    rows: tally.rows,
                });
            }
            if rows < most {
                return Ok(());
            }
            from = newest;
            let lasted = self.cx.clock.elapsed().saturating_sub(began);
            let written = wal(work).await?.written.saturating_sub(before);
            work.sleep(self.rules.pace.pause(written, lasted)).await?;
        }
    }

    /// How many rows the next batch may have.
    fn most(&self, so_far: u64) -> u64 {
        if self.wish.until_drained {
            return BATCH;
        }
        self.rules.limit.saturating_sub(so_far).min(BATCH)
    }

    /// One transaction. A lock that cannot be had is tried for a few times; who holds it is told.
    async fn batch(&self, work: &Work<'_>, handler: Handler, sql: &str) -> Result<(u64, Option<String>), Failed> {
        let doing = format!("deleting {handler}");
        let mut tries = 0;
        loop {
            tries += 1;
            match work.rows(BATCH_LIMIT, &doing, sql).await {
                Ok(rows) => {
                    let row = rows.first().cloned().unwrap_or_default();
                    let newest = Some(text(&row, 1)).filter(|newest| !newest.is_empty());
                    return Ok((number(&row, 0), newest));
                }
                Err(failed) if failed.is_locked_out() && tries < TRIES => work.sleep(TRY_AGAIN).await?,
                failed => return indexes::locked(work, self.schema, failed.map(|_| (0, None))).await,
            }
        }
    }

    async fn must_have_room(&self, work: &Work<'_>, batches: u64) -> Result<(), Failed> {
        if !batches.is_multiple_of(LOOK_AT_DISK) {
            return Ok(());
        }
        match room::free(work, self.dagster.server.workload()).await? {
            Some(free) if free < LEAST_FREE => Err(Failed::Unfit(format!(
                "the disk of the server has {free} bytes left, and a deletion writes before it frees anything: it begins with \
                 {LEAST_FREE} bytes free"
            ))),
            _ => Ok(()),
        }
    }
}
