//! `stillpoint backup --dry-run`: the plan of a backup, what hinders it, and what earlier ones took. Changes nothing.

use std::time::Duration;

use comfy_table::CellAlignment;
use serde_json::{Value, json};
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::plan::{Action, Entry, Plan};
use stillpoint_core::findings::Severity;
use stillpoint_core::manifest::Mode;
use stillpoint_core::operations::Operations;

use super::containers::show_findings;
use super::{left_out, look_at_stores_of, order, table, trimmed};
use crate::config::Config;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::usual::{self, Spread, Usual};
use crate::wiring;

pub(super) async fn run(config: &Config, mode: Option<Mode>, operations: &impl Operations) -> Result<Exit, Failure> {
    let display = Display::start(config.form());
    let plan = operations.look_ahead(mode, order(config, &display)).await;
    display.finish();
    let plan = plan?;
    look_at_stores_of(config, &plan)?;
    let usual = known(config, &plan).await;
    if config.json {
        print::document(&document(&plan, usual.as_ref()));
    } else {
        print::line(&text(&plan, usual.as_ref()));
        left_out::show(&plan.records());
        show_findings(&plan.findings);
        print::line("Nothing was changed: this was a dry run.");
    }
    let refused = plan.findings.iter().any(|one| one.severity == Severity::Refuses);
    Ok(if refused { Exit::Preflight } else { Exit::Ok })
}

/// A history that cannot be read costs the estimate alone.
async fn known(config: &Config, plan: &Plan) -> Option<Usual> {
    let history = wiring::historian(config).history;
    match usual::of_backups(&*history, Some(&plan.platform), plan.mode).await {
        Ok(usual) => usual,
        Err(error) => {
            print::error(&format!("warning: {error}; how long backups usually take is not known"));
            None
        }
    }
}

fn document(plan: &Plan, usual: Option<&Usual>) -> Value {
    let waves = plan.stop_order();
    let names = |wave: &Vec<&Entry>| -> Vec<String> { wave.iter().map(|entry| name(entry)).collect() };
    let stores = plan.entries.iter().filter_map(|entry| {
        let capture = entry.capture?;
        Some(json!({
            "store": entry.store(),
            "mode": capture.mode,
            "last_took": capture.expected,
            "last_bytes": capture.last_bytes,
        }))
    });
    json!({
        "platform": plan.platform,
        "mode": plan.mode,
        "stop_order": waves.iter().map(names).collect::<Vec<_>>(),
        "stores": stores.collect::<Vec<_>>(),
        "usual": usual,
        "workloads": plan.records(),
        "findings": plan.findings,
    })
}

fn name(entry: &Entry) -> String {
    entry.workload.address.to_string()
}

fn text(plan: &Plan, usual: Option<&Usual>) -> String {
    let parts = [
        format!("A backup of platform {} would", plan.platform),
        stops(plan),
        format!("\ncopy these stores:\n{}", stores(plan)),
        left(plan),
        expected(usual),
    ];
    parts.join("\n")
}

fn stops(plan: &Plan) -> String {
    let waves = plan.stop_order();
    if waves.is_empty() {
        return "stop nothing: no client runs.".to_owned();
    }
    let mut lines = vec!["stop, in this order, and start again in the reverse:".to_owned()];
    for (number, wave) in waves.iter().enumerate() {
        let names: Vec<String> = wave.iter().map(|entry| with_grace(entry)).collect();
        lines.push(format!("  {}. {}", number + 1, names.join(", ")));
    }
    lines.join("\n")
}

fn with_grace(entry: &Entry) -> String {
    match entry.action {
        Action::Stop(grace) => format!("{} (has {} s to end)", name(entry), grace.as_secs()),
        Action::Leave => name(entry),
    }
}

fn stores(plan: &Plan) -> String {
    let mut rows = table(&["STORE", "CLIENTS START", "LAST PIN", "LAST COPY", "LAST SIZE"]);
    for column in 2..5 {
        let column = rows.column_mut(column).into_iter();
        column.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    }
    for entry in &plan.entries {
        let (Some(store), Some(capture)) = (entry.store(), entry.capture) else {
            continue;
        };
        let span = |took: Option<u64>| took.map_or_else(|| "unknown".to_owned(), words::seconds);
        let size = capture.last_bytes.map_or_else(|| "unknown".to_owned(), words::bytes);
        rows.add_row([
            store.to_string(),
            match capture.mode {
                Mode::Pin => "when all are pinned",
                Mode::Hold => "when it is copied",
            }
            .to_owned(),
            span(capture.expected.map(|took| took.pin)),
            span(capture.expected.map(|took| took.drain)),
            size,
        ]);
    }
    trimmed(&rows.to_string())
}

fn left(plan: &Plan) -> String {
    let mut rows = table(&["CONTAINER", "ROLE", "NOW", "WHY"]);
    let left = plan.entries.iter().filter(|entry| entry.action == Action::Leave);
    let left: Vec<&Entry> = left.filter(|entry| entry.capture.is_none()).collect();
    if left.is_empty() {
        return String::new();
    }
    for entry in left {
        rows.add_row([
            name(entry),
            entry.role.to_string(),
            entry.workload.state.to_string(),
            entry.reason.clone(),
        ]);
    }
    format!("\nand leave the others as they are:\n{}\n", trimmed(&rows.to_string()))
}

fn expected(usual: Option<&Usual>) -> String {
    let Some(usual) = usual else {
        return "How long that takes is not known: this host's history has no backup of this platform in this mode."
            .to_owned();
    };
    let backups = match usual.backups {
        1 => "by the one backup that the history knows".to_owned(),
        n => format!("by the last {n} backups"),
    };
    let down = usual.down.map_or_else(String::new, |down| {
        format!("Clients would be down for about {}, ", spread(down))
    });
    format!("{down}the whole would take about {}: {backups}.", spread(usual.took))
}

fn spread(spread: Spread) -> String {
    let span = |millis| words::span(Duration::from_millis(millis));
    if spread.least == spread.most {
        return span(spread.median);
    }
    format!(
        "{} ({} to {})",
        span(spread.median),
        span(spread.least),
        span(spread.most)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_told_with_where_it_comes_from() {
        let spread = |median, least, most| Spread { median, least, most };
        let usual = Usual {
            backups: 3,
            down: Some(spread(9_000, 8_100, 12_000)),
            took: spread(67_000, 50_000, 130_000),
        };
        assert_eq!(
            expected(Some(&usual)),
            "Clients would be down for about 9.0 s (8.1 s to 12.0 s), the whole would take about 01:07 (50.0 s to 02:10): by the \
             last 3 backups."
        );
        let once = Usual {
            backups: 1,
            down: None,
            took: spread(5_000, 5_000, 5_000),
        };
        assert_eq!(
            expected(Some(&once)),
            "the whole would take about 5.0 s: by the one backup that the history knows."
        );
        assert!(expected(None).contains("is not known"));
    }
}
