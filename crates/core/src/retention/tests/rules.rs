//! An example of each rule.

use super::*;

const YOUNG: Reason = Reason::Young { days: 7 };
const DAMAGED: Reason = Reason::Damaged { days: 7 };

fn old(newer: usize) -> Reason {
    Reason::Old { days: 7, newer }
}

#[test]
fn young_complete_backups_stay_and_older_ones_go() {
    assert_eq!(
        reasons(&complete(&[1, 2, 5, 6, 7, 8])),
        [Reason::Newest, YOUNG, YOUNG, YOUNG, old(4), old(4)]
    );
}

#[test]
fn the_limit_is_exact_to_the_second() {
    let second = SignedDuration::from_secs(1);
    let entries = [
        entry(Standing::Complete, hours(1)),
        entry(Standing::Complete, hours(2)),
        entry(Standing::Complete, hours(3)),
        entry(Standing::Complete, hours(168) - second),
        entry(Standing::Complete, hours(168)),
    ];
    assert_eq!(reasons(&entries)[3..], [YOUNG, old(4)]);
}

#[test]
fn the_minimum_stays_however_old() {
    let minimum = Reason::Minimum { minimum: 3 };
    assert_eq!(
        reasons(&complete(&[100, 200, 300, 400])),
        [Reason::Newest, minimum, minimum, old(3)]
    );
    assert_eq!(
        reasons(&complete(&[1, 200, 300, 400])),
        [Reason::Newest, minimum, minimum, old(3)]
    );
}

#[test]
fn the_newest_stays_even_without_a_minimum() {
    for days in [0, 7] {
        let policy = numbers(days, 0);
        assert_eq!(
            reasons_under(policy, &complete(&[100, 200])),
            [Reason::Newest, Reason::Old { days, newer: 1 }]
        );
    }
}

#[test]
fn one_of_each_day_week_month_and_year_stays() {
    let periods = Periods {
        daily: 3,
        weekly: 2,
        monthly: 2,
        yearly: 2,
    };
    let policy = Policy {
        periods,
        ..numbers(1, 1)
    };
    // Now is a Tuesday, the 17th of February 2026, at noon.
    let at = |id: &str| Entry {
        id: id.parse().unwrap(),
        standing: Standing::Complete,
        exempt: None,
    };
    let of = |period, keep| Reason::Period { period, keep };
    let expected = [
        ("2026-02-17_10-00-00", Reason::Newest),
        ("2026-02-17_00-00-00", Reason::Young { days: 1 }),
        ("2026-02-16_00-00-00", of(Period::Day, 3)),
        // Days without a backup do not count.
        ("2026-02-14_23-00-00", of(Period::Week, 2)),
        ("2026-02-14_00-00-00", Reason::Old { days: 1, newer: 4 }),
        ("2026-02-13_00-00-00", Reason::Old { days: 1, newer: 4 }),
        ("2026-01-31_23-59-59", of(Period::Month, 2)),
        ("2026-01-01_00-00-00", Reason::Old { days: 1, newer: 5 }),
        // Of the week that ends in January, and of December.
        ("2025-12-31_00-00-00", of(Period::Year, 2)),
        ("2024-12-31_00-00-00", Reason::Old { days: 1, newer: 6 }),
    ];
    let entries: Vec<Entry> = expected.iter().map(|(id, _)| at(id)).collect();
    let reasons = reasons_under(policy, &entries);
    let expected: Vec<Reason> = expected.into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, expected);
}

#[test]
fn a_policy_without_bounds_keeps_everything() {
    let most = u32::MAX;
    let years = complete(&[1, 10_000, 20_000]);
    for policy in [numbers(most, 0), numbers(0, most)] {
        assert_eq!(plan(&years, &policy, now()).gone().count(), 0);
    }
}

#[test]
fn a_backup_from_the_future_stays_and_counts_for_nothing() {
    let mut entries = complete(&[-400, -401, -402, 100, 200, 300, 400]);
    entries.push(entry(Standing::FailedVerification, hours(-24)));
    entries.push(entry(Standing::Partial, hours(-24)));
    let minimum = Reason::Minimum { minimum: 3 };
    let future = Reason::FromTheFuture;
    assert_eq!(
        reasons(&entries),
        [
            future,
            future,
            future,
            Reason::Newest,
            minimum,
            minimum,
            old(3),
            future,
            future
        ]
    );
}

#[test]
fn five_minutes_ahead_is_no_future() {
    let ahead = |seconds: i64| entry(Standing::Complete, SignedDuration::from_secs(-seconds));
    assert_eq!(
        reasons(&[ahead(300), ahead(301)]),
        [Reason::Newest, Reason::FromTheFuture]
    );
}

#[test]
fn damaged_backups_do_not_count() {
    let mut entries = complete(&[100, 200, 300]);
    entries.push(entry(Standing::FailedVerification, hours(24)));
    entries.push(entry(Standing::Unusable { newer: false }, hours(25)));
    assert_eq!(reasons(&entries)[2..], [Reason::Minimum { minimum: 3 }, YOUNG, YOUNG]);
}

#[test]
fn damaged_backups_go_when_they_are_old_and_something_complete_stays() {
    let damaged = [
        entry(Standing::FailedVerification, hours(169)),
        entry(Standing::Unusable { newer: false }, hours(170)),
    ];
    assert_eq!(reasons(&damaged), [Reason::LastHope; 2]);
    for something in [
        complete(&[100])[0],
        protected(complete(&[100])[0]),
        entry(Standing::Complete, hours(-24)),
    ] {
        assert_eq!(reasons(&[damaged[0], damaged[1], something])[..2], [DAMAGED; 2]);
    }
}

