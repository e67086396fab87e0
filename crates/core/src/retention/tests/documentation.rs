//! The page for operators says what the code does.

use super::*;

const PAGE: &str = include_str!("../../../../../docs/retention.md");

fn found(id: &str, standing: Standing) -> Entry {
    Entry {
        id: id.parse().unwrap(),
        standing,
        exempt: None,
    }
}

#[test]
fn the_documented_example_is_true() {
    let written = "2026-02-03T00:20:00Z".parse().unwrap();
    let entries = [
        protected(found("2025-12-31_00-00-00", Standing::Complete)),
        found("2026-01-30_00-00-00", Standing::Complete),
        found("2026-01-31_00-00-00", Standing::FailedVerification),
        found("2026-02-01_00-00-00", Standing::Complete),
        found("2026-02-02_00-00-00", Standing::Partial),
        found("2026-02-03_00-00-00", Standing::Torso { written, held: false }),
        found("2026-02-15_00-00-00", Standing::Partial),
        found("2026-02-16_00-00-00", Standing::Complete),
        found("2026-02-17_00-00-00", Standing::Complete),
    ];
    let plan = plan(&entries, &Policy::default(), "2026-02-17T00:10:00Z".parse().unwrap());
    let row = |verdict: &Verdict| {
        let Verdict {
            id,
            standing,
            fate,
            reason,
        } = verdict;
        format!("| {id} | {standing} | {fate} | {reason} |")
    };
    let rows: Vec<String> = plan.verdicts.iter().map(row).collect();
    let documented: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("| 20")).collect();
    assert_eq!(documented, rows);
}

#[test]
fn the_documented_defaults_are_true() {
    let Policy { days, minimum, periods } = Policy::default();
    for row in [
        format!("| `BACKUP_RETENTION_DAYS` | {days} |"),
        format!("| `BACKUP_MINIMUM_KEEP` | {minimum} |"),
        format!("| `BACKUP_KEEP_DAILY` | {} |", periods.daily),
        format!("| `BACKUP_KEEP_WEEKLY` | {} |", periods.weekly),
        format!("| `BACKUP_KEEP_MONTHLY` | {} |", periods.monthly),
        format!("| `BACKUP_KEEP_YEARLY` | {} |", periods.yearly),
    ] {
        assert!(PAGE.contains(&row), "{row}");
    }
}
