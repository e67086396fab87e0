//! A run over time: a lane for each step and each store, the time in which clients were down, and how long the job usually
//! takes. A pure function of facts; the same is told by a table.

use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::events::{Event, EventKind, Step};

use crate::told::clock;
use crate::ui::words::escaped;

/// A run over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lanes {
    /// When it began.
    pub(crate) began: Timestamp,
    /// When it ended; now, of one at work.
    pub(crate) until: Timestamp,
    /// How long the job usually takes.
    pub(crate) usual: Option<SignedDuration>,
    /// From when to when clients were down.
    pub(crate) down: Option<(Timestamp, Timestamp)>,
    /// The steps in their order, then the stores.
    pub(crate) all: Vec<Lane>,
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// The step or the store.
    pub(crate) name: String,
    /// What it is.
    pub(crate) what: What,
    /// When it began: of a store, when its first artifact was done.
    pub(crate) from: Timestamp,
    /// When it ended; none: it is at work.
    pub(crate) until: Option<Timestamp>,
}

/// What a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A step.
    Step,
    /// A step that failed.
    Failed,
    /// The artifacts of a store.
    Store,
}

impl Lane {
    /// What it is, in a word.
    pub(crate) fn word(&self) -> &'static str {
        match (self.what, self.until) {
            (What::Failed, _) => "failed",
            (What::Step, None) => "at work",
            (What::Step, Some(_)) => "done",
            (What::Store, _) => "artifacts",
        }
    }

    /// How long it took, or has taken.
    pub(crate) fn took(&self, now: &Timestamp) -> String {
        super::span(self.until.unwrap_or(*now).duration_since(self.from))
    }
}

/// What is known of a run's time. The facts are in order, and need not be all.
pub(crate) fn read(events: &[Event], began: Timestamp, until: Timestamp, usual: Option<SignedDuration>) -> Lanes {
    let (mut steps, mut stores): (Vec<(Step, Lane)>, Vec<Lane>) = (Vec::new(), Vec::new());
    let mut down = None;
    for event in events {
        match &event.kind {
            EventKind::StepBegan { step } => steps.push((*step, lane(name(*step), What::Step, event.at))),
            EventKind::StepEnded { step, millis, ok } => end(&mut steps, *step, event.at, *millis, *ok),
            EventKind::ArtifactDone { store, .. } => {
                let store = store.to_string();
                match stores.iter_mut().find(|lane| lane.name == store) {
                    Some(lane) => lane.until = Some(event.at),
                    None => stores.push(Lane {
                        until: Some(event.at),
                        ..lane(store, What::Store, event.at)
                    }),
                }
            }
            EventKind::ClientsGoDown { .. } => down = Some((event.at, until)),
            EventKind::ClientsAreBack { millis } => {
                let since = down.map_or_else(|| before(event.at, *millis), |(since, _)| since);
                down = Some((since, event.at));
            }
            _ => {}
        }
    }
    Lanes {
        began,
        until: until.max(began),
        usual,
        down,
        all: steps.into_iter().map(|(_, lane)| lane).chain(stores).collect(),
    }
}

fn lane(name: impl Into<String>, what: What, from: Timestamp) -> Lane {
    Lane {
        name: name.into(),
        what,
        from,
        until: None,
    }
}

/// A step's end; that of a step whose begin is not among the facts says itself how long it took.
fn end(steps: &mut Vec<(Step, Lane)>, step: Step, at: Timestamp, millis: u64, ok: bool) {
    let what = if ok { What::Step } else { What::Failed };
    let open = steps
        .iter_mut()
        .rev()
        .find(|(of, lane)| *of == step && lane.until.is_none());
    match open {
        Some((_, lane)) => (lane.what, lane.until) = (what, Some(at)),
        None => steps.push((
            step,
            Lane {
                until: Some(at),
                ..lane(name(step), what, before(at, millis))
            },
        )),
    }
}

fn before(at: Timestamp, millis: u64) -> Timestamp {
    let span = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    at.checked_sub(span).unwrap_or(at)
}

/// A step in a word.
pub(crate) fn name(step: Step) -> &'static str {
    match step {
        Step::Preflight => "preflight",
        Step::Verify => "verify",
        Step::Claim => "claim",
        Step::Stop => "stop",
        Step::Pin => "pin",
        Step::Drain => "drain",
        Step::Copy => "copy",
        Step::Load => "load",
        Step::PutBack => "put back",
        Step::Compare => "compare",
        Step::LogIn => "log in",
        Step::Start => "start",
        Step::Seal => "seal",
        Step::Discard => "free old data",
        Step::Prune => "retention",
        Step::Adopt => "adopt",
        Step::Prepare => "indexes",
        Step::DebugLogs => "debug logs",
        Step::InfoLogs => "info logs",
        Step::WarningLogs => "warning logs",
        Step::FrameworkEvents => "framework events",
        Step::Repack => "repack",
    }
}

