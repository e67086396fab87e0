//! Gives the room back that deleted rows take, by the `pg_repack` of the database's own container. Its exit code says little: whether a
//! table was repacked is told by the table's file. It ends no session of others, ever; what a killed one has left is removed first.

mod judge;
mod leftovers;
mod preflight;

use std::time::Duration;

use stillpoint_core::events::EventKind;
use stillpoint_core::maintenance::{RepackedDatabase, RepackedTable};
use stillpoint_core::ports::{Command, within};
use stillpoint_core::stores::Cx;
use stillpoint_pg::quote::literal;
use tokio_util::sync::CancellationToken;

use self::preflight::Fit;
use crate::schema::{self, Schema};
use crate::work::{SHORT, Work, millis, number, via};
use crate::{Dagster, Failed, room};

/// The tables that grow and shrink.
pub(crate) const TABLES: [&str; 3] = ["event_logs", "job_ticks", "runs"];

/// How long one table may take: `pg_repack` itself would wait for an open transaction without end.
const LIMIT: Duration = Duration::from_hours(3);

/// How long the end of our own may take after a failure.
const ENDS: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How our own are called in the server, before the run's id.
const OURS: &str = "stillpoint repack";

/// The version of the extension, if the database has it.
pub(crate) async fn extension(work: &Work<'_>) -> Result<Option<String>, Failed> {
    let sql = "SELECT extversion FROM pg_extension WHERE extname = 'pg_repack'";
    let version = work.value(SHORT, "looking for pg_repack", sql).await?;
    Ok(Some(version).filter(|version| !version.is_empty()))
}

pub(crate) async fn repack(
    dagster: &Dagster,
    cx: &Cx,
    database: &str,
    dry_run: bool,
) -> Result<RepackedDatabase, Failed> {
    let mut repacked = RepackedDatabase {
        store: dagster.store.clone(),
        database: database.to_owned(),
        skipped: None,
        notes: Vec::new(),
        failed: Vec::new(),
        tables: Vec::new(),
    };
    let work = Work::begin(dagster, cx, database).await?;
    let looked = preflight(dagster, &work, dry_run, &mut repacked).await;
    let Some(schema) = work.end(looked).await? else {
        return Ok(repacked);
    };
    for table in &mut repacked.tables {
        repack_table(dagster, cx, database, &schema, table).await?;
    }
    Ok(repacked)
}

/// Looks whether it could succeed, and removes what a killed one has left. None: there is nothing to do, or it could not succeed.
async fn preflight(
    dagster: &Dagster,
    work: &Work<'_>,
    dry_run: bool,
    repacked: &mut RepackedDatabase,
) -> Result<Option<Schema>, Failed> {
    let Some(version) = extension(work).await? else {
        repacked.skipped = Some(preflight::without_extension(work).await?);
        return Ok(None);
    };
    let schema = schema::find(work).await?;
    repacked.failed = preflight::refusals(dagster, work, &version).await?;
    if repacked.failed.is_empty() && !dry_run {
        repacked.failed.extend(preflight::await_others(work).await?);
    }
    if !repacked.failed.is_empty() {
        return Ok(None);
    }
    let left = if dry_run {
        leftovers::look(work).await?.told()
    } else {
        leftovers::remove(work).await?
    };
    repacked.notes.extend(left);
    let fit = Fit::look(dagster, work, &schema).await?;
    repacked.notes.extend(fit.notes);
    repacked.failed.extend(fit.refusals);
    repacked.tables = fit.tables;
    Ok((repacked.failed.is_empty() && !dry_run).then_some(schema))
}

