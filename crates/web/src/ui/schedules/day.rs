//! A day of 24 hours: when jobs usually are at work, beside when others are. A pure function of the timetable; the page tells
//! the same in words.

use std::fmt::Write;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::ui::words::escaped;
use crate::wire::{Schedule, Timetable};

const DAY: i64 = 24 * 60;
const LEFT: i64 = 130;
const WIDE: i64 = 730;
const HEAD: i64 = 8;
const HIGH: i64 = 26;

/// What is drawn on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lane {
    name: String,
    class: &'static str,
    /// From which minute of the day on, how many minutes, and what is said of it.
    bars: Vec<(i64, i64, String)>,
}

/// The drawing; none where nothing comes by itself and nothing else is declared.
pub(super) fn svg(timetable: &Timetable, zone: &TimeZone, now: Timestamp) -> Option<String> {
    let jobs = timetable.schedules.iter().filter(|schedule| schedule.on);
    let mut lanes: Vec<Lane> = jobs.map(|schedule| of_job(schedule, timetable, zone, now)).collect();
    lanes.extend(timetable.foreign_windows.iter().filter_map(|window| {
        let (from, until) = (minute_of(&window.from)?, minute_of(&window.until)?);
        let said = if from == until {
            format!("{} from {}, its end is not declared", window.name, window.from)
        } else {
            format!("{} from {} to {}", window.name, window.from, window.until)
        };
        Some(Lane {
            name: window.name.clone(),
            class: "foreign",
            bars: vec![(from, (until - from).rem_euclid(DAY), said)],
        })
    }));
    if lanes.is_empty() {
        return None;
    }
    let bottom = HEAD + HIGH * i64::try_from(lanes.len()).unwrap_or_default();
    let said: Vec<&str> = lanes
        .iter()
        .flat_map(|lane| &lane.bars)
        .map(|(.., said)| said.as_str())
        .collect();
    let mut svg = format!(
        r#"<svg class="chart day" viewBox="0 0 {} {}" role="img" aria-labelledby="day-title day-desc"><title id="day-title">A day</title><desc id="day-desc">{}.</desc>"#,
        LEFT + WIDE + 20,
        bottom + 24,
        escaped(&said.join("; "))
    );
    hours(&mut svg, bottom);
    for (place, lane) in (0..).zip(&lanes) {
        draw(&mut svg, lane, HEAD + HIGH * place);
    }
    let at = x(minute(now, zone));
    let _ = write!(
        svg,
        r#"<line class="now" x1="{at}" y1="0" x2="{at}" y2="{bottom}"><title>now</title></line></svg>"#
    );
    Some(svg)
}

fn of_job(schedule: &Schedule, timetable: &Timetable, zone: &TimeZone, now: Timestamp) -> Lane {
    let seconds = timetable.usual_seconds.get(&schedule.job).copied();
    let minutes = i64::try_from(seconds.unwrap_or_default().div_ceil(60))
        .unwrap_or(DAY)
        .min(DAY);
    let usual = match seconds {
        Some(seconds) => format!(
            "usually for {}",
            stillpoint_core::words::span(std::time::Duration::from_secs(seconds))
        ),
        None => "nobody knows yet for how long".to_owned(),
    };
    let within_a_day = |fire: &&Timestamp| fire.duration_since(now) <= SignedDuration::from_hours(24);
    let mut fires: Vec<&Timestamp> = schedule.next.iter().filter(within_a_day).collect();
    // One that comes more rarely is shown at its time of day.
    if fires.is_empty() {
        fires.extend(schedule.next.first());
    }
    let bar = |fire: &Timestamp| {
        let at = fire.to_zoned(zone.clone()).strftime("%a %H:%M").to_string();
        (minute(*fire, zone), minutes, format!("{} {at}, {usual}", schedule.job))
    };
    Lane {
        name: schedule.job.clone(),
        class: "l-ok",
        bars: fires.into_iter().map(bar).collect(),
    }
}

fn hours(svg: &mut String, bottom: i64) {
    for hour in (0..=24).step_by(3) {
        let at = x(hour * 60);
        let _ = write!(
            svg,
            r#"<line class="axis" x1="{at}" y1="0" x2="{at}" y2="{bottom}"/><text x="{at}" y="{}" text-anchor="middle">{hour:02}</text>"#,
            bottom + 16
        );
    }
}

