//! `stillpoint containers plan` and `start`.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use stillpoint_core::engine::plan::{Action, Plan};
use stillpoint_core::errors::Exit;
use stillpoint_core::operations::Operations;

use super::{order, warn_of_labels};
use crate::config::Config;
use crate::display::{Display, print};
use crate::failure::Failure;
use crate::{watchdog, wiring};

/// Look at what would be stopped, or bring back what was
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Show what a backup would do with each container, and why; changes nothing
    Plan,
    /// Start what an earlier run stopped and did not start again
    ///
    /// After a restore that failed, this starts the platform with the data as it is now.
    Start,
    /// Bring back what runs that died left stopped; what a restore stopped on purpose stays stopped
    ///
    /// Every platform of the engine, unless one is named. For the start of the host: see `ops/`.
    Recover(Recover),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Recover {
    /// Wait until the process at the other end of standard input is gone, then recover
    #[arg(long, hide = true)]
    watch: bool,
}

impl Command {
    /// Whether this is the child of a run, which has said already what there is to say.
    pub(super) fn is_watchdog(&self) -> bool {
        matches!(self, Self::Recover(Recover { watch: true }))
    }
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    match command {
        Command::Plan => {
            let plan = operations.plan(config.project().as_ref()).await?;
            warn_of_labels(config, &plan);
            if config.json {
                print::document(&plan.records());
            } else {
                show(&plan);
            }
        }
        Command::Start => {
            let display = Display::start(config.json);
            let started = operations.start_containers(order(config, &display)).await;
            display.finish();
            started?;
            print::summary(
                config.json,
                "Nothing of this platform is left stopped by an earlier run.",
            );
        }
        Command::Recover(Recover { watch }) => {
            if *watch && watchdog::was_dismissed().await {
                return Ok(Exit::Ok);
            }
            let display = Display::start(config.json);
            let recovered = operations.recover(order(config, &display)).await;
            display.finish();
            recovered?;
            print::summary(config.json, "Nothing is left stopped by a run that died.");
        }
    }
    Ok(Exit::Ok)
}

fn show(plan: &Plan) {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["CONTAINER", "ROLE", "NOW", "BACKUP WILL", "GRACE", "WHY"]);
    for entry in &plan.entries {
        let grace = match entry.action {
            Action::Stop(grace) => format!("{} s", grace.as_secs()),
            Action::Leave => String::new(),
        };
        table.add_row([
            entry.workload.address.to_string(),
            entry.role.to_string(),
            entry.workload.state.to_string(),
            entry.action.to_string(),
            grace,
            entry.reason.clone(),
        ]);
    }
    print::line(&format!("Platform {}", plan.platform));
    print::line(&table.to_string());
    for warning in plan.warnings() {
        print::line(&format!("warning: {warning}"));
    }
}
