//! Each verdict, and which comes before which: the worst must never hide behind a better one.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn well() -> Facts {
    Facts {
        now: at("2026-03-14T07:12:00Z"),
        zone: TimeZone::get("Europe/Zurich").unwrap(),
        stopped: None,
        restoring: None,
        running: None,
        unreachable: None,
        last: Some(Last {
            at: at("2026-03-14T00:00:00Z"),
            stores: 7,
            of: 7,
            down: Some(SignedDuration::from_millis(9_000)),
        }),
        overdue: None,
        risks: Vec::new(),
        next: Some(at("2026-03-15T00:00:00Z")),
    }
}

fn at_work(clients: Clients) -> AtWork {
    AtWork {
        since: at("2026-03-14T07:10:00Z"),
        doing: Some("draining stores".to_owned()),
        clients,
    }
}

#[test]
fn a_platform_with_a_fresh_backup_is_protected() {
    let said = verdict(&well());
    assert_eq!(said.state, VerdictState::Protected);
    assert_eq!(
        said.sentence,
        "Protected. Last complete backup 7 h ago (01:00 CET), 7 of 7 stores, clients were down 9 s; next in 17 h."
    );
}

#[test]
fn times_are_those_of_the_schedules_zone_in_summer_too() {
    let facts = Facts {
        now: at("2026-07-14T06:12:00Z"),
        last: Some(Last {
            at: at("2026-07-13T23:00:00Z"),
            ..well().last.unwrap()
        }),
        next: Some(at("2026-07-14T23:00:00Z")),
        ..well()
    };
    let sentence = verdict(&facts).sentence;
    assert!(sentence.contains("7 h ago (01:00 CEST)"), "{sentence}");
}

#[test]
fn a_backup_at_work_is_told_with_its_clients_and_with_what_there_is_already() {
    let facts = Facts {
        running: Some(at_work(Clients::Back(9_200))),
        ..well()
    };
    let said = verdict(&facts);
    assert_eq!(said.state, VerdictState::Running);
    assert_eq!(
        said.sentence,
        "Backing up for 2 min: draining stores; clients were down 9 s. \
         Last complete backup 7 h ago (01:00 CET), 7 of 7 stores, clients were down 9 s."
    );
    let down = Facts {
        running: Some(at_work(Clients::Down(at("2026-03-14T07:11:55Z")))),
        last: None,
        ..well()
    };
    assert_eq!(
        verdict(&down).sentence,
        "Backing up for 2 min: draining stores; clients are down for 5 s. There is no complete backup yet."
    );
}

#[test]
fn an_overdue_backup_is_told_with_the_time_it_was_due_and_why() {
    let facts = Facts {
        overdue: Some((at("2026-03-12T00:00:00Z"), Some("the last run failed".to_owned()))),
        last: Some(Last {
            at: at("2026-03-11T00:00:00Z"),
            ..well().last.unwrap()
        }),
        ..well()
    };
    let said = verdict(&facts);
    assert_eq!(said.state, VerdictState::Overdue);
    assert_eq!(
        said.sentence,
        "Overdue. The backup that was due 2 d ago (Thu 12 Mar 01:00 CET) was not made: the last run failed. \
         Last complete backup 3 d ago (Wed 11 Mar 01:00 CET), 7 of 7 stores, clients were down 9 s; next in 17 h."
    );
}

#[test]
fn a_risk_is_named_and_the_others_are_counted() {
    let facts = Facts {
        risks: vec!["the newest backup is damaged".to_owned(), "nats is empty".to_owned()],
        ..well()
    };
    let said = verdict(&facts);
    assert_eq!(said.state, VerdictState::AtRisk);
    assert!(
        said.sentence
            .starts_with("At risk. The newest backup is damaged, and 1 more below. Last complete backup 7 h ago"),
        "{}",
        said.sentence
    );
}

#[test]
fn a_repository_that_does_not_answer_is_a_risk_and_never_taken_for_an_empty_one() {
    let facts = Facts {
        last: None,
        unreachable: Some("connection refused".to_owned()),
        ..well()
    };
    let said = verdict(&facts);
    assert_eq!(said.state, VerdictState::AtRisk);
    assert_eq!(
        said.sentence,
        "At risk. Nobody can say which backups there are: connection refused."
    );
}

