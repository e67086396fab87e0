//! What upkeep of Dagster's databases answers. What could not be done is a failure, and what was done is told all the same.

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::maintenance::{Cleaned, CleanedDatabase, Handled, Repacked, RepackedDatabase, RepackedTable};

use super::Answer;
use crate::commands::table;
use crate::display::words;

/// What is said where nothing is done on purpose.
const DISABLED: &str = "Maintenance is switched off (MAINTENANCE_DISABLED): nothing was done.";

pub(super) fn cleanup(done: &Cleaned) -> Answer {
    let failed = failures(done);
    with(Answer::new(cleaned(done), done, true), failed)
}

pub(super) fn repack(done: &Repacked) -> Answer {
    let mut failed = done.failed.clone();
    for database in &done.databases {
        failed.extend(database.failed.iter().map(|why| format!("{}: {why}", place(database))));
        let tables = database.tables.iter();
        let tables = tables.filter_map(|table| Some((&table.table, table.failed.as_ref()?)));
        failed.extend(tables.map(|(table, why)| format!("{}, {table}: {why}", place(database))));
    }
    with(Answer::new(repacked(done), done, true), failed)
}

fn with(answer: Answer, failed: Vec<String>) -> Answer {
    if failed.is_empty() {
        return answer;
    }
    Answer {
        exit: Exit::RunFailed,
        failed: Some(Error::Upkeep(failed)),
        ..answer
    }
}

fn failures(done: &Cleaned) -> Vec<String> {
    let mut failed = done.failed.clone();
    for database in &done.databases {
        let place = format!("{}, database `{}`", database.store, database.database);
        failed.extend(database.failed.iter().map(|why| format!("{place}: {why}")));
        let handlers = database.handlers.iter();
        let handlers = handlers.filter_map(|tally| Some((tally.handler, tally.failed.as_ref()?)));
        failed.extend(handlers.map(|(handler, why)| format!("{place}, {handler}: {why}")));
    }
    failed
}

/// What went, or would.
pub(crate) fn cleaned(done: &Cleaned) -> Vec<String> {
    if done.disabled {
        return vec![DISABLED.to_owned()];
    }
    let mut said = done.notes.clone();
    for database in &done.databases {
        said.push(headline(database));
        said.push(handlers(database, done.dry_run));
        said.extend(database.notes.iter().map(|note| format!("  {note}")));
    }
    if done.dry_run {
        said.push("Nothing was deleted: this only counts.".to_owned());
    }
    said
}

/// Which database it is about.
pub(crate) fn headline(database: &CleanedDatabase) -> String {
    let version = match database.version.as_str() {
        "" => "of a version that is not noted".to_owned(),
        version => format!("of version {version}"),
    };
    format!(
        "{}, database `{}`, schema {} {version}:",
        database.store, database.database, database.schema
    )
}

/// What each handler did, or would.
pub(crate) fn handlers(database: &CleanedDatabase, dry_run: bool) -> String {
    if dry_run {
        let mut rows = table(&[
            "",
            "OLDER THAN",
            "ROWS THAT GO",
            "BYTES PAST THE WINDOW",
            "LEFT THEN",
            "RUNS TO DRAINED",
        ]);
        for tally in &database.handlers {
            rows.add_row([
                tally.handler.to_string(),
                days(tally),
                tally.rows.to_string(),
                tally.bytes.map_or_else(String::new, words::bytes),
                left(tally),
                ticks(tally),
            ]);
        }
        return rows.to_string();
    }
    let mut rows = table(&[
        "",
        "OLDER THAN",
        "ROWS",
        "BATCHES",
        "TOOK",
        "WAL",
        "LEFT",
        "RUNS TO DRAINED",
    ]);
    for tally in &database.handlers {
        let failed = if tally.failed.is_some() { " (FAILED)" } else { "" };
        rows.add_row([
            format!("{}{failed}", tally.handler),
            days(tally),
            tally.rows.to_string(),
            tally.batches.to_string(),
            words::seconds(tally.millis),
            words::bytes(tally.wal_bytes),
            left(tally),
            ticks(tally),
        ]);
    }
    rows.to_string()
}

fn days(tally: &Handled) -> String {
    format!("{} days", tally.days)
}

fn left(tally: &Handled) -> String {
    tally.left.map_or_else(|| "?".to_owned(), |left| left.to_string())
}

fn ticks(tally: &Handled) -> String {
    tally
        .ticks_to_drained
        .map_or_else(|| "?".to_owned(), |ticks| ticks.to_string())
}

fn place(database: &RepackedDatabase) -> String {
    format!("{}, database `{}`", database.store, database.database)
}

/// What was given back, or could be.
pub(crate) fn repacked(done: &Repacked) -> Vec<String> {
    if done.disabled {
        return vec![DISABLED.to_owned()];
    }
    let mut said = done.notes.clone();
    for database in &done.databases {
        if let Some(why) = &database.skipped {
            said.push(format!("{}: skipped, {why}.", place(database)));
            continue;
        }
        said.push(format!("{}:", place(database)));
        said.extend(
            database
                .tables
                .iter()
                .map(|table| format!("  {}", of_table(table, done.dry_run))),
        );
        said.extend(database.notes.iter().map(|note| format!("  {note}")));
        said.extend(
            database
                .failed
                .iter()
                .map(|why| format!("  nothing is repacked: {why}")),
        );
    }
    if done.dry_run {
        said.push("Nothing was repacked: this only looks whether it could.".to_owned());
    }
    said
}

fn of_table(table: &RepackedTable, dry_run: bool) -> String {
    let (name, before) = (&table.table, words::bytes(table.before));
    match (&table.failed, table.after) {
        (Some(why), _) => format!("{name}: {before}, NOT repacked: {why}"),
        (None, Some(after)) => {
            let back = words::bytes(table.before.saturating_sub(after));
            let took = words::seconds(table.millis);
            format!(
                "{name}: {before} before, {} now, {back} given back in {took}",
                words::bytes(after)
            )
        }
        (None, None) if dry_run => format!("{name}: {before}, can be repacked"),
        (None, None) => format!("{name}: {before}, as it was"),
    }
}
