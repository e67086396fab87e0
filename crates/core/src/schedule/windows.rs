//! What meets what: a job that begins while another usually still runs, or while something is at work that Stillpoint does not
//! start and was told of. Pure, and only ever told: nothing is put off because of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Calendar;

/// So far ahead is looked: every day of a month comes once.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 31);

/// So many fires of a job are looked at: each quarter of an hour, a month long.
const FIRES: usize = 31 * 24 * 4;

/// A time of day at which something is at work that Stillpoint does not start. It may pass midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// What it is.
    pub name: String,
    /// When it begins, on the clocks of the schedules' zone.
    pub from: Time,
    /// When it ends; the same as its begin: nobody has said.
    pub until: Time,
}

/// A text that is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no window, as `02:00-03:00 observation` is one, or `03:00 cleanup` where its end is not known")]
pub struct NotAWindow(String);

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let wrong = || NotAWindow(text.trim().to_owned());
        let (times, name) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let (from, until) = times.split_once('-').unwrap_or((times, times));
        let time = |text: &str| Time::strptime("%H:%M", text).map_err(|_| wrong());
        Ok(Self {
            name: name.trim().to_owned(),
            from: time(from)?,
            until: time(until)?,
        })
    }
}

/// As it is written in the configuration.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.from.strftime("%H:%M"))?;
        if self.until != self.from {
            write!(f, "-{}", self.until.strftime("%H:%M"))?;
        }
        write!(f, " {}", self.name)
    }
}

impl Window {
    /// From when to when it is on this day.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<Span> {
        let at = |day: Date, time: Time| Some(day.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp());
        let last = if self.until < self.from {
            day.tomorrow().ok()?
        } else {
            day
        };
        Some(Span {
            from: at(day, self.from)?,
            until: at(last, self.until)?,
        })
    }
}

/// A job with its times, and how long it usually takes.
#[derive(Clone, Copy, Debug)]
pub struct Usual<'a> {
    /// Its name.
    pub job: &'a str,
    /// When it begins.
    pub calendar: &'a Calendar,
    /// How long it takes; nothing, where nobody knows.
    pub takes: Duration,
}

/// Two that are at work at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The job that begins first, or the one that meets a window.
    pub job: String,
    /// The other job's or the window's name.
    pub with: String,
    /// When they meet for the first time.
    pub at: Timestamp,
    /// In a sentence, with local times.
    pub sentence: String,
}

#[derive(Clone, Copy)]
struct Span {
    from: Timestamp,
    until: Timestamp,
}

impl Span {
    /// When both are at work for the first time. A span without a length is a moment.
    fn meets(self, other: Self) -> Option<Timestamp> {
        let later = self.from.max(other.from);
        let has = |span: Self| span.from == later || later < span.until;
        (has(self) && has(other)).then_some(later)
    }
}

/// What meets what within a month, each pair once, in the order of the jobs.
pub fn meetings(jobs: &[Usual<'_>], windows: &[Window], now: Timestamp) -> Vec<Meeting> {
    let mut found = Vec::new();
    for (place, job) in jobs.iter().enumerate() {
        let spans = spans(job, now);
        for (other_place, other) in jobs.iter().enumerate().filter(|(other, _)| *other != place) {
            found.extend(with_job(job, &spans, other, now, place < other_place));
        }
        found.extend(windows.iter().filter_map(|window| with_window(job, &spans, window)));
    }
    found
}

fn spans(job: &Usual<'_>, now: Timestamp) -> Vec<Span> {
    let end = now.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
    let takes = SignedDuration::try_from(job.takes).unwrap_or(SignedDuration::MAX);
    let fires = job.calendar.next_fires(now, FIRES).into_iter();
    let span = |from: Timestamp| Span {
        from,
        until: from.checked_add(takes).unwrap_or(Timestamp::MAX),
    };
    fires.take_while(|fire| *fire <= end).map(span).collect()
}

/// The first time at which the other begins while the job is at work. Of two that begin at once the one before is told of.
fn with_job(job: &Usual<'_>, spans: &[Span], other: &Usual<'_>, now: Timestamp, is_before: bool) -> Option<Meeting> {
    let begins = other.calendar.next_fires(now, FIRES);
    let met = |span: &Span| {
        let next = begins.partition_point(|fire| *fire < span.from);
        let fire = begins
            .get(next..)?
            .iter()
            .find(|fire| is_before || **fire != span.from)?;
        (*fire < span.until || *fire == span.from).then_some((*span, *fire))
    };
    let (span, at) = spans.iter().find_map(met)?;
    let zone = job.calendar.zone();
    let sentence = if span.from == at {
        format!("{} and {} both begin at {}", job.job, other.job, clock(at, zone))
    } else {
        format!(
            "{} begins at {} and usually still runs when {} begins at {}",
            job.job,
            clock(span.from, zone),
            other.job,
            clock(at, zone)
        )
    };
    Some(Meeting {
        job: job.job.to_owned(),
        with: other.job.to_owned(),
        at,
        sentence,
    })
}

fn with_window(job: &Usual<'_>, spans: &[Span], window: &Window) -> Option<Meeting> {
    let zone = job.calendar.zone();
    let met = |span: &Span| {
        let first = zone.to_datetime(span.from).date().yesterday().ok()?;
        let last = zone.to_datetime(span.until).date();
        let days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
        let mut windows = days.filter_map(|day| window.on(day, zone));
        windows.find_map(|other| span.meets(other)).map(|at| (*span, at))
    };
    let (span, at) = spans.iter().find_map(met)?;
    let began = clock(span.from, zone);
    let sentence = if span.from == at {
        format!("{} begins at {began}, while another is at work: {window}", job.job)
    } else {
        format!(
            "{} begins at {began} and usually still runs at {}, when another is at work: {window}",
            job.job,
            clock(at, zone)
        )
    };
    Some(Meeting {
        job: job.job.to_owned(),
        with: window.name.clone(),
        at,
        sentence,
    })
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}
