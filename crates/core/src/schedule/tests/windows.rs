//! What meets what.

use super::*;
use crate::schedule::{Meeting, Usual, Window, meetings};

const DAY: &str = "2026-02-16T12:00:00Z";

fn window(text: &str) -> Window {
    text.parse().unwrap()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// What is told of these jobs (name, expression, minutes that it takes) and windows.
fn told(jobs: &[(&str, &str, u64)], windows: &[&str]) -> Vec<Meeting> {
    let calendars: Vec<_> = jobs.iter().map(|(_, expression, _)| calendar(expression)).collect();
    let usual = jobs.iter().zip(&calendars).map(|((job, _, takes), calendar)| Usual {
        job,
        calendar,
        takes: minutes(*takes),
    });
    let windows: Vec<Window> = windows.iter().map(|text| window(text)).collect();
    meetings(&usual.collect::<Vec<_>>(), &windows, at(DAY))
}

fn sentences(jobs: &[(&str, &str, u64)], windows: &[&str]) -> Vec<String> {
    told(jobs, windows)
        .into_iter()
        .map(|meeting| meeting.sentence)
        .collect()
}

#[test]
fn a_window_is_read_as_it_is_written_and_nothing_else_is_one() {
    for text in ["02:00-03:00 observation", "03:00 cleanup", "23:30-00:30 two words"] {
        assert_eq!(window(text).to_string(), text);
    }
    for text in [
        "",
        "02:00",
        "observation",
        "25:00 x",
        "02:00- x",
        "-03:00 x",
        "2-3 x",
        "02:00-03:00",
    ] {
        assert!(text.parse::<Window>().is_err(), "{text}");
    }
}

#[test]
fn the_usual_night_meets_nothing() {
    let jobs = [("backup_job", "0 1 * * *", 12), ("verify_job", "0 5 * * *", 40)];
    assert_eq!(told(&jobs, &["02:00-03:00 observation", "03:00 cleanup"]), Vec::new());
}

#[test]
fn a_job_that_begins_in_a_window_or_runs_into_one_is_told_of_once() {
    let windows = ["02:00-03:00 observation", "03:00 cleanup"];
    assert_eq!(
        sentences(&[("backup_job", "30 2 * * *", 0)], &windows),
        ["backup_job begins at 02:30, while another is at work: 02:00-03:00 observation"]
    );
    assert_eq!(
        sentences(&[("backup_job", "0 1 * * *", 61)], &windows),
        [
            "backup_job begins at 01:00 and usually still runs at 02:00, when another is at work: 02:00-03:00 observation"
        ]
    );
    // It ends as the window begins, or begins as the window ends.
    assert_eq!(sentences(&[("backup_job", "0 1 * * *", 60)], &windows[..1]), [""; 0]);
    assert_eq!(sentences(&[("backup_job", "0 3 * * *", 60)], &windows[..1]), [""; 0]);
    // What has no known end is a moment.
    assert_eq!(sentences(&[("backup_job", "0 3 * * *", 0)], &windows[1..]).len(), 1);
    assert_eq!(sentences(&[("backup_job", "1 3 * * *", 60)], &windows[1..]), [""; 0]);
}

#[test]
fn a_window_may_pass_midnight() {
    let found = told(&[("backup_job", "10 0 * * *", 5)], &["23:30-00:30 nightly"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].at, at("2026-02-16T23:10:00Z"));
    let found = told(&[("backup_job", "50 22 * * *", 60)], &["23:30-00:30 nightly"]);
    assert_eq!(found[0].at, at("2026-02-16T22:30:00Z"));
}

#[test]
fn two_jobs_are_told_of_where_one_begins_while_the_other_usually_runs() {
    let jobs = |takes| [("backup_job", "0 1 * * *", takes), ("cleanup", "0 3 * * SUN", 10)];
    assert_eq!(told(&jobs(120), &[]), Vec::new());
    let found = told(&jobs(121), &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].job.as_str(), found[0].with.as_str(), found[0].at),
        ("backup_job", "cleanup", at("2026-02-22T02:00:00Z"))
    );
    let same = [("b", "0 4 * * *", 1), ("a", "0 4 * * SUN#1", 1)];
    assert_eq!(sentences(&same, &[]), ["b and a both begin at 04:00"]);
}

#[test]
fn windows_keep_their_local_time_when_the_clocks_change() {
    let calendar = calendar("30 2 * * *");
    let usual = Usual {
        job: "backup_job",
        calendar: &calendar,
        takes: minutes(1),
    };
    // The day after the change to summer time.
    let found = meetings(&[usual], &[window("02:00-02:45 w")], at("2026-03-29T12:00:00Z"));
    assert_eq!(found[0].at, at("2026-03-30T00:30:00Z"));
}
