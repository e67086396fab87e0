//! The figures as text: Markdown that also reads well on a terminal. Never decides anything.

use std::time::Duration;

use super::contest::{MEMORY_LIMIT, Results};
use super::figures::{Figures, Runs};
use super::phases::Phases;
use super::platform::Setting;

pub(super) fn write(setting: &Setting, results: &Results) -> String {
    let mut parts = vec![about(setting), backups(setting, results)];
    if setting.course.restores > 0 {
        parts.push(restores(setting, results));
    }
    parts.push(verdict(results));
    parts.join("\n")
}

fn about(setting: &Setting) -> String {
    format!(
        "Scale {}: PostgreSQL {} in {} databases, Valkey {}, NATS {}. {} cores. {}.\n",
        setting.course.scale,
        bytes(setting.database_bytes),
        setting.databases,
        bytes(setting.valkey_bytes),
        bytes(setting.nats_bytes),
        setting.cores,
        setting.versions.join(", ")
    )
}

fn backups(setting: &Setting, results: &Results) -> String {
    let (pin, hold, classic) = (&results.pin.backups, &results.hold.backups, &results.classic.backups);
    let layer = if results.layer_seen { "" } else { " (host only)" };
    let row = |name: &str, floor: &str, of: &dyn Fn(&Runs) -> (f64, String)| {
        let [pin, hold, classic] = [pin, hold, classic].map(of);
        let ratio = ratio(pin.0, classic.0);
        vec![name.to_owned(), floor.to_owned(), pin.1, hold.1, classic.1, ratio]
    };
    let times = |of: fn(&Figures) -> Duration| {
        move |runs: &Runs| {
            let time = runs.median(of);
            (time.as_secs_f64(), seconds(time))
        }
    };
    let sizes = |of: fn(&Figures) -> u64| {
        move |runs: &Runs| {
            let size = runs.median(of);
            (exact(size), bytes(size))
        }
    };
    let floor = seconds(results.median_floor());
    let rows = [
        row("clients down", &floor, &times(|run| run.downtime)),
        row("wall time", "", &times(|run| run.wall)),
        row("CPU time of the machine", "", &times(|run| run.usage.processors)),
        row("peak resident memory", "", &sizes(|run| run.usage.memory)),
        row(&format!("temporary disk{layer}"), "", &sizes(|run| run.usage.disk)),
        row("ledger, journal included", "", &sizes(|run| run.usage.ledger)),
        row("size of the backup", "", &sizes(|run| run.size)),
    ];
    let head = ["backup", "floor", "pin", "hold", "classic", "pin ÷ classic"];
    format!(
        "Medians of {} backups each, by turns; the floor is a bare stop and start of the same clients:\n\n{}\n\
         One backup into the platform's own object store (pin): clients down {}, in all {}, {} resident.\n\n{}",
        setting.course.rounds,
        table(&head, &rows),
        seconds(results.s3.backups.median(|run| run.downtime)),
        seconds(results.s3.backups.median(|run| run.wall)),
        bytes(results.s3.backups.median(|run| run.usage.memory)),
        spent(&[("pin", pin), ("hold", hold), ("classic", classic)])
    )
}

/// Without temporary disk: a restore needs room in the store's own volume, which is not looked at.
fn restores(setting: &Setting, results: &Results) -> String {
    let (ours, classic) = (&results.pin.restores, &results.classic.restores);
    let mut rows = times(ours, classic);
    rows.push(row(
        "peak resident memory",
        ours,
        classic,
        |run| run.usage.memory,
        bytes,
    ));
    let head = ["restore", "stillpoint", "classic", "stillpoint ÷ classic"];
    format!(
        "Medians of {} restores each:\n\n{}\n{}",
        setting.course.restores,
        table(&head, &rows),
        spent(&[("stillpoint", ours), ("classic", classic)])
    )
}