/// Where the names end and the time begins.
const LEFT: i64 = 130;
/// How wide the time is.
const WIDE: i64 = 730;
/// How high a lane is.
const HIGH: i64 = 22;
/// Above the first lane.
const HEAD: i64 = 26;
/// Below the last one.
const FOOT: i64 = 26;

/// The drawing. Names come from data: they are escaped here.
pub(crate) fn svg(lanes: &Lanes, zone: &TimeZone) -> String {
    let height = HEAD + HIGH * i64::try_from(lanes.all.len()).unwrap_or_default() + FOOT;
    let usual_end = lanes.usual.and_then(|usual| lanes.began.checked_add(usual).ok());
    let scale = Scale::new(lanes.began, usual_end.unwrap_or(lanes.until).max(lanes.until));
    let mut svg = format!(
        r#"<svg class="chart lanes" viewBox="0 0 {} {height}" role="img" aria-labelledby="lanes-title lanes-desc"><title id="lanes-title">The run over time</title><desc id="lanes-desc">{}</desc>"#,
        LEFT + WIDE + 20,
        escaped(&described(lanes, zone)),
    );
    let bottom = height - FOOT;
    if let Some((from, until)) = lanes.down {
        let (x, width) = scale.bar(from, until);
        let _ = write!(
            svg,
            r#"<rect class="down" x="{x}" y="14" width="{width}" height="{}"/><text class="down-word" x="{x}" y="10">clients down</text>"#,
            bottom - 14
        );
    }
    if let Some(end) = usual_end {
        let (x, width) = scale.bar(lanes.began, end);
        let _ = write!(
            svg,
            r#"<rect class="ghost" x="{x}" y="{bottom}" width="{width}" height="6" rx="3"/>"#
        );
    }
    for (place, lane) in (0..).zip(&lanes.all) {
        draw(&mut svg, lane, HEAD + HIGH * place, &scale, lanes.until);
    }
    axis(&mut svg, lanes, &scale, (bottom, height), zone);
    svg.push_str("</svg>");
    svg
}

fn draw(svg: &mut String, lane: &Lane, top: i64, scale: &Scale, now: Timestamp) {
    let (x, width) = scale.bar(lane.from, lane.until.unwrap_or(now));
    let class = match (lane.what, lane.until) {
        (What::Failed, _) => "l-bad",
        (What::Step, None) => "l-live",
        (What::Step, Some(_)) => "l-ok",
        (What::Store, _) => "l-store",
    };
    let name = escaped(&shortened(&lane.name));
    let _ = write!(
        svg,
        r#"<text x="{}" y="{}" text-anchor="end">{name}</text><rect class="{class}" x="{x}" y="{}" width="{width}" height="{}" rx="2"><title>{}: {}, {}</title></rect>"#,
        LEFT - 8,
        top + 12,
        top + 2,
        HIGH - 8,
        escaped(&lane.name),
        lane.word(),
        lane.took(&now),
    );
}

fn axis(svg: &mut String, lanes: &Lanes, scale: &Scale, (bottom, height): (i64, i64), zone: &TimeZone) {
    let _ = write!(
        svg,
        r#"<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{}" y2="{bottom}"/><text x="{LEFT}" y="{}">{}</text>"#,
        LEFT + WIDE,
        height - 6,
        clock(lanes.began, zone),
    );
    let (from, width) = scale.bar(lanes.began, lanes.until);
    // Not over that of the begin.
    let end = (from + width).max(LEFT + 100);
    let _ = write!(
        svg,
        r#"<text x="{end}" y="{}" text-anchor="end">{}</text>"#,
        height - 6,
        clock(lanes.until, zone)
    );
}

fn described(lanes: &Lanes, zone: &TimeZone) -> String {
    let steps = lanes.all.iter().filter(|lane| lane.what != What::Store).count();
    let mut said = format!(
        "From {} to {}: {steps} steps",
        clock(lanes.began, zone),
        clock(lanes.until, zone)
    );
    if let Some((from, until)) = lanes.down {
        let _ = write!(
            said,
            "; clients were down for {}",
            super::span(until.duration_since(from))
        );
    }
    if let Some(usual) = lanes.usual {
        let _ = write!(said, "; usually this job takes {}", super::span(usual));
    }
    said.push_str(". The table below says the same.");
    said
}

/// Where on the drawing a moment is.
struct Scale {
    began: Timestamp,
    millis: i64,
}

