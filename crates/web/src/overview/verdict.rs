//! How the platform stands, in the sentence that is read first. Pure: what is known goes in, a sentence comes out.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};
use stillpoint_core::names::BackupId;

use crate::ui::words::{about, capital, relative};
use crate::wire::overview::{Action, Clients, Health, Severity, Verdict, VerdictState};

/// What is known.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) now: Timestamp,
    /// The schedule's zone.
    pub(crate) zone: TimeZone,
    /// A restore has failed and left the platform down: of which backup, since when.
    pub(crate) stopped: Option<(BackupId, Timestamp)>,
    /// A restore or its undoing is at work.
    pub(crate) restoring: Option<AtWork>,
    /// A backup is at work.
    pub(crate) running: Option<AtWork>,
    /// Why the repository does not answer.
    pub(crate) unreachable: Option<String>,
    /// The newest complete backup.
    pub(crate) last: Option<Last>,
    /// The first time that was not met, and why.
    pub(crate) overdue: Option<(Timestamp, Option<String>)>,
    /// What is wrong, the gravest first.
    pub(crate) risks: Vec<String>,
    /// When the next backup begins by itself.
    pub(crate) next: Option<Timestamp>,
}

/// A run at work.
#[derive(Clone, Debug)]
pub(crate) struct AtWork {
    pub(crate) since: Timestamp,
    /// What it does now.
    pub(crate) doing: Option<String>,
    pub(crate) clients: Clients,
}

/// A complete backup.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub(crate) at: Timestamp,
    /// The stores that it holds.
    pub(crate) stores: usize,
    /// The stores of the platform at that time.
    pub(crate) of: usize,
    /// How long its clients were down.
    pub(crate) down: Option<SignedDuration>,
}

/// How it stands.
pub(crate) fn verdict(facts: &Facts) -> Verdict {
    let state = state(facts);
    let rest = match state {
        VerdictState::StoppedOnPurpose => stopped(facts),
        VerdictState::Restoring => at_work(facts, facts.restoring.as_ref()),
        VerdictState::Running => format!("{} {}", at_work(facts, facts.running.as_ref()), while_running(facts)),
        VerdictState::NeverBackedUp => never(facts),
        VerdictState::Overdue => overdue(facts),
        VerdictState::AtRisk => at_risk(facts),
        VerdictState::Protected => ended(&with_next(facts, &last(facts))),
    };
    Verdict {
        state,
        sentence: format!("{}{rest}", state.word()),
    }
}

fn state(facts: &Facts) -> VerdictState {
    // What cannot be read is not taken for missing.
    let has_none = facts.last.is_none() && facts.unreachable.is_none();
    if facts.stopped.is_some() {
        VerdictState::StoppedOnPurpose
    } else if facts.restoring.is_some() {
        VerdictState::Restoring
    } else if facts.running.is_some() {
        VerdictState::Running
    } else if has_none {
        VerdictState::NeverBackedUp
    } else if facts.overdue.is_some() {
        VerdictState::Overdue
    } else if facts.unreachable.is_some() || !facts.risks.is_empty() {
        VerdictState::AtRisk
    } else {
        VerdictState::Protected
    }
}

/// The same for whoever watches. A run at work changes nothing of it: what it makes does not count yet.
pub(crate) fn health(facts: &Facts, actions: &[Action]) -> Health {
    let has = |severity| actions.iter().any(|action| action.severity == severity);
    if facts.stopped.is_some() || facts.last.is_none() || facts.unreachable.is_some() || has(Severity::Failure) {
        Health::Failing
    } else if facts.overdue.is_some() || has(Severity::Risk) {
        Health::Degraded
    } else {
        Health::Healthy
    }
}

fn stopped(facts: &Facts) -> String {
    let Some((backup, since)) = facts.stopped else {
        return ".".to_owned();
    };
    let ago = relative(since, facts.now);
    format!(
        ". The restore of {backup}, begun {ago}, has failed and left the platform down: go on, go back, or start it as it is."
    )
}

fn at_work(facts: &Facts, work: Option<&AtWork>) -> String {
    let Some(work) = work else {
        return ".".to_owned();
    };
    let span = |since: Timestamp| about(facts.now.duration_since(since));
    let doing = work
        .doing
        .as_ref()
        .map_or_else(String::new, |doing| format!(": {doing}"));
    let clients = match work.clients {
        Clients::Up => "clients run".to_owned(),
        Clients::Down(since) => format!("clients are down for {}", span(since)),
        Clients::Back(millis) => {
            let down = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
            format!("clients were down {}", about(down))
        }
    };
    format!(" for {}{doing}; {clients}.", span(work.since))
}

fn while_running(facts: &Facts) -> String {
    match (&facts.last, &facts.overdue) {
        (None, _) if facts.unreachable.is_none() => "There is no complete backup yet.".to_owned(),
        (_, Some((since, _))) => format!("It is overdue since {}.{}", moment(facts, *since), last(facts)),
        _ => ended(&last(facts)).trim_start_matches(['.', ' ']).to_owned(),
    }
}

fn never(facts: &Facts) -> String {
    match facts.next {
        Some(next) => format!(
            ". The first backup begins by itself {} ({}).",
            relative(next, facts.now),
            moment(facts, next)
        ),
        None => ". No backup begins by itself either: no schedule is on.".to_owned(),
    }
}

fn overdue(facts: &Facts) -> String {
    let Some((since, why)) = &facts.overdue else {
        return ".".to_owned();
    };
    let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!(
        ". The backup that was due {} ({}) was not made{why}.{}",
        relative(*since, facts.now),
        moment(facts, *since),
        ended(&with_next(facts, &last(facts))).trim_start_matches('.')
    )
}

fn at_risk(facts: &Facts) -> String {
    if let Some(why) = &facts.unreachable {
        return format!(". Nobody can say which backups there are: {why}.");
    }
    let more = match facts.risks.len() {
        0 | 1 => String::new(),
        more => format!(", and {} more below", more - 1),
    };
    let first = facts
        .risks
        .first()
        .map_or_else(String::new, |risk| format!(". {}", capital(risk)));
    format!("{first}{more}{}", ended(&with_next(facts, &last(facts))))
}

/// `. Last complete backup 7 h ago (01:00 CET), 7 of 7 stores, clients were down 9 s`.
fn last(facts: &Facts) -> String {
    let Some(last) = &facts.last else {
        return String::new();
    };
    let down = last
        .down
        .map_or_else(String::new, |down| format!(", clients were down {}", about(down)));
    format!(
        ". Last complete backup {} ({}), {} of {} stores{down}",
        relative(last.at, facts.now),
        moment(facts, last.at),
        last.stores,
        last.of
    )
}

fn with_next(facts: &Facts, said: &str) -> String {
    match facts.next {
        Some(next) => format!("{said}; next {}", relative(next, facts.now)),
        None => format!("{said}; no next: no schedule is on"),
    }
}

fn ended(said: &str) -> String {
    format!("{said}.")
}

/// `01:00 CET`; with its day where it is not of today or the day beside it.
fn moment(facts: &Facts, moment: Timestamp) -> String {
    let zoned: Zoned = moment.to_zoned(facts.zone.clone());
    let near = facts.now.duration_since(moment).abs() < SignedDuration::from_hours(24);
    let format = if near { "%H:%M %Z" } else { "%a %d %b %H:%M %Z" };
    zoned.strftime(format).to_string()
}

#[cfg(test)]
mod tests;
