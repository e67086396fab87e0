//! What is told of what, in which words.

use jiff::SignedDuration;
use serde_json::json;
use stillpoint_core::ports::history::{Ending, RunRecord, RunState, Way};
use stillpoint_core::ports::notices::NoticeKind;

use super::{at, place, run};
use crate::{begun, digest, ended, overdue};

fn kind(run: &RunRecord, was_bad: bool) -> Option<NoticeKind> {
    ended(run, was_bad, &place()).map(|notice| notice.kind)
}

#[test]
fn a_failure_says_what_why_and_what_to_do() {
    let notice = ended(&run(RunState::Failure, Some(1)), false, &place()).unwrap();
    assert_eq!(notice.title, "Backup FAILED: acme on vm1");
    assert_eq!(
        notice.text,
        "the disk is full\nRun 42, asked for by 0 1 * * * for Tue (schedule), began Tue 17 Feb 2026 01:00 CET and took 05:06."
    );
    assert_eq!(notice.hint.as_deref(), Some("make room"));
    assert_eq!(notice.link.as_deref(), Some("https://backup.example.org/runs/42"));
    assert_eq!(notice.key, "ended:1771286400000-vm1-7-0");
}

#[test]
fn each_ending_is_told_as_what_it_is() {
    let with = |state, exit, result| {
        let mut run = run(state, exit);
        run.ending = Some(Ending {
            exit,
            result: Some(result),
            ..Ending::default()
        });
        run
    };
    let missing = json!({ "manifest": { "platform": "acme" }, "degraded": [{ "cause": "it did not start" }] });
    let lost = json!({ "platform": "acme", "degraded": [], "gaps": [{}] });
    assert_eq!(kind(&run(RunState::Failure, Some(1)), false), Some(NoticeKind::Failed));
    assert_eq!(kind(&run(RunState::Failure, Some(15)), false), Some(NoticeKind::Damage));
    assert_eq!(
        kind(&run(RunState::Failure, Some(16)), false),
        Some(NoticeKind::NotBack)
    );
    assert_eq!(kind(&run(RunState::Failure, None), false), Some(NoticeKind::Failed));
    assert_eq!(
        kind(&with(RunState::Degraded, Some(3), missing), false),
        Some(NoticeKind::NotBack)
    );
    assert_eq!(
        kind(&with(RunState::Degraded, Some(3), lost), false),
        Some(NoticeKind::Degraded)
    );
    assert_eq!(kind(&run(RunState::Success, Some(0)), false), Some(NoticeKind::Success));
    assert_eq!(
        kind(&run(RunState::Success, Some(0)), true),
        Some(NoticeKind::Recovered)
    );
    assert_eq!(kind(&run(RunState::Started, None), true), None);
}

#[test]
fn who_cancels_his_own_command_is_not_told_and_who_sleeps_is() {
    let mut cancelled = run(RunState::Canceled, Some(130));
    assert_eq!(kind(&cancelled, false), Some(NoticeKind::Failed));
    cancelled.asked.way = Way::Cli;
    assert_eq!(kind(&cancelled, false), None);
}

#[test]
fn a_restore_is_told_when_it_begins_and_when_it_ends() {
    let mut restore = run(RunState::Success, Some(0));
    restore.job = "full_restore_job".to_owned();
    restore.options = json!({ "order": "restore", "backup": "2026-02-17_00-00-00" });
    let first = begun(&restore, &place()).unwrap();
    assert_eq!(first.title, "Restore has begun: acme on vm1");
    assert!(
        first.text.starts_with("Backup 2026-02-17_00-00-00 is brought back."),
        "{}",
        first.text
    );
    let last = ended(&restore, true, &place()).unwrap();
    assert_eq!(
        (last.kind, &*last.title),
        (NoticeKind::Restore, "Restore is done: acme on vm1")
    );
    assert_ne!(first.key, last.key);
    restore.state = RunState::Failure;
    restore.ending.as_mut().unwrap().exit = Some(14);
    let failed = ended(&restore, false, &place()).unwrap();
    assert!(failed.title.contains("stands stopped on purpose"), "{}", failed.title);
    assert!(
        begun(&run(RunState::Started, None), &place()).is_none(),
        "a backup is not told when it begins"
    );
}

#[test]
fn what_is_overdue_is_one_notice_for_each_time_that_was_not_met() {
    let first = overdue(
        "backup_job",
        at(),
        "it has never succeeded",
        &place(),
        at() + SignedDuration::from_hours(7),
    );
    let later = overdue(
        "backup_job",
        at(),
        "another reason",
        &place(),
        at() + SignedDuration::from_hours(9),
    );
    assert_eq!(first.key, later.key);
    assert_eq!(first.title, "Backup is OVERDUE: acme on vm1");
    assert!(
        first.text.contains("Tue 17 Feb 2026 01:00 CET: it has never succeeded"),
        "{}",
        first.text
    );
    let next = overdue("backup_job", at() + SignedDuration::from_hours(24), "", &place(), at());
    assert_ne!(first.key, next.key);
}

#[test]
fn a_week_is_counted_by_job_and_says_what_comes_next() {
    let week = SignedDuration::from_hours(168);
    let mut old = run(RunState::Failure, Some(1));
    old.ended_at = Some(at() - week);
    let runs = [
        run(RunState::Success, Some(0)),
        run(RunState::Success, Some(0)),
        run(RunState::Failure, Some(1)),
        old,
    ];
    let to = at() + SignedDuration::from_hours(1);
    let jobs = [
        ("backup_job".to_owned(), "on time, next tomorrow".to_owned()),
        ("verify_job".to_owned(), "OVERDUE".to_owned()),
    ];
    let notice = digest(&runs, &jobs, to - week, to, &place());
    assert_eq!(
        notice.text,
        "Backup: 2 succeeded, 1 failed; on time, next tomorrow\nVerification: 0 succeeded; OVERDUE"
    );
    assert!(notice.title.contains("1 run failed"), "{}", notice.title);
}

#[test]
fn a_long_reason_is_cut_and_says_so() {
    let mut long = run(RunState::Failure, Some(1));
    let lines: Vec<String> = (0..40).map(|line| format!("line {line}")).collect();
    long.ending.as_mut().unwrap().reason = Some(lines.join("\n"));
    let notice = ended(&long, false, &place()).unwrap();
    assert!(notice.text.contains("line 11\n… and 28 lines more"), "{}", notice.text);
    long.ending.as_mut().unwrap().reason = Some("x".repeat(10_000));
    let notice = ended(&long, false, &place()).unwrap();
    assert!(notice.text.len() < 2000 && notice.text.contains('…'));
}