#[test]
fn a_partial_backup_is_no_reason_to_delete_a_damaged_one() {
    let partial = entry(Standing::Partial, hours(1));
    let damaged = entry(Standing::FailedVerification, hours(1000));
    assert_eq!(reasons(&[partial, damaged]), [Reason::NewestPartial, Reason::LastHope]);
}

#[test]
fn a_newer_format_is_never_touched() {
    let mut entries = complete(&[1, 2, 3]);
    entries.push(entry(Standing::Unusable { newer: true }, hours(100_000)));
    assert_eq!(reasons(&entries)[3], Reason::NewerFormat);
}

#[test]
fn the_newest_partial_stays_and_the_others_go_after_a_day() {
    let partial = |age| entry(Standing::Partial, hours(age));
    assert_eq!(
        reasons(&[partial(1), partial(23), partial(24), partial(1000)]),
        [
            Reason::NewestPartial,
            Reason::RecentPartial,
            Reason::OldPartial,
            Reason::OldPartial
        ]
    );
    assert_eq!(reasons(&[partial(1000)]), [Reason::NewestPartial]);
}

#[test]
fn a_protected_partial_does_not_take_the_place_of_the_newest() {
    let partial = |age| entry(Standing::Partial, hours(age));
    assert_eq!(
        reasons(&[protected(partial(1)), partial(100), partial(200)])[1..],
        [Reason::NewestPartial, Reason::OldPartial]
    );
}

#[test]
fn a_torso_goes_a_day_after_its_last_write_unless_a_run_holds_it() {
    let torso = |written, held| {
        let written = now() - hours(written);
        entry(Standing::Torso { written, held }, hours(1000))
    };
    for (torso, expected) in [
        (torso(23, false), Reason::WrittenRecently),
        (torso(24, false), Reason::Abandoned),
        (torso(24, true), Reason::BeingWritten),
        (torso(-1, false), Reason::FromTheFuture),
    ] {
        assert_eq!(reasons(&[torso]), [expected]);
    }
}

#[test]
fn protected_and_safety_backups_never_go_and_do_not_count() {
    let mut entries = complete(&[100, 200, 300, 400]);
    entries.push(protected(entry(Standing::Complete, hours(24))));
    entries.push(protected(entry(Standing::FailedVerification, hours(5000))));
    entries.push(Entry {
        exempt: Some(Exempt::Safety),
        ..entry(Standing::Complete, hours(6000))
    });
    let by = Exempt::Protected;
    let minimum = Reason::Minimum { minimum: 3 };
    assert_eq!(
        reasons(&entries),
        [
            Reason::Newest,
            minimum,
            minimum,
            old(3),
            Reason::Exempt { by },
            Reason::Exempt { by },
            Reason::Exempt { by: Exempt::Safety },
        ]
    );
}

#[test]
fn a_deletion_that_began_is_finished_whatever_it_was() {
    let half = entry(Standing::HalfDeleted, hours(1));
    for half in [half, protected(half), entry(Standing::HalfDeleted, hours(-1000))] {
        assert_eq!(reasons(&[half]), [Reason::DeletionBegan]);
    }
}

#[test]
fn what_is_worth_least_goes_first() {
    let written = now() - hours(500);
    let mut entries = complete(&[1, 2, 3, 30, 20]);
    entries.extend([
        entry(Standing::FailedVerification, hours(501)),
        entry(Standing::Unusable { newer: false }, hours(502)),
        entry(Standing::Partial, hours(503)),
        entry(Standing::Partial, hours(504)),
        entry(Standing::HalfDeleted, hours(505)),
        entry(Standing::Torso { written, held: false }, hours(506)),
    ]);
    let plan = plan(&entries, &Policy::default(), now());
    let gone: Vec<BackupId> = plan.gone().collect();
    let expected = [10, 9, 8, 6, 5, 3, 4].map(|index: usize| entries[index].id);
    assert_eq!(gone, expected);
    let kept: Vec<BackupId> = plan.kept().collect();
    assert_eq!(kept, [7, 2, 1, 0].map(|index: usize| entries[index].id));
}

#[test]
fn the_plan_can_be_read_by_people_and_programs() {
    let plan = plan(&complete(&[1, 100, 200, 300]), &Policy::default(), now());
    let lines: Vec<String> = plan
        .verdicts
        .iter()
        .map(|verdict| format!("{} {:5} {}", verdict.id, verdict.fate, verdict.reason))
        .collect();
    assert_eq!(
        lines,
        [
            "2025-04-23_12-00-00 goes  older than 7 days; 3 newer complete backups stay",
            "2025-08-01_12-00-00 stays one of the 3 newest complete backups, which stay however old",
            "2025-11-09_12-00-00 stays one of the 3 newest complete backups, which stay however old",
            "2026-02-16_12-00-00 stays the newest complete backup",
        ]
    );
    assert_eq!(
        serde_json::to_value(plan.verdicts[0]).unwrap(),
        serde_json::json!({
            "id": "2025-04-23_12-00-00",
            "standing": "complete",
            "fate": "goes",
            "reason": { "rule": "old", "days": 7, "newer": 3 },
        })
    );
}

#[test]
fn one_is_told_as_one() {
    let reason = Reason::Old { days: 1, newer: 1 };
    assert_eq!(reason.to_string(), "older than 1 day; a newer complete backup stays");
}
