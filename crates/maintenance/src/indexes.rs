//! The two indexes that a cleanup finds its rows by. A build that died leaves one that every write pays for and no query uses, and
//! a second `IF NOT EXISTS` would leave it at that: it is dropped first.
//!
//! The index that Dagster's documentation proposes reads the event as JSON: with it Dagster cannot store a message with a NUL. It is told
//! of, and dropped only on its operator's word.

use std::time::Duration;

use stillpoint_core::events::EventKind;
use stillpoint_core::maintenance::IndexStatus;
use stillpoint_pg::quote::{ident, literal};

use crate::schema::Schema;
use crate::statements::LEVEL;
use crate::work::{SHORT, Work, number, text};
use crate::{Dagster, Failed};

/// By level and age, of logs.
const LOGS: &str = "stillpoint_logs";
/// By type and age, of the events that may go.
const EVENTS: &str = "stillpoint_events";
const OURS: [&str; 2] = [LOGS, EVENTS];

/// How long one may be built.
const BUILD: Duration = Duration::from_hours(2);
/// How long a build waits for one older transaction; whoever wants the table meanwhile is not kept waiting by it.
const WAITS: &str = "SET lock_timeout = '2min'";
const WAITS_NO_MORE: &str = "SET lock_timeout = '5s'";
/// How long the build of another is waited for.
const OTHERS: Duration = Duration::from_mins(10);
const LOOK_EVERY: Duration = Duration::from_secs(2);

fn definition(schema: &Schema, index: &str) -> String {
    let table = schema.table("event_logs");
    let what = match index {
        LOGS => format!("(({LEVEL}), \"timestamp\") WHERE dagster_event_type IS NULL"),
        _ => "(dagster_event_type, \"timestamp\") WHERE dagster_event_type IN ('HANDLED_OUTPUT', 'LOADED_INPUT', \
              'ENGINE_EVENT', 'ASSET_MATERIALIZATION_PLANNED', 'STEP_OUTPUT')"
            .to_owned(),
    };
    format!("CREATE INDEX CONCURRENTLY {} ON {table} {what}", ident(index))
}

/// Indexes of the table: name, whether it can be used, whether somebody builds it now.
async fn all(work: &Work<'_>, schema: &Schema) -> Result<Vec<(String, bool, bool)>, Failed> {
    let sql = format!(
        "SELECT c.relname, i.indisvalid AND i.indisready, EXISTS (SELECT FROM pg_stat_progress_create_index p \
         WHERE p.index_relid = i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = {}::regclass ORDER BY 1",
        literal(&schema.table("event_logs"))
    );
    let rows = work.rows(SHORT, "looking at the indexes of event_logs", &sql).await?;
    let is = |text: String| text == "t";
    let one = |row: &Vec<Option<String>>| (text(row, 0), is(text(row, 1)), is(text(row, 2)));
    Ok(rows.iter().map(one).collect())
}

/// Whether both are there.
pub(crate) async fn status(work: &Work<'_>, schema: &Schema) -> Result<Vec<IndexStatus>, Failed> {
    let all = all(work, schema).await?;
    let status = |index: &str| IndexStatus {
        index: index.to_owned(),
        usable: all.iter().any(|(name, usable, _)| name == index && *usable),
    };
    Ok(OURS.map(status).to_vec())
}

/// Indexes that read the event as JSON.
pub(crate) async fn published(work: &Work<'_>, schema: &Schema) -> Result<Vec<String>, Failed> {
    let sql = format!(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = {}::regclass \
         AND pg_get_indexdef(i.indexrelid) ~ '\\(event\\)?::json' ORDER BY 1",
        literal(&schema.table("event_logs"))
    );
    work.column(SHORT, "looking for the index of Dagster's documentation", &sql)
        .await
}

/// What is said of one of them.
pub(crate) fn told(index: &str) -> String {
    format!(
        "index {index} reads the event as JSON, as Dagster's documentation proposes: with it Dagster cannot store a log message \
         with a NUL character. Nothing of this cleanup needs it: `stillpoint maintenance cleanup --drop-published-index` drops it"
    )
}

/// Drops them.
pub(crate) async fn drop_published(work: &Work<'_>, schema: &Schema) -> Result<Vec<String>, Failed> {
    let mut dropped = Vec::new();
    for index in published(work, schema).await? {
        drop_index(work, schema, &index).await?;
        dropped.push(format!("index {index} is dropped: it reads the event as JSON"));
    }
    Ok(dropped)
}

/// Drops what dead builds have left of ours, and builds what is missing. Returns what was done.
pub(crate) async fn ensure(
    dagster: &Dagster,
    work: &Work<'_>,
    database: &str,
    schema: &Schema,
) -> Result<Vec<String>, Failed> {
    let mut done = Vec::new();
    await_builders(work, schema).await?;
    for (name, usable, _) in all(work, schema).await? {
        if is_ours(&name) && !usable {
            drop_index(work, schema, &name).await?;
            done.push(format!("index {name} was left unfinished by a run that died: dropped"));
        }
    }
    let there = all(work, schema).await?;
    for index in OURS {
        if there.iter().any(|(name, ..)| name == index) {
            continue;
        }
        build(dagster, work, database, schema, index).await?;
        done.push(format!("index {index} is built"));
    }
    Ok(done)
}

