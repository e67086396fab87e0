//! `stillpoint containers plan` and `start`.

use std::time::{Duration, Instant};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::json;
use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::engine::plan::{Action, Plan};
use stillpoint_core::findings::{Finding, Severity};
use stillpoint_core::operations::{Operations, Order};

use super::{Handing, carry_out, left_out, look_at_stores_of, order};
use crate::config::Config;
use crate::display::{Display, print};
use crate::failure::Failure;
use crate::{notices, wiring};

/// How long the lock of a process that has died may stay, and between two looks.
const LOCK_GOES: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Show what a backup would stop, or start what an earlier run left stopped
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Show what a backup would do with each container, and why; changes nothing
    Plan,
    /// Start what an earlier run stopped and did not start again
    ///
    /// After a restore that failed, this starts the platform with the data as it is now. As long as something is
    /// missing that ran before, it ends with 16 and says how to make it again.
    Start(Start),
    /// Bring back what runs that died left stopped; what a restore stopped on purpose stays stopped
    ///
    /// Every platform of the engine, unless one is named. For the start of the host: see `ops/`.
    Recover(Recover),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Start {
    /// Forget what is still missing then: it is not to come back
    #[arg(long)]
    forget: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Recover {
    /// Wait until the process at the other end of standard input is gone, then recover
    #[arg(long, hide = true)]
    watch: bool,
}

impl Command {
    /// Whether it brings a platform back.
    pub(super) fn brings_back(&self) -> bool {
        !matches!(self, Self::Plan)
    }

    /// Whether this is the child of a run, which has said already what there is to say.
    pub(super) fn is_watchdog(&self) -> bool {
        matches!(self, Self::Recover(Recover { watch: true }))
    }
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    match command {
        Command::Plan => {
            let display = Display::start(config.form());
            let plan = operations.look_ahead(None, order(config, &display)).await;
            display.finish();
            let plan = plan?;
            look_at_stores_of(config, &plan)?;
            if config.json {
                print::document(&json!({
                    "platform": plan.platform,
                    "workloads": plan.records(),
                    "findings": plan.findings,
                }));
            } else {
                show(&plan);
            }
        }
        Command::Start(Start { forget }) => {
            let order = Order::StartContainers { forget: *forget };
            return carry_out(config, &operations, order, config.project(), Handing::default()).await;
        }
        Command::Recover(Recover { watch }) => {
            let display = Display::start(config.form());
            let recovered = if *watch {
                after_a_death(|| operations.recover(order(config, &display))).await
            } else {
                operations.recover(order(config, &display)).await
            };
            display.finish();
            notices::after_recovery(config, recovered.as_ref()).await;
            recovered?;
            print::summary(config.json, "Nothing is left stopped by a run that died.");
        }
    }
    Ok(Exit::Ok)
}

/// What a dead process held goes piece by piece: its lock may go a moment after the end of our input, on a
/// loaded machine by more. Somebody who holds the platform for longer is another run, and brings it back.
pub(crate) async fn after_a_death<F: Future<Output = Result<(), Error>>>(recover: impl Fn() -> F) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        match recover().await {
            Err(Error::Held { .. }) if begun.elapsed() < LOCK_GOES => tokio::time::sleep(LOOK_AGAIN).await,
            recovered => return recovered,
        }
    }
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
    left_out::show(&plan.records());
    show_findings(&plan.findings);
}

pub(super) fn show_findings(findings: &[Finding]) {
    let refuses = |finding: &&Finding| finding.severity == Severity::Refuses;
    print::line("");
    match (findings.len(), findings.iter().filter(refuses).count()) {
        (0, _) => print::line("Nothing was found that hinders a backup."),
        (_, 0) => print::line("A backup can be made. You should know:"),
        (_, n) => print::line(&format!("A BACKUP WOULD BE REFUSED ({n} of these):")),
    }
    for finding in findings {
        print::line(&finding.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use stillpoint_core::names::Project;

    use super::*;

    fn held() -> Error {
        Error::Held {
            platform: Project::new("acme"),
            by: None,
        }
    }

    #[tokio::test]
    async fn the_lock_of_the_dead_is_waited_for() {
        let tries = Cell::new(0);
        let recovered = after_a_death(|| {
            tries.set(tries.get() + 1);
            let outcome = if tries.get() < 3 { Err(held()) } else { Ok(()) };
            async { outcome }
        });
        assert!(recovered.await.is_ok());
        assert_eq!(tries.get(), 3);
    }

    #[tokio::test]
    async fn any_other_failure_is_told_at_once() {
        let tries = Cell::new(0);
        let recovered = after_a_death(|| {
            tries.set(tries.get() + 1);
            async { Err(Error::Interrupted) }
        });
        assert!(matches!(recovered.await, Err(Error::Interrupted)));
        assert_eq!(tries.get(), 1);
    }
}