/// One table. What keeps it as it is, is noted; fails only if the run was cancelled.
async fn repack_table(
    dagster: &Dagster,
    cx: &Cx,
    database: &str,
    schema: &Schema,
    table: &mut RepackedTable,
) -> Result<(), Failed> {
    if table.failed.is_some() {
        return Ok(());
    }
    let began = cx.clock.elapsed();
    let outcome = run(dagster, cx, database, schema, table).await;
    table.millis = millis(cx.clock.elapsed().saturating_sub(began));
    match outcome {
        Ok(after) => {
            table.after = Some(after);
            cx.report.tell(EventKind::Repacked {
                database: database.to_owned(),
                table: table.table.clone(),
                before: table.before,
                after,
            });
            return Ok(());
        }
        Err(failed) => {
            let is_cancelled = matches!(failed, Failed::Cancelled);
            end_ours(dagster, cx, database).await;
            if is_cancelled {
                return Err(failed);
            }
            table.failed = Some(failed.to_string());
        }
    }
    let why = table.failed.as_deref().unwrap_or_default();
    let (store, table) = (&dagster.store, &table.table);
    cx.report.warn(format!(
        "{store}, database `{database}`: {table} is not repacked: {why}"
    ));
    Ok(())
}

/// Runs the tool; returns the size of the table afterwards.
async fn run(
    dagster: &Dagster,
    cx: &Cx,
    database: &str,
    schema: &Schema,
    table: &RepackedTable,
) -> Result<u64, Failed> {
    let before = file(dagster, cx, database, schema, &table.table).await?;
    let name = schema.table(&table.table);
    let command = Command::new([
        "pg_repack".to_owned(),
        format!("--table={name}"),
        "--no-kill-backend".to_owned(),
        "--wait-timeout=60".to_owned(),
    ])
    .env("PGAPPNAME", ours(cx).into());
    let command = dagster.server.logged_in(&via(cx), command, database).await;
    let command = command.map_err(Failed::Login)?;
    let (code, _, errors) = room::exec(cx, dagster.server.workload(), command, LIMIT).await?;
    let after = file(dagster, cx, database, schema, &table.table).await?;
    judge::judge(code, &errors, before.file != after.file)?;
    Ok(after.bytes)
}

fn ours(cx: &Cx) -> String {
    format!("{OURS} {}", cx.owner)
}

struct File {
    file: String,
    bytes: u64,
}

/// The file of a table: a repack gives it another.
async fn file(dagster: &Dagster, cx: &Cx, database: &str, schema: &Schema, table: &str) -> Result<File, Failed> {
    let name = literal(&schema.table(table));
    let sql = format!("SELECT pg_relation_filenode({name}::regclass), pg_total_relation_size({name}::regclass)");
    let work = Work::begin(dagster, cx, database).await?;
    let rows = work.rows(SHORT, &format!("looking at {table}"), &sql).await;
    let rows = work.end(rows).await?;
    let row = rows.first().cloned().unwrap_or_default();
    Ok(File {
        file: crate::work::text(&row, 0),
        bytes: number(&row, 1),
    })
}

/// Ends what the tool of this run may still have at work in the server, and removes what it has left. What fails here the next run
/// does.
async fn end_ours(dagster: &Dagster, cx: &Cx, database: &str) {
    // The run may be cancelled: what it has begun is ended all the same.
    let cx = Cx {
        cancel: CancellationToken::new(),
        ..cx.clone()
    };
    let ended = async {
        let work = Work::begin(dagster, &cx, database).await?;
        let removed = end_and_remove(&work).await;
        work.end(removed).await
    };
    let ended = within(&*cx.clock, ENDS, "the end of pg_repack", ended).await;
    tracing::debug!(target: "stillpoint::run", ?ended, "what was left of a repack is removed");
}

async fn end_and_remove(work: &Work<'_>) -> Result<(), Failed> {
    let name = literal(&ours(work.cx));
    // A name is cut where it is too long for the server.
    let whose = format!("datname = current_database() AND application_name = left({name}, 63)");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {whose}");
    work.run(SHORT, "ending our own pg_repack", &end).await?;
    let there = format!("SELECT count(*) FROM pg_stat_activity WHERE {whose}");
    while work.value(SHORT, "looking for our own pg_repack", &there).await? != "0" {
        work.sleep(LOOK_EVERY).await?;
    }
    leftovers::remove(work).await.map(drop)
}
