//! `stillpoint config show`, `check` and `init`.

mod init;

use serde_json::json;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::operations::Operations;

use super::{look_at_stores_of, table};
use crate::config::{Config, Repository, Row};
use crate::display::print;
use crate::failure::Failure;
use crate::wiring;

/// Look at the configuration, or begin a file of it
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Show every value; the engine is asked for those that labels of containers set
    Show {
        /// Also where each comes from
        #[arg(long)]
        origin: bool,
    },
    /// Read everything and say where the backups will go; ends with 2 if something is wrong, asks nobody
    Check,
    /// Write a commented stillpoint.toml: every key with its meaning and default, and the stores that were found
    ///
    /// Nothing is set in it but the platform's name, where one was found: take away the `#` of what is to differ. A file that is
    /// there is never overwritten.
    Init(init::Args),
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(config, args).await?,
        Command::Show { .. } if config.json => print::document(&rows(config).await),
        Command::Show { origin } => show(rows(config).await, *origin),
        Command::Check => check(config),
    }
    Ok(Exit::Ok)
}

/// Every value. Where the engine does not tell what labels set, that is said, and the rest is shown.
async fn rows(config: &Config) -> Vec<Row> {
    match plan(config).await {
        Ok(plan) => {
            if let Err(refused) = look_at_stores_of(config, &plan) {
                print::error(&format!("warning: {}", refused.what()));
            }
            config.rows(Some(&plan))
        }
        Err(failure) => {
            let why = failure.what();
            print::error(&format!("warning: what labels of containers set is not shown: {why}"));
            config.rows(None)
        }
    }
}

async fn plan(config: &Config) -> Result<Plan, Failure> {
    let operations = wiring::operations(config).await?;
    Ok(operations.plan(config.project().as_ref()).await?)
}

fn show(rows: Vec<Row>, origin: bool) {
    let columns = if origin { 3 } else { 2 };
    let mut shown = table(&["KEY", "VALUE", "ORIGIN"][..columns]);
    for row in rows {
        let cells = [row.key, row.value.unwrap_or_default(), row.origin.unwrap_or_default()];
        shown.add_row(cells.into_iter().take(columns));
    }
    print::line(&shown.to_string());
}

/// The warnings are shown for every command.
fn check(config: &Config) {
    let place = place(&config.repository());
    let origin = config.chosen_by().to_string();
    if config.json {
        print::document(&json!({ "repository": place, "origin": origin, "warnings": config.warnings }));
    } else {
        print::line(&format!("The backups go to {place} ({origin})."));
    }
}

/// The repository in words.
pub(crate) fn place(repository: &Repository) -> String {
    match repository {
        Repository::Local(directory) => format!("the local directory {}", directory.display()),
        Repository::S3 { settings, prefix } => {
            let server = settings.endpoint.as_deref().map_or_else(
                || format!("Amazon S3 in {}", settings.region),
                |endpoint| format!("S3 at {endpoint}"),
            );
            let prefix = match prefix.as_deref() {
                None => "the platform's name as prefix".to_owned(),
                Some("") => "no prefix".to_owned(),
                Some(prefix) => format!("prefix {prefix}"),
            };
            format!("{server}, bucket {}, {prefix}", settings.bucket)
        }
        Repository::Unknown(_) => "a place that nobody knows".to_owned(),
    }
}
