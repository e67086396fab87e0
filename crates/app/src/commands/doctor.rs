//! `stillpoint doctor`.

use std::sync::Arc;

use serde_json::json;
use stillpoint_core::doctor::Diagnosis;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::findings::Severity;
use stillpoint_notify::Patience;

use super::order;
use crate::config::Config;
use crate::display::{Display, print};
use crate::failure::Failure;
use crate::notices::Notices;
use crate::{doctor, wiring};

/// Look for everything that could make the next backup or a restore fail, and say what to do; changes nothing
///
/// Ends with 0 where nothing was found but advice, with 3 where something should be looked at, with 1 where a backup or a
/// restore would fail. docs/operating/doctor.md lists every check.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(config: &Config, _: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(config).await?;
    let historian = wiring::historian(config);
    let notices = Notices::new(config, Patience::Short, Arc::new(|line| print::error(&line)));
    let display = Display::start(config.form());
    let diagnosis = doctor::examine(config, &operations, &historian, &notices, order(config, &display)).await;
    display.finish();
    let diagnosis = diagnosis?;
    let exit = diagnosis.exit();
    if config.json {
        let mut told = json!(diagnosis);
        told["summary"] = json!(diagnosis.sentence());
        told["exit"] = json!(exit as u8);
        print::document(&told);
    } else {
        show(&diagnosis);
    }
    Ok(exit)
}

fn show(diagnosis: &Diagnosis) {
    print::line(&diagnosis.sentence());
    let titles = [
        (Severity::Refuses, "A BACKUP OR A RESTORE WOULD FAIL:"),
        (Severity::Warns, "To look at:"),
        (Severity::Advises, "Could be better:"),
    ];
    for (severity, title) in titles {
        let of_it = diagnosis
            .findings
            .iter()
            .filter(|found| found.finding.severity == severity);
        for (number, found) in of_it.enumerate() {
            if number == 0 {
                print::line("");
                print::line(title);
            }
            print::line(&found.to_string());
        }
    }
    if !diagnosis.findings.is_empty() && !diagnosis.unseen.is_empty() {
        print::line("");
        print::line("Not seen from here:");
        for unseen in &diagnosis.unseen {
            print::line(&format!("  {unseen}"));
        }
    }
}
