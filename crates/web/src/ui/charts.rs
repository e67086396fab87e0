//! Charts, as drawings in the page: functions of data. What they show is said by shape and colour, and in words.

use std::fmt::Write;

use jiff::civil::{Date, Weekday};

use crate::wire::overview::{Day, DayState};

/// The last days of a store: a bar for each.
pub(crate) fn strip(days: &[Day], title: &str) -> String {
    let (step, height) = (8, 24);
    let width = step * days.len();
    let mut svg = format!(
        r#"<svg class="chart strip" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img"><title>{}</title><desc>{}</desc>"#,
        escaped(title),
        escaped(&summary(days))
    );
    for (index, day) in days.iter().enumerate() {
        let x = index * step + 1;
        let shape = match day.state {
            DayState::Good => format!(r#"<rect class="d-ok" x="{x}" y="2" width="6" height="20"/>"#),
            DayState::Trouble => format!(
                r#"<rect class="d-warn" x="{x}" y="9" width="6" height="13"/><rect class="d-warn" x="{x}" y="2" width="6" height="4"/>"#
            ),
            DayState::Failed => format!(
                r#"<rect class="d-bad" x="{x}" y="2" width="6" height="20"/><path class="d-mark" d="M{x} 8l6 8M{} 8l-6 8"/>"#,
                x + 6
            ),
            DayState::Overdue => format!(r#"<rect class="d-missed" x="{x}.75" y="2.75" width="4.5" height="18.5"/>"#),
            DayState::Idle => format!(r#"<rect class="d-idle" x="{x}.5" y="18.5" width="5" height="3"/>"#),
        };
        svg.push_str(&shape);
    }
    svg.push_str("</svg>");
    svg
}

/// `28 days backed up, 1 failed, 1 no backup`.
pub(crate) fn summary(days: &[Day]) -> String {
    let all = [
        DayState::Good,
        DayState::Trouble,
        DayState::Failed,
        DayState::Overdue,
        DayState::Idle,
    ];
    let counted = all.map(|state| (state, days.iter().filter(|day| day.state == state).count()));
    let told: Vec<String> = counted
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} × {}", state.word()))
        .collect();
    format!("Last {} days: {}", days.len(), told.join(", "))
}

const CELL: usize = 13;
const LEFT: usize = 28;
const ABOVE: usize = 16;

/// A year: a column for each week, a cell for each day that leads to its backups.
pub(crate) fn calendar(days: &[Day]) -> String {
    let Some(first) = days.first().map(|day| day.date) else {
        return String::new();
    };
    let offset = row(first);
    let weeks = (offset + days.len()).div_ceil(7);
    let (width, height) = (LEFT + weeks * CELL, ABOVE + 7 * CELL);
    let mut svg = format!(
        r#"<svg class="chart calendar" viewBox="0 0 {width} {height}" role="group" aria-labelledby="year-title year-desc"><title id="year-title">Backups of the last year, day by day</title><desc id="year-desc">{}</desc>"#,
        escaped(&summary(days))
    );
    for (weekday, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri"), (6, "Sun")] {
        let _ = write!(svg, r#"<text x="0" y="{}">{name}</text>"#, ABOVE + weekday * CELL + 10);
    }
    for (index, day) in days.iter().enumerate() {
        let column = (offset + index) / 7;
        let (x, y) = (LEFT + column * CELL, ABOVE + row(day.date) * CELL);
        if day.date.day() == 1 {
            let month = day.date.strftime("%b");
            let _ = write!(svg, r#"<text x="{x}" y="10">{month}</text>"#);
        }
        svg.push_str(&cell(day, x, y));
    }
    svg.push_str("</svg>");
    svg
}

fn cell(day: &Day, x: usize, y: usize) -> String {
    let drawn = format!(
        "<g><title>{}: {}</title>{}</g>",
        day.date.strftime("%a %d %b %Y"),
        day.state.word(),
        shape(day.state, x, y)
    );
    match day.state {
        DayState::Idle => drawn,
        _ => format!(
            r#"<a href="/backups?day={}" aria-label="{}: {}">{drawn}</a>"#,
            day.date,
            day.date.strftime("%d %b"),
            day.state.word()
        ),
    }
}

/// The sign of a state, for a legend.
pub(crate) fn sign(state: DayState) -> String {
    format!(
        r#"<svg class="chart" viewBox="0 0 12 12" aria-hidden="true">{}</svg>"#,
        shape(state, 0, 0)
    )
}

fn shape(state: DayState, x: usize, y: usize) -> String {
    let (right, low) = (x + 9, y + 9);
    match state {
        DayState::Good => format!(r#"<rect class="d-ok" x="{x}" y="{y}" width="11" height="11" rx="2"/>"#),
        DayState::Trouble => format!(
            r#"<rect class="d-warn" x="{x}" y="{y}" width="11" height="11" rx="2"/><path class="d-mark" d="M{} {low}L{right} {}"/>"#,
            x + 2,
            y + 2
        ),
        DayState::Failed => format!(
            r#"<rect class="d-bad" x="{x}" y="{y}" width="11" height="11" rx="2"/><path class="d-mark" d="M{left} {high}L{right} {low}M{right} {high}L{left} {low}"/>"#,
            left = x + 2,
            high = y + 2
        ),
        DayState::Overdue => {
            format!(r#"<rect class="d-missed" x="{x}.75" y="{y}.75" width="9.5" height="9.5" rx="1.5"/>"#)
        }
        DayState::Idle => format!(r#"<rect class="d-idle" x="{x}.5" y="{y}.5" width="10" height="10" rx="2"/>"#),
    }
}

fn row(date: Date) -> usize {
    match date.weekday() {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

/// Text that may stand in a drawing.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn days(states: &[DayState]) -> Vec<Day> {
        let first: Date = "2026-02-26".parse().unwrap();
        let date = |index: usize| first + i64::try_from(index).unwrap().days();
        let days = states.iter().enumerate();
        days.map(|(index, state)| Day {
            date: date(index),
            state: *state,
        })
        .collect()
    }

    const EACH: [DayState; 5] = [
        DayState::Good,
        DayState::Trouble,
        DayState::Failed,
        DayState::Overdue,
        DayState::Idle,
    ];

    #[test]
    fn a_strip_has_a_shape_of_its_own_for_each_state() {
        assert_eq!(
            strip(&days(&EACH), "valkey"),
            concat!(
                r#"<svg class="chart strip" viewBox="0 0 40 24" preserveAspectRatio="none" role="img"><title>valkey</title>"#,
                "<desc>Last 5 days: 1 × backed up, 1 × backed up with trouble, 1 × failed, 1 × overdue, 1 × no backup</desc>",
                r#"<rect class="d-ok" x="1" y="2" width="6" height="20"/>"#,
                r#"<rect class="d-warn" x="9" y="9" width="6" height="13"/><rect class="d-warn" x="9" y="2" width="6" height="4"/>"#,
                r#"<rect class="d-bad" x="17" y="2" width="6" height="20"/><path class="d-mark" d="M17 8l6 8M23 8l-6 8"/>"#,
                r#"<rect class="d-missed" x="25.75" y="2.75" width="4.5" height="18.5"/>"#,
                r#"<rect class="d-idle" x="33.5" y="18.5" width="5" height="3"/></svg>"#,
            )
        );
    }

    #[test]
    fn a_calendar_begins_in_the_row_of_its_weekday_and_names_its_months() {
        // The 26th of February 2026 is a Thursday.
        let drawn = calendar(&days(&EACH));
        assert!(drawn.contains(
            r#"<a href="/backups?day=2026-02-26" aria-label="26 Feb: backed up"><g><title>Thu 26 Feb 2026: backed up</title><rect class="d-ok" x="28" y="55""#
        ), "{drawn}");
        assert!(drawn.contains(r#"<text x="28" y="10">Mar</text>"#), "{drawn}");
        // Monday the 2nd of March stands in the next column, and leads nowhere: nothing is there.
        assert!(
            drawn.contains(r#"<g><title>Mon 02 Mar 2026: no backup</title><rect class="d-idle" x="41.5" y="16.5""#),
            "{drawn}"
        );
        assert!(!drawn.contains("day=2026-03-02"), "{drawn}");
        assert!(calendar(&[]).is_empty());
    }

    #[test]
    fn names_cannot_break_out_of_a_drawing() {
        let drawn = strip(&days(&EACH), "<script>\"'&");
        assert!(
            drawn.contains("<title>&lt;script&gt;&quot;&#39;&amp;</title>"),
            "{drawn}"
        );
    }
}
