//! `stillpoint schedules ls`, `on` and `off`.

use jiff::Timestamp;
use serde::Serialize;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::History;
use stillpoint_web::wire::{Standing, Timetable};

use super::table;
use crate::config::Config;
use crate::display::{print, words};
use crate::failure::Failure;
use crate::service::{Client, Service, listed};
use crate::{notices, operator, wiring};

/// Look at what the service begins by itself, and switch it
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the jobs with their next times, and whether they are overdue
    Ls,
    /// Let a job begin by itself again
    On {
        /// The job, as `stillpoint schedules ls` shows it
        job: String,
    },
    /// Let a job no longer begin by itself
    Off {
        /// The job, as `stillpoint schedules ls` shows it
        job: String,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let historian = wiring::historian(config);
    let history = historian.history.clone();
    match command {
        Command::Ls => {
            // A run whose process is gone is not at work.
            notices::note_died(config, &wiring::tidy_up(config, &historian).await?).await;
            list(config, &*history).await?;
        }
        Command::On { job } => switch(config, &*history, job, true).await?,
        Command::Off { job } => switch(config, &*history, job, false).await?,
    }
    Ok(Exit::Ok)
}

async fn switch(config: &Config, history: &dyn History, job: &str, on: bool) -> Result<(), Failure> {
    listed::has_schedule(config, job)?;
    history.switch(job, on, &operator::name(), Timestamp::now()).await?;
    let word = if on { "on" } else { "off" };
    print::summary(config.json, &format!("The schedule of {job} is {word}."));
    Ok(())
}

/// All that is told.
#[derive(Serialize)]
struct Listed {
    /// The service that heeds them, if one runs.
    service: Option<Service>,
    #[serde(flatten)]
    timetable: Timetable,
}

async fn list(config: &Config, history: &dyn History) -> Result<(), Failure> {
    let service = Client::find(&config.platform.state_dir).await;
    let listed = Listed {
        service: service.map(|client| client.service),
        timetable: listed::timetable(config, history, Timestamp::now()).await?,
    };
    if config.json {
        print::document(&listed);
    } else {
        show(config, &listed);
    }
    Ok(())
}

fn show(config: &Config, listed: &Listed) {
    let mut rows = table(&["JOB", "SCHEDULE", "ZONE", "SWITCH", "NEXT", "STANDING"]);
    for (row, planned) in listed.timetable.schedules.iter().zip(&config.schedules) {
        let next = row
            .next
            .first()
            .map(|next| next.to_zoned(planned.schedule.calendar.zone().clone()));
        rows.add_row([
            row.job.clone(),
            row.expression.clone(),
            row.zone.clone().unwrap_or_default(),
            if row.on { "on" } else { "off" }.to_owned(),
            next.map(|next| next.strftime("%a %d %b %Y %H:%M %Z").to_string())
                .unwrap_or_default(),
            standing(row.standing).to_owned(),
        ]);
    }
    print::line(&rows.to_string());
    for row in &listed.timetable.schedules {
        if let (Some(by), Some(at)) = (&row.switched_by, row.switched_at) {
            let word = if row.on { "on" } else { "off" };
            print::line(&format!(
                "{} was switched {word} by {by}, {}.",
                row.job,
                words::local(at)
            ));
        }
        if let (Some(since), Some(reason)) = (row.overdue_since, &row.reason) {
            print::line(&format!(
                "{} is OVERDUE since {}: {reason}.",
                row.job,
                words::local(since)
            ));
        }
    }
    for overlap in &listed.timetable.overlaps {
        print::line(&format!("warning: {}.", overlap.warning));
    }
    if listed.service.is_none() {
        print::line("No service runs here, so nothing begins by itself: `stillpoint serve` is what does it.");
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::OnTime => "ON TIME",
        Standing::Overdue => "OVERDUE",
        Standing::Off => "OFF",
        Standing::NeverHeeded => "NEVER HEEDED",
    }
}
