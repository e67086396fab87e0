//! `stillpoint config show` and `check`.

use serde_json::json;
use stillpoint_core::errors::Exit;

use super::table;
use crate::config::{Config, Repository};
use crate::display::print;

/// Look at the configuration; nothing is connected to
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Show every value
    Show {
        /// Also where each comes from
        #[arg(long)]
        origin: bool,
    },
    /// Read everything and say where the backups will go; ends with 2 if something is wrong
    Check,
}

pub(super) fn run(config: &Config, command: &Command) -> Exit {
    match command {
        Command::Show { .. } if config.json => print::document(&config.rows()),
        Command::Show { origin } => show(config, *origin),
        Command::Check => check(config),
    }
    Exit::Ok
}

fn show(config: &Config, origin: bool) {
    let columns = if origin { 3 } else { 2 };
    let mut shown = table(&["KEY", "VALUE", "ORIGIN"][..columns]);
    for row in config.rows() {
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

fn place(repository: &Repository) -> String {
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
    }
}