fn times(ours: &Runs, classic: &Runs) -> Vec<Vec<String>> {
    let of = |name: &str, of: fn(&Figures) -> Duration| {
        let (ours, classic) = (ours.median(of), classic.median(of));
        let ratio = ratio(ours.as_secs_f64(), classic.as_secs_f64());
        vec![name.to_owned(), seconds(ours), seconds(classic), ratio]
    };
    vec![
        of("clients down", |run| run.downtime),
        of("wall time", |run| run.wall),
        of("CPU time of the machine", |run| run.usage.processors),
    ]
}

fn row(name: &str, ours: &Runs, classic: &Runs, of: fn(&Figures) -> u64, text: fn(u64) -> String) -> Vec<String> {
    let (ours, classic) = (ours.median(of), classic.median(of));
    let ratio = ratio(exact(ours), exact(classic));
    vec![name.to_owned(), text(ours), text(classic), ratio]
}

fn spent(tools: &[(&str, &Runs)]) -> String {
    let phases = tools
        .iter()
        .map(|(name, runs)| format!("- {name}: {}\n", list(&runs.phases())));
    let each = tools.iter().map(|(name, runs)| format!("{name} {}", each(runs)));
    format!(
        "Where the seconds go:\n{}- clients down in each run: {}\n",
        phases.collect::<String>(),
        each.collect::<Vec<_>>().join("; ")
    )
}

fn list(phases: &Phases) -> String {
    let parts = phases.iter().map(|(name, took)| format!("{name} {}", seconds(*took)));
    parts.collect::<Vec<_>>().join(", ")
}

fn each(runs: &Runs) -> String {
    let all = runs.0.iter().map(|run| seconds(run.downtime));
    all.collect::<Vec<_>>().join(", ")
}

fn verdict(results: &Results) -> String {
    let broken = results.broken_limits();
    let state = if broken.is_empty() { "kept" } else { "BROKEN" };
    format!(
        "Limits {state}: at worst {} resident of {}, temporary disk {} of the {} that were named before the stop.\n",
        bytes(results.worst_memory()),
        bytes(MEMORY_LIMIT),
        bytes(results.worst_disk()),
        bytes(results.most_named())
    )
}

/// A Markdown table whose columns are aligned as they stand: names to the left, figures to the right.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let length = |row: &Vec<String>, i: usize| row.get(i).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> = (0..head.len())
        .map(|i| rows.iter().chain([&head]).map(|row| length(row, i)).max().unwrap_or(0))
        .collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width - 1) + ":").collect();
    let mut lines = vec![line(&head, &widths), line(&rule, &widths).replacen(':', "-", 1)];
    lines.extend(rows.iter().map(|row| line(row, &widths)));
    lines.concat()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(i, (cell, &width))| match i {
        0 => format!("| {cell:<width$} |"),
        _ => format!(" {cell:>width$} |"),
    });
    padded.collect::<String>() + "\n"
}

/// Against a baseline of nothing there is no ratio.
fn ratio(ours: f64, classic: f64) -> String {
    if classic > 0.0 {
        format!("{:.2}", ours / classic)
    } else {
        "–".to_owned()
    }
}

pub(super) fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

/// With the units of the limits: 1 MiB is 1024 × 1024.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{:.0} KiB", exact(count) / 1024.0),
        _ => format!("{:.1} MiB", exact(count) / 1024.0 / 1024.0),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display; exact up to 8 PiB")]
fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_and_aligned() {
        let rows = [vec!["wall time".to_owned(), "1.5 s".to_owned()]];
        let expected = "| backup    | stillpoint |\n| --------- | ---------: |\n| wall time |      1.5 s |\n";
        assert_eq!(table(&["backup", "stillpoint"], &rows), expected);
    }

    #[test]
    fn figures_are_written_with_their_units() {
        assert_eq!(
            (bytes(0), bytes(2048), bytes(64 << 20)),
            ("0 B".into(), "2 KiB".into(), "64.0 MiB".into())
        );
        assert_eq!(seconds(Duration::from_millis(1250)), "1.2 s");
        assert_eq!((ratio(1.0, 4.0), ratio(0.0, 0.0)), ("0.25".into(), "–".into()));
    }
}
