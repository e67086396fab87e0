//! Expressions one by one.

use super::*;

fn fires(text: &str, after: &str, count: usize) -> Vec<String> {
    let fires = calendar(text).next_fires(at(after), count);
    let local = fires.iter().map(|fire| fire.to_zoned(zurich()));
    local
        .map(|local| local.strftime("%d.%m. %H:%M%:z").to_string())
        .collect()
}

#[test]
fn the_daily_backup_keeps_its_local_time_through_both_changes() {
    assert_eq!(
        fires("0 1 * * *", "2026-03-28T12:00:00Z", 2),
        ["29.03. 01:00+01:00", "30.03. 01:00+02:00"]
    );
    assert_eq!(
        fires("0 1 * * *", "2026-10-24T12:00:00Z", 2),
        ["25.10. 01:00+02:00", "26.10. 01:00+01:00"]
    );
}

#[test]
fn a_time_that_does_not_exist_fires_once_at_the_change() {
    let all = ["29.03. 03:00+02:00", "30.03. 02:10+02:00"];
    assert_eq!(fires("10 2 * * *", "2026-03-28T12:00:00Z", 2), all);
    // As often as it was to fire in the hour that is not there, and also at its end.
    assert_eq!(
        fires("10,50 2,3 * * *", "2026-03-28T12:00:00Z", 1),
        ["29.03. 03:00+02:00"]
    );
    assert_eq!(
        fires("0 2,3 * * *", "2026-03-28T12:00:00Z", 2),
        ["29.03. 03:00+02:00", "30.03. 02:00+02:00"]
    );
}

#[test]
fn a_time_that_exists_twice_fires_the_first_time() {
    assert_eq!(
        fires("30 2,4 * * *", "2026-10-24T12:00:00Z", 3),
        ["25.10. 02:30+02:00", "25.10. 04:30+01:00", "26.10. 02:30+01:00"]
    );
}

#[test]
fn an_expression_of_spans_fires_every_hour_that_there_is() {
    assert_eq!(
        fires("0 * * * *", "2026-10-24T23:30:00Z", 4),
        [
            "25.10. 02:00+02:00",
            "25.10. 02:00+01:00",
            "25.10. 03:00+01:00",
            "25.10. 04:00+01:00"
        ]
    );
    assert_eq!(
        fires("0 */1 * * *", "2026-03-29T00:00:00Z", 2),
        ["29.03. 03:00+02:00", "29.03. 04:00+02:00"]
    );
    // From the middle of the second pass as from anywhere.
    assert_eq!(
        fires("*/30 * * * *", "2026-10-25T00:15:00Z", 3),
        ["25.10. 02:30+02:00", "25.10. 02:00+01:00", "25.10. 02:30+01:00"]
    );
}

#[test]
fn the_first_sunday_of_a_month_can_be_said() {
    assert_eq!(
        fires("0 4 * * SUN#1", "2026-01-01T00:00:00Z", 3),
        ["04.01. 04:00+01:00", "01.02. 04:00+01:00", "01.03. 04:00+01:00"]
    );
}

#[test]
fn the_rarest_day_is_found_in_both_directions() {
    let calendar = calendar("0 0 29 2 *");
    let found = calendar.next_fires(at("2096-03-01T00:00:00Z"), 1);
    assert_eq!(found, [at("2104-02-28T23:00:00Z")]);
    let last = calendar.last_fire(at("1990-01-01T00:00:00Z"), at("2104-02-01T00:00:00Z"));
    assert_eq!(last, Some(at("2096-02-28T23:00:00Z")));
}

/// Samoa had no 30 December 2011.
#[test]
fn a_day_that_does_not_exist_is_made_up_for_once() {
    let calendar = Calendar::new("0 1 * * *", TimeZone::get("Pacific/Apia").unwrap()).unwrap();
    let found = calendar.next_fires(at("2011-12-29T12:00:00Z"), 3);
    let wanted = ["2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z", "2011-12-31T11:00:00Z"];
    assert_eq!(found, wanted.map(at));
}

#[test]
fn what_is_no_schedule_is_refused_and_says_why() {
    let refused = |text: &str| Calendar::new(text, zurich()).unwrap_err().to_string();
    for (text, why) in [
        ("", "five fields"),
        ("0 1 * *", "not 4"),
        ("0 0 1 * * *", "not 6"),
        ("@daily", "not 1"),
        ("61 * * * *", "61"),
        ("0 25 * * *", "25"),
        ("0 1 31 2 *", "no such day"),
        ("every day at one", "not 4"),
    ] {
        let said = refused(text);
        assert!(
            said.contains(why) && said.contains(&format!("`{text}`")),
            "{text}: {said}"
        );
    }
}