impl Scale {
    fn new(began: Timestamp, end: Timestamp) -> Self {
        let millis = end.as_millisecond() - began.as_millisecond();
        Self {
            began,
            millis: millis.max(1),
        }
    }

    fn at(&self, moment: Timestamp) -> i64 {
        let millis = (moment.as_millisecond() - self.began.as_millisecond()).clamp(0, self.millis);
        LEFT + millis.saturating_mul(WIDE) / self.millis
    }

    /// Where it begins, and how wide it is: never so narrow that nobody sees it.
    fn bar(&self, from: Timestamp, until: Timestamp) -> (i64, i64) {
        let begin = self.at(from);
        (begin, (self.at(until) - begin).max(3))
    }
}

fn shortened(name: &str) -> String {
    const ROOM: usize = 18;
    if name.chars().count() <= ROOM {
        return name.to_owned();
    }
    let kept: String = name.chars().take(ROOM - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use stillpoint_core::names::{ArtifactName, RunId, StoreName};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_771_286_400_000 + millis).unwrap()
    }

    fn events(told: impl IntoIterator<Item = (i64, EventKind)>) -> Vec<Event> {
        let event = |(seq, (millis, kind))| Event {
            seq,
            run: RunId::new("1"),
            at: at(millis),
            kind,
        };
        (1..).zip(told).map(event).collect()
    }

    fn artifact(store: &str) -> EventKind {
        EventKind::ArtifactDone {
            store: StoreName::new(store),
            artifact: ArtifactName::of(&["a"]),
            bytes: 1,
        }
    }

    fn backup() -> Vec<Event> {
        let began = |step| EventKind::StepBegan { step };
        let ended = |step, ok| EventKind::StepEnded { step, millis: 500, ok };
        events([
            (0, began(Step::Stop)),
            (10, EventKind::ClientsGoDown { workloads: 2 }),
            (500, ended(Step::Stop, true)),
            (500, began(Step::Drain)),
            (600, artifact("db")),
            (2_000, EventKind::ClientsAreBack { millis: 1_990 }),
            (3_000, artifact("db")),
            (4_000, ended(Step::Drain, false)),
        ])
    }

    #[test]
    fn steps_stores_and_the_time_without_clients_are_read_from_the_facts() {
        let lanes = read(&backup(), at(0), at(5_000), None);
        let said: Vec<_> = lanes
            .all
            .iter()
            .map(|lane| (lane.name.as_str(), lane.word(), lane.took(&at(5_000))))
            .collect();
        let wanted = [
            ("stop", "done", "0.5 s".to_owned()),
            ("drain", "failed", "3.5 s".to_owned()),
            ("db", "artifacts", "2.4 s".to_owned()),
        ];
        assert_eq!(said, wanted);
        assert_eq!(lanes.down, Some((at(10), at(2_000))));
    }

    #[test]
    fn where_the_first_facts_are_missing_the_ends_say_how_long_it_took() {
        let lanes = read(&backup()[2..], at(0), at(5_000), None);
        assert_eq!((lanes.all[0].from, lanes.all[0].until), (at(0), Some(at(500))));
        assert_eq!(lanes.down, Some((at(10), at(2_000))));
    }

    #[test]
    fn what_is_at_work_reaches_to_now_and_clients_that_are_down_stay_down() {
        let lanes = read(&backup()[..2], at(0), at(9_000), None);
        assert_eq!(lanes.all[0].word(), "at work");
        assert_eq!(lanes.down, Some((at(10), at(9_000))));
    }

    #[test]
    fn the_drawing_has_a_title_a_description_and_the_usual_time_and_nothing_of_it_is_markup_of_others() {
        let mut facts = backup();
        facts.extend(events([(3_500, artifact("<script>&\"x"))]));
        let lanes = read(&facts, at(0), at(5_000), Some(SignedDuration::from_secs(10)));
        let svg = svg(&lanes, &TimeZone::UTC);
        assert!(svg.contains("<title id=\"lanes-title\">The run over time</title>"));
        assert!(
            svg.contains("clients were down for 2.0 s; usually this job takes 10.0 s"),
            "{svg}"
        );
        assert!(
            svg.contains("&lt;script&gt;&amp;&quot;x") && !svg.contains("<script"),
            "{svg}"
        );
        assert!(!svg.contains("style="), "{svg}");
        // Half of the usual time has passed: the run ends in the middle, the ghost at the end.
        assert!(
            svg.contains(r#"<rect class="ghost" x="130" y="114" width="730""#),
            "{svg}"
        );
        assert!(
            svg.contains(r#"<text x="495" y="134" text-anchor="end">00:00:05</text>"#),
            "{svg}"
        );
    }
}
