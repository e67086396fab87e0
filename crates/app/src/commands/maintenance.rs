//! `stillpoint maintenance`: keep Dagster's databases lean.

use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::maintenance::{CleanupWish, DatabaseStatus, Status};
use stillpoint_core::operations::{Local, Operations, Order};

use super::{Handing, carry_out, order, table};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::jobs;
use crate::wiring;

/// Keep Dagster's databases lean: delete old logs and events, give the room back, show how they stand
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Delete logs and framework events past their windows; no page of Dagster shows more of them than their own lines
    ///
    /// Windows and limit are settings (`DAGSTER_…_RETENTION_DAYS`, `DAGSTER_CLEANUP_BATCH_LIMIT`). Clients go on meanwhile.
    Cleanup(Cleanup),
    /// Give the room back that deleted rows take, by the `pg_repack` of the database's own container
    ///
    /// Where the extension is missing nothing is done. No session of others is ever ended.
    Repack(Repack),
    /// Show sizes, dead rows, what is past each window, and what maintenance needs
    Status,
}

#[derive(clap::Args, Debug)]
pub(super) struct Cleanup {
    /// Go on until nothing is left that is past its window, whatever the limit
    #[arg(long)]
    until_drained: bool,

    /// Drop the index that Dagster's documentation proposes: with it Dagster cannot store a message with a NUL
    #[arg(long)]
    drop_published_index: bool,

    /// Only count what would go
    #[arg(long, conflicts_with_all = ["until_drained", "drop_published_index", "detach"])]
    dry_run: bool,

    #[command(flatten)]
    handing: Handing,
}

#[derive(clap::Args, Debug)]
pub(super) struct Repack {
    /// Only look whether it could be done
    #[arg(long, conflicts_with = "detach")]
    dry_run: bool,

    #[command(flatten)]
    handing: Handing,
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    match command {
        Command::Cleanup(args) if args.dry_run => count(config, &operations).await,
        Command::Cleanup(args) => {
            let order = Order::Cleanup(CleanupWish {
                until_drained: args.until_drained,
                drop_published_index: args.drop_published_index,
            });
            carry_out(config, &operations, order, config.project(), args.handing).await
        }
        Command::Repack(args) if args.dry_run => could_repack(config, &operations).await,
        Command::Repack(args) => carry_out(config, &operations, Order::Repack, config.project(), args.handing).await,
        Command::Status => status(config, &operations).await,
    }
}

async fn count(config: &Config, operations: &Local) -> Result<Exit, Failure> {
    let display = Display::start(config.form());
    let counted = operations.count_cleanup(order(config, &display)).await;
    display.finish();
    let counted = counted?;
    show(config, &counted, &jobs::cleaned(&counted));
    ended(counted.failed)
}

async fn could_repack(config: &Config, operations: &Local) -> Result<Exit, Failure> {
    let display = Display::start(config.form());
    let looked = operations.repack(true, order(config, &display)).await;
    display.finish();
    let looked = looked?;
    show(config, &looked, &jobs::repacked(&looked));
    let databases = looked.databases.into_iter().flat_map(|database| database.failed);
    ended(looked.failed.into_iter().chain(databases).collect())
}

async fn status(config: &Config, operations: &Local) -> Result<Exit, Failure> {
    let display = Display::start(config.form());
    let status = operations.maintenance_status(order(config, &display)).await;
    display.finish();
    let status = status?;
    show(config, &status, &said(&status));
    ended(status.failed)
}

fn show(config: &Config, document: &impl serde::Serialize, said: &[String]) {
    if config.json {
        print::document(document);
    } else {
        print::line(&said.join("\n"));
    }
}

fn ended(failed: Vec<String>) -> Result<Exit, Failure> {
    if failed.is_empty() {
        Ok(Exit::Ok)
    } else {
        Err(Error::Upkeep(failed).into())
    }
}

fn said(status: &Status) -> Vec<String> {
    let mut said = status.notes.clone();
    if status.disabled {
        said.push("Maintenance is switched off (MAINTENANCE_DISABLED).".to_owned());
    }
    for database in &status.databases {
        said.extend(of_database(database));
    }
    said
}

fn of_database(status: &DatabaseStatus) -> Vec<String> {
    let mut tables = table(&["TABLE", "ROWS AND WHAT IS ASIDE", "INDEXES", "LIVE ROWS", "DEAD ROWS"]);
    for table in &status.tables {
        tables.add_row([
            table.table.clone(),
            words::bytes(table.table_bytes),
            words::bytes(table.index_bytes),
            table.live_rows.to_string(),
            table.dead_rows.to_string(),
        ]);
    }
    let mut said = vec![jobs::headline(&status.counted), tables.to_string()];
    said.push(jobs::handlers(&status.counted, true));
    for index in &status.indexes {
        let how = if index.usable {
            "in place"
        } else {
            "MISSING: the next cleanup builds it"
        };
        said.push(format!("  index {}: {how}", index.index));
    }
    said.push(match &status.pg_repack {
        Some(version) => format!("  pg_repack {version}"),
        None => "  no pg_repack in this database: nothing is repacked".to_owned(),
    });
    said.extend(status.counted.notes.iter().map(|note| format!("  {note}")));
    said
}
