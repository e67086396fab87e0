//! A run in a line, and how far one is that is at work.

use jiff::Timestamp;
use stillpoint_core::events::{Event, EventKind, Step};
use stillpoint_core::ports::history::RunRecord;
use stillpoint_core::words::doing;

use crate::App;
use crate::wire::overview::{Clients, Phase, PhaseState, RunLine, Work};

/// So many facts are read of a run at work.
const FACTS: u32 = 5_000;

/// A run in a line.
pub(crate) fn line(run: &RunRecord, now: Timestamp) -> RunLine {
    let at = run.started_at.unwrap_or(run.asked_at);
    let took = run.ended_at.unwrap_or(now).duration_since(at);
    let ending = run.ending.as_ref();
    RunLine {
        name: run.called(),
        job: run.job.clone(),
        state: run.state,
        asked: match run.asked.way {
            stillpoint_core::ports::history::Way::Schedule => "schedule".to_owned(),
            way => format!("{} ({way})", run.asked.by),
        },
        at,
        millis: u64::try_from(took.as_millis()).unwrap_or(0),
        reason: ending.and_then(|ending| ending.reason.clone()).or_else(|| {
            let degraded = super::actions::degraded(run);
            (!degraded.is_empty()).then(|| degraded.join("; "))
        }),
        hint: ending.and_then(|ending| ending.hint.clone()),
    }
}

/// How far a run is.
pub(super) async fn of(app: &App, run: &RunRecord, now: Timestamp) -> Work {
    // Without its facts it is told all the same.
    let facts = app.platform.facts(run, 0, FACTS).await.unwrap_or_default();
    let events = facts
        .into_iter()
        .filter_map(|fact| serde_json::from_value(fact.event).ok());
    let events: Vec<Event> = events.collect();
    let phases = phases(&run.job, &events);
    Work {
        run: line(run, now),
        doing: at_work(&events).map(|step| doing(step).to_owned()),
        clients: clients(&events),
        phases,
    }
}

fn at_work(events: &[Event]) -> Option<Step> {
    let mut at_work = None;
    for event in events {
        match event.kind {
            EventKind::StepBegan { step } => at_work = Some(step),
            EventKind::StepEnded { step, .. } if at_work == Some(step) => at_work = None,
            _ => {}
        }
    }
    at_work
}

fn clients(events: &[Event]) -> Clients {
    events.iter().fold(Clients::Up, |clients, event| match event.kind {
        EventKind::ClientsGoDown { .. } => Clients::Down(event.at),
        EventKind::ClientsAreBack { millis } => Clients::Back(millis),
        _ => clients,
    })
}

/// The steps that a job usually has, in their order.
fn usual(job: &str) -> &'static [Step] {
    use Step::{Claim, Compare, Drain, Load, LogIn, Pin, Preflight, Prune, PutBack, Seal, Start, Stop, Verify};
    match job {
        "backup_job" => &[Preflight, Claim, Stop, Pin, Start, Drain, Seal, Prune],
        "full_restore_job" => &[Verify, Preflight, Claim, Stop, Load, Compare, LogIn, Start],
        "undo_job" => &[Preflight, Claim, Stop, PutBack, Start],
        "verify_job" => &[Verify],
        "prune_job" => &[Prune],
        "discard_job" => &[Step::Discard],
        "dagster_cleanup_job" => &[
            Step::Prepare,
            Step::DebugLogs,
            Step::InfoLogs,
            Step::WarningLogs,
            Step::FrameworkEvents,
        ],
        "postgres_repack_job" => &[Step::Repack],
        _ => &[],
    }
}

fn phases(job: &str, events: &[Event]) -> Vec<Phase> {
    let mut steps: Vec<(Step, PhaseState)> = Vec::new();
    for event in events {
        let (step, state) = match event.kind {
            EventKind::StepBegan { step } => (step, PhaseState::AtWork),
            EventKind::StepEnded { step, ok: true, .. } => (step, PhaseState::Done),
            EventKind::StepEnded { step, ok: false, .. } => (step, PhaseState::Failed),
            _ => continue,
        };
        match steps.iter_mut().find(|(known, _)| *known == step) {
            Some((_, known)) => *known = state,
            None => steps.push((step, state)),
        }
    }
    let is_known = |step: &Step| steps.iter().any(|(known, _)| known == step);
    let ahead: Vec<Step> = usual(job).iter().copied().filter(|step| !is_known(step)).collect();
    steps.extend(ahead.into_iter().map(|step| (step, PhaseState::Ahead)));
    let phase = |(step, state): (Step, PhaseState)| Phase {
        name: doing(step).to_owned(),
        state,
    };
    steps.into_iter().map(phase).collect()
}

#[cfg(test)]
mod tests {
    use stillpoint_core::names::RunId;

    use super::*;

    fn events(kinds: &[EventKind]) -> Vec<Event> {
        let told = kinds.iter().zip(1_u64..);
        let event = |(kind, seq): (&EventKind, u64)| Event {
            seq,
            run: RunId::new("r"),
            at: Timestamp::from_second(i64::try_from(seq).unwrap()).unwrap(),
            kind: kind.clone(),
        };
        told.map(event).collect()
    }

    #[test]
    fn the_steps_of_a_run_are_those_that_were_told_and_those_to_come() {
        let ended = |step, ok| EventKind::StepEnded { step, millis: 1, ok };
        let told = events(&[
            EventKind::StepBegan { step: Step::Preflight },
            ended(Step::Preflight, true),
            EventKind::StepBegan { step: Step::Stop },
            EventKind::ClientsGoDown { workloads: 2 },
            ended(Step::Stop, false),
            EventKind::StepBegan { step: Step::Start },
        ]);
        let seen: Vec<(String, PhaseState)> = phases("undo_job", &told)
            .into_iter()
            .map(|phase| (phase.name, phase.state))
            .collect();
        let wanted = [
            ("preflight", PhaseState::Done),
            ("stopping clients", PhaseState::Failed),
            ("starting clients", PhaseState::AtWork),
            ("claiming the platform", PhaseState::Ahead),
            ("putting the old data back", PhaseState::Ahead),
        ];
        assert_eq!(seen, wanted.map(|(name, state)| (name.to_owned(), state)));
        assert_eq!(at_work(&told), Some(Step::Start));
        assert_eq!(clients(&told), Clients::Down(Timestamp::from_second(4).unwrap()));
    }

    #[test]
    fn clients_that_are_back_are_not_down() {
        let told = events(&[
            EventKind::ClientsGoDown { workloads: 2 },
            EventKind::ClientsAreBack { millis: 9_200 },
        ]);
        assert_eq!(clients(&told), Clients::Back(9_200));
        assert_eq!(clients(&[]), Clients::Up);
    }
}
