//! `stillpoint status`: how the platform stands, in one screen and in an exit code.

use stillpoint_core::engine::errors::Exit;
use stillpoint_web::wire::overview::{Action, Health, Overview, RunLine, Severity, StoreCard, Work};

use super::table;
use crate::config::Config;
use crate::display::{print, words};
use crate::failure::Failure;
use crate::{notices, service, wiring};

/// So much of each is shown: all of it is one screen.
const STORES: usize = 10;
const ACTIONS: usize = 4;
const RUNS: usize = 3;

/// Say in one screen how the platform stands, for people and for monitoring; changes nothing
///
/// Ends with 0 where it is healthy, with 3 where it is overdue or degraded, with 1 where no backup can be counted on:
/// there is none, the last run failed, the newest is damaged, the repository does not answer, or a restore stands stopped.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(config: &Config, _: &Args) -> Result<Exit, Failure> {
    let historian = wiring::historian(config);
    // Nobody is shown a run at work whose process is gone.
    notices::note_died(config, &wiring::tidy_up(config, &historian).await?).await;
    let overview = service::overview(config).await?;
    if config.json {
        print::document(&overview);
    } else {
        show(&overview);
    }
    Ok(exit(overview.health))
}

fn exit(health: Health) -> Exit {
    match health {
        Health::Healthy => Exit::Ok,
        Health::Degraded => Exit::Degraded,
        Health::Failing => Exit::RunFailed,
    }
}

fn show(overview: &Overview) {
    // Monitoring shows the first line, and nothing else.
    print::line(&overview.verdict.sentence);
    for work in &overview.work {
        print::line(&at_work(work));
    }
    stores(&overview.stores);
    actions(&overview.actions);
    if let Some(place) = &overview.only_copy {
        print::line("");
        print::line(&format!("The only copy of the backups is on this host: {place}."));
    }
    runs(&overview.runs);
}

fn at_work(work: &Work) -> String {
    let doing = work
        .doing
        .as_ref()
        .map_or_else(String::new, |doing| format!(": {doing}"));
    format!("Run {}, {}, {}{doing}.", work.run.name, work.run.job, work.run.state)
}

fn stores(cards: &[StoreCard]) {
    if cards.is_empty() {
        return;
    }
    let mut rows = table(&["STORE", "LAST GOOD", "SIZE", "READ BACK"]);
    for card in cards.iter().take(STORES) {
        rows.add_row([
            card.name.to_string(),
            card.last
                .map_or_else(|| "none".to_owned(), |last| words::local(last.timestamp())),
            words::bytes(card.bytes),
            card.verified.map_or_else(|| "never".to_owned(), words::local),
        ]);
    }
    print::line("");
    print::line(&rows.to_string());
    more(cards.len(), STORES, "`stillpoint status --json` has all");
}

fn actions(actions: &[Action]) {
    for (number, action) in actions.iter().take(ACTIONS).enumerate() {
        if number == 0 {
            print::line("");
        }
        let severity = match action.severity {
            Severity::Failure => "failing",
            Severity::Risk => "at risk",
            Severity::Note => "note",
        };
        print::line(&format!("  {severity}: {}", action.what));
        print::line(&format!("     help: {}", action.next));
    }
    more(actions.len(), ACTIONS, "`stillpoint doctor` looks at everything");
}

fn runs(runs: &[RunLine]) {
    if runs.is_empty() {
        return;
    }
    print::line("");
    for run in runs.iter().take(RUNS) {
        let why = run.reason.as_deref().and_then(|why| why.lines().next());
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        print::line(&format!(
            "Run {} {} {} ({}){why}",
            run.name,
            run.job,
            run.state,
            words::local(run.at)
        ));
    }
}

fn more(of: usize, shown: usize, where_else: &str) {
    if of > shown {
        print::line(&format!("  and {} more; {where_else}", of - shown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitoring_tells_three_cases_apart() {
        let codes = [Health::Healthy, Health::Degraded, Health::Failing].map(|health| exit(health) as u8);
        assert_eq!(codes, [0, 3, 1]);
    }
}