fn draw(svg: &mut String, lane: &Lane, top: i64) {
    let _ = write!(
        svg,
        r#"<text x="{}" y="{}" text-anchor="end">{}</text>"#,
        LEFT - 8,
        top + 16,
        escaped(&lane.name)
    );
    for (from, minutes, said) in &lane.bars {
        let before = (*minutes).min(DAY - from);
        // What passes midnight goes on at the left.
        let parts = [(*from, before), (0, minutes - before)];
        for (begin, length) in parts.into_iter().filter(|(begin, length)| *length > 0 || begin == from) {
            let width = (x(begin + length) - x(begin)).max(4);
            let _ = write!(
                svg,
                r#"<rect class="{}" x="{}" y="{}" width="{width}" height="{}" rx="2"><title>{}</title></rect>"#,
                lane.class,
                x(begin),
                top + 5,
                HIGH - 10,
                escaped(said)
            );
        }
    }
}

fn x(minute: i64) -> i64 {
    LEFT + minute * WIDE / DAY
}

fn minute(at: Timestamp, zone: &TimeZone) -> i64 {
    of_time(zone.to_datetime(at).time())
}

fn minute_of(clock: &str) -> Option<i64> {
    Time::strptime("%H:%M", clock).ok().map(of_time)
}

fn of_time(time: Time) -> i64 {
    i64::from(time.hour()) * 60 + i64::from(time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ForeignWindow, Standing};

    fn schedule(job: &str, next: &[&str]) -> Schedule {
        Schedule {
            job: job.to_owned(),
            expression: String::new(),
            sentence: String::new(),
            zone: None,
            on: true,
            switched_by: None,
            switched_at: None,
            next: next.iter().map(|at| at.parse().unwrap()).collect(),
            standing: Standing::OnTime,
            overdue_since: None,
            reason: None,
        }
    }

    fn drawn(schedules: Vec<Schedule>, windows: &[(&str, &str, &str)]) -> Option<String> {
        let window = |(name, from, until): &(&str, &str, &str)| ForeignWindow {
            name: (*name).to_owned(),
            from: (*from).to_owned(),
            until: (*until).to_owned(),
        };
        let timetable = Timetable {
            schedules,
            usual_seconds: [("backup_job".to_owned(), 3_600)].into(),
            foreign_windows: windows.iter().map(window).collect(),
            overlaps: Vec::new(),
        };
        svg(&timetable, &TimeZone::UTC, "2026-03-14T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_day_shows_jobs_with_their_usual_time_beside_what_others_do() {
        let svg = drawn(
            vec![schedule(
                "backup_job",
                &["2026-03-15T00:00:00Z", "2026-03-16T00:00:00Z"],
            )],
            &[("<observation>", "12:00", "18:00"), ("cleanup", "03:00", "03:00")],
        )
        .unwrap();
        // An hour from midnight, the next night not again; six hours from noon; a moment.
        assert_eq!(
            svg.matches(r#"<rect class="l-ok" x="130" y="13" width="30""#).count(),
            1,
            "{svg}"
        );
        assert!(
            svg.contains(r#"<rect class="foreign" x="495" y="39" width="182""#),
            "{svg}"
        );
        assert!(
            svg.contains(r#"<rect class="foreign" x="221" y="65" width="4""#),
            "{svg}"
        );
        assert!(
            svg.contains("backup_job Sun 00:00, usually for 60:00; &lt;observation&gt; from 12:00 to 18:00"),
            "{svg}"
        );
        assert!(!svg.contains("<observation>") && !svg.contains("style="));
    }

    #[test]
    fn what_passes_midnight_goes_on_at_the_begin_of_the_day() {
        let svg = drawn(Vec::new(), &[("night", "21:00", "03:00")]).unwrap();
        assert!(svg.contains(r#"x="768" y="13" width="92""#), "{svg}");
        assert!(svg.contains(r#"x="130" y="13" width="91""#), "{svg}");
    }

    #[test]
    fn a_job_that_comes_once_a_week_is_shown_at_its_time_and_nothing_makes_no_drawing() {
        let svg = drawn(vec![schedule("cleanup", &["2026-03-22T03:00:00Z"])], &[]).unwrap();
        assert!(
            svg.contains("cleanup Sun 03:00, nobody knows yet for how long"),
            "{svg}"
        );
        assert_eq!(drawn(Vec::new(), &[]), None);
    }
}