#[test]
fn without_any_backup_the_first_is_announced() {
    let facts = Facts { last: None, ..well() };
    let said = verdict(&facts);
    assert_eq!(said.state, VerdictState::NeverBackedUp);
    assert_eq!(
        said.sentence,
        "Never backed up. The first backup begins by itself in 17 h (01:00 CET)."
    );
    let nothing = Facts { next: None, ..facts };
    assert!(verdict(&nothing).sentence.contains("no schedule is on"));
}

#[test]
fn a_platform_that_a_restore_left_down_is_told_with_the_ways_on() {
    let facts = Facts {
        stopped: Some(("2026-03-14_00-00-00".parse().unwrap(), at("2026-03-14T06:32:00Z"))),
        ..well()
    };
    let said = verdict(&facts);
    assert_eq!(said.state, VerdictState::StoppedOnPurpose);
    assert_eq!(
        said.sentence,
        "Stopped on purpose. The restore of 2026-03-14_00-00-00, begun 40 min ago, has failed and left the platform down: \
         go on, go back, or start it as it is."
    );
}

#[test]
fn a_restore_at_work_is_told_with_its_clients() {
    let facts = Facts {
        restoring: Some(at_work(Clients::Down(at("2026-03-14T07:10:30Z")))),
        ..well()
    };
    let said = verdict(&facts);
    assert_eq!(said.state, VerdictState::Restoring);
    assert_eq!(
        said.sentence,
        "Restoring for 2 min: draining stores; clients are down for 2 min."
    );
}

#[test]
fn the_gravest_that_is_true_is_told() {
    let mut facts = Facts {
        stopped: Some(("2026-03-14_00-00-00".parse().unwrap(), at("2026-03-14T06:32:00Z"))),
        restoring: Some(at_work(Clients::Up)),
        running: Some(at_work(Clients::Up)),
        last: None,
        overdue: Some((at("2026-03-12T00:00:00Z"), None)),
        risks: vec!["the schedule is switched off".to_owned()],
        ..well()
    };
    let mut told = vec![verdict(&facts).state];
    facts.stopped = None;
    told.push(verdict(&facts).state);
    facts.restoring = None;
    told.push(verdict(&facts).state);
    facts.running = None;
    told.push(verdict(&facts).state);
    facts.last = well().last;
    told.push(verdict(&facts).state);
    facts.overdue = None;
    told.push(verdict(&facts).state);
    facts.risks.clear();
    told.push(verdict(&facts).state);
    let mut in_order = told.clone();
    in_order.sort();
    in_order.dedup();
    assert_eq!(told, in_order);
    assert_eq!(told.len(), 7);
}

fn act(severity: Severity) -> Action {
    Action {
        severity,
        what: "something".to_owned(),
        next: "do something".to_owned(),
        link: None,
    }
}

/// What monitoring is told: a run at work hides nothing.
#[test]
fn health_is_failing_where_no_backup_can_be_counted_on_and_degraded_where_something_else_is_wrong() {
    use Health::{Degraded, Failing, Healthy};
    let stopped = || Facts {
        stopped: Some(("2026-03-14_00-00-00".parse().unwrap(), at("2026-03-14T07:00:00Z"))),
        ..well()
    };
    let overdue = || Facts {
        overdue: Some((at("2026-03-14T00:00:00Z"), None)),
        ..well()
    };
    let running = |facts: Facts| Facts {
        running: Some(at_work(Clients::Up)),
        ..facts
    };
    let silent = || Facts {
        unreachable: Some("connection refused".to_owned()),
        ..well()
    };
    for (facts, actions, wanted) in [
        (well(), vec![], Healthy),
        (running(well()), vec![], Healthy),
        (well(), vec![act(Severity::Note)], Healthy),
        (well(), vec![act(Severity::Note), act(Severity::Risk)], Degraded),
        (overdue(), vec![], Degraded),
        (running(overdue()), vec![], Degraded),
        (well(), vec![act(Severity::Failure)], Failing),
        (silent(), vec![], Failing),
        (stopped(), vec![], Failing),
        (Facts { last: None, ..well() }, vec![], Failing),
        (running(Facts { last: None, ..well() }), vec![], Failing),
    ] {
        assert_eq!(health(&facts, &actions), wanted, "{facts:?} {actions:?}");
    }
}
