//! What is due after a pause of any length, and when a job is overdue.

use std::time::Duration;

use super::*;

fn nightly() -> Schedule {
    Schedule {
        calendar: calendar("0 1 * * *"),
        catch_up: Duration::from_hours(6),
    }
}

/// One in the morning in January.
const ONE: &str = "2026-01-10T00:00:00Z";

#[test]
fn a_time_is_due_once_when_it_has_come() {
    let schedule = nightly();
    let handled = at("2026-01-09T12:00:00Z");
    assert_eq!(schedule.due(handled, at("2026-01-09T23:59:59Z")), Due::Nothing);
    assert_eq!(schedule.due(handled, at(ONE)), Due::Run(at(ONE)));
    assert_eq!(schedule.due(at(ONE), at(ONE)), Due::Nothing);
    assert_eq!(schedule.due(at(ONE), at("2026-01-10T23:59:59Z")), Due::Nothing);
}

#[test]
fn what_was_missed_is_caught_up_for_a_while() {
    let (schedule, handled) = (nightly(), at("2026-01-09T12:00:00Z"));
    assert_eq!(schedule.due(handled, at("2026-01-10T06:00:00Z")), Due::Run(at(ONE)));
    assert_eq!(schedule.due(handled, at("2026-01-10T06:00:01Z")), Due::Missed(at(ONE)));
}

#[test]
fn a_week_of_sleep_owes_one_run() {
    let (schedule, handled) = (nightly(), at("2026-01-03T00:00:00Z"));
    assert_eq!(schedule.due(handled, at("2026-01-10T01:00:00Z")), Due::Run(at(ONE)));
}

#[test]
fn a_clock_that_was_set_back_runs_nothing_twice() {
    let schedule = nightly();
    assert_eq!(schedule.due(at(ONE), at("2026-01-09T23:30:00Z")), Due::Nothing);
    assert_eq!(schedule.due(at(ONE), at("2026-01-10T00:30:00Z")), Due::Nothing);
}

#[test]
fn a_clock_that_was_wrong_by_years_stops_nothing_for_years() {
    let schedule = nightly();
    assert_eq!(schedule.due(at("2036-01-01T00:00:00Z"), at(ONE)), Due::Reset);
}

/// Looked at every minute, for the two weeks around a change of the clocks, each local day is due once.
#[test]
fn whoever_looks_every_minute_misses_nothing_and_gets_nothing_twice() {
    for (from, text) in [
        ("2026-03-22T12:00:00Z", "30 2 * * *"),
        ("2026-10-18T12:00:00Z", "30 2 * * *"),
    ] {
        let schedule = Schedule {
            calendar: calendar(text),
            ..nightly()
        };
        let (mut handled, mut runs) = (at(from), Vec::new());
        for minute in 0..14 * 24 * 60 {
            let now = at(from) + jiff::SignedDuration::from_mins(minute);
            if let Due::Run(fire) = schedule.due(handled, now) {
                runs.push(fire.to_zoned(zurich()).date());
                handled = fire;
            }
        }
        assert_eq!(runs.len(), 14, "{runs:?}");
        runs.dedup();
        assert_eq!(runs.len(), 14, "{runs:?}");
    }
}

#[test]
fn without_a_success_a_job_is_overdue_after_a_while() {
    let (schedule, since) = (nightly(), at("2026-01-09T12:00:00Z"));
    let none = Success::default();
    assert_eq!(
        schedule.standing(since, &none, at("2026-01-10T06:00:00Z")),
        Standing::OnTime
    );
    let Standing::Overdue { since: unmet, reason } = schedule.standing(since, &none, at("2026-01-10T06:00:01Z")) else {
        panic!("it is on time")
    };
    assert_eq!(unmet, at(ONE));
    assert!(
        reason.contains("never succeeded") && reason.contains("did not run"),
        "{reason}"
    );
}

#[test]
fn a_success_since_the_time_is_what_counts() {
    let (schedule, since) = (nightly(), at("2026-01-01T12:00:00Z"));
    let now = at("2026-01-10T12:00:00Z");
    let began = |text: &str| Success {
        began: Some(at(text)),
        failure: Some("run 7 failed: no room".to_owned()),
        ..Success::default()
    };
    assert_eq!(
        schedule.standing(since, &began("2026-01-10T00:00:00.1Z"), now),
        Standing::OnTime
    );
    assert_eq!(schedule.standing(since, &began(ONE), now), Standing::OnTime);
    // By hand, ten minutes before: the time itself was not met.
    let Standing::Overdue { since: unmet, reason } = schedule.standing(since, &began("2026-01-09T23:50:00Z"), now)
    else {
        panic!("it is on time")
    };
    assert_eq!(unmet, at(ONE));
    assert!(reason.contains("run 7 failed: no room"), "{reason}");
    // One that is still at work may yet succeed.
    let at_work = Success {
        at_work: Some(at(ONE)),
        ..began("2026-01-08T00:00:01Z")
    };
    assert_eq!(schedule.standing(since, &at_work, now), Standing::OnTime);
}

#[test]
fn what_was_switched_off_owes_nothing_for_that_time() {
    let schedule = nightly();
    let old = Success {
        began: Some(at("2025-12-01T00:00:01Z")),
        ..Success::default()
    };
    let on_since = at("2026-01-10T00:30:00Z");
    assert_eq!(
        schedule.standing(on_since, &old, at("2026-01-10T12:00:00Z")),
        Standing::OnTime
    );
}