/// A rebuild that died leaves one of the index's name with more behind it.
fn is_ours(name: &str) -> bool {
    let rest = OURS.iter().find_map(|ours| name.strip_prefix(ours));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("_ccnew") || rest.starts_with("_ccold"))
}

/// A run that died may have left a server that goes on building.
async fn await_builders(work: &Work<'_>, schema: &Schema) -> Result<(), Failed> {
    let began = work.cx.clock.elapsed();
    loop {
        let all = all(work, schema).await?;
        let Some((name, ..)) = all.into_iter().find(|(name, _, built)| is_ours(name) && *built) else {
            return Ok(());
        };
        if work.cx.clock.elapsed().saturating_sub(began) > OTHERS {
            let why = format!(
                "index {name} is being built by somebody else for more than {} s",
                OTHERS.as_secs()
            );
            return Err(Failed::Unfit(why));
        }
        work.sleep(LOOK_EVERY).await?;
    }
}

async fn drop_index(work: &Work<'_>, schema: &Schema, index: &str) -> Result<(), Failed> {
    let doing = format!("dropping index {index}");
    let sql = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", schema.table(index));
    // In a transaction of its own: nothing else may stand beside it.
    let dropped = work.run(BUILD, &doing, &sql).await;
    locked(work, schema, dropped).await
}

async fn build(dagster: &Dagster, work: &Work<'_>, database: &str, schema: &Schema, index: &str) -> Result<(), Failed> {
    let doing = format!("building index {index}");
    let table = schema.table("event_logs");
    // Whoever holds the table for long is told of soon; a build waits longer, for old transactions.
    let lock = format!("LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE");
    let free = in_transaction(work, &doing, &lock).await;
    locked(work, schema, free).await?;
    work.run(SHORT, "preparing a session", WAITS).await?;
    let sql = definition(schema, index);
    let built = {
        let building = work.run(BUILD, &doing, &sql);
        let telling = tell_progress(dagster, work, database, schema, &doing);
        tokio::pin!(building);
        tokio::select! {
            built = &mut building => built,
            () = telling => building.await,
        }
    };
    if matches!(&built, Err(failed) if !failed.leaves_work()) {
        // Until it is gone every write pays for it. Where that fails too, the next run does it.
        let undone = drop_index(work, schema, index).await;
        tracing::debug!(target: "stillpoint::run", ?undone, "an index that could not be built is dropped");
    }
    let built = locked(work, schema, built).await;
    if built.is_ok() {
        work.run(SHORT, "preparing a session", WAITS_NO_MORE).await?;
    }
    built
}

/// One statement in a transaction of its own that leaves nothing.
async fn in_transaction(work: &Work<'_>, doing: &str, sql: &str) -> Result<(), Failed> {
    work.run(SHORT, doing, "BEGIN").await?;
    let done = work.run(SHORT, doing, sql).await;
    if !matches!(&done, Err(failed) if failed.leaves_work()) {
        work.run(SHORT, doing, "ROLLBACK").await?;
    }
    done
}

/// Tells how far the build is, as the server counts it. Its own failures are nobody's.
async fn tell_progress(dagster: &Dagster, work: &Work<'_>, database: &str, schema: &Schema, doing: &str) {
    let sql = format!(
        "SELECT blocks_done, blocks_total FROM pg_stat_progress_create_index WHERE relid = {}::regclass AND blocks_total > 0",
        literal(&schema.table("event_logs"))
    );
    let Ok(other) = Work::begin(dagster, work.cx, database).await else {
        return;
    };
    loop {
        let told = match other.sleep(LOOK_EVERY).await {
            Ok(()) => other.rows(SHORT, "looking how far it is", &sql).await,
            Err(cancelled) => Err(cancelled),
        };
        let Ok(rows) = told else { break };
        for row in rows {
            work.cx.report.tell(EventKind::StatementProgress {
                database: database.to_owned(),
                doing: doing.to_owned(),
                done: number(&row, 0),
                total: number(&row, 1),
            });
        }
    }
    // Whatever was asked is answered or broken off.
    drop(other.end(Err::<(), _>(Failed::Cancelled)).await);
}

/// Says who holds the lock that could not be had.
pub(crate) async fn locked<T>(work: &Work<'_>, schema: &Schema, outcome: Result<T, Failed>) -> Result<T, Failed> {
    match outcome {
        Err(failed) if failed.is_locked_out() => {
            let holder = work.who_locks(&schema.table("event_logs")).await;
            Err(Failed::Unfit(format!("{failed}: {holder}")))
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_dropped_as_unfinished() {
        let ours = [
            "stillpoint_logs",
            "stillpoint_events",
            "stillpoint_events_ccnew",
            "stillpoint_logs_ccold1",
        ];
        assert!(ours.iter().all(|name| is_ours(name)));
        let others = [
            "idx_event_type",
            "stillpoint_logs_of_mine",
            "stillpoint",
            "my_stillpoint_logs",
        ];
        assert!(!others.iter().any(|name| is_ours(name)));
    }
}
