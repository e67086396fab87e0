//! What every history promises.
#![expect(missing_docs, reason = "each function's name is the sentence that it asserts")]

use std::sync::Arc;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stillpoint_core::names::{Project, RunId};
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{
    Asked, Ending, Fact, FactFilter, HistoryLimits, RunFilter, RunRecord, RunState, ScheduleNote, Way, Weight,
};

/// A history under test, and whatever must live as long as it does.
pub struct Subject {
    /// The history, empty.
    pub history: Arc<dyn History>,
    /// The same, opened by another process.
    pub another: Arc<dyn History>,
    /// Its directory.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! history_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::history,
            $make,
            [
                an_empty_history_has_nothing,
                a_run_is_read_to_the_letter_by_everybody_by_its_number_and_by_its_id,
                a_run_that_is_noted_again_keeps_its_number,
                runs_come_newest_first_and_page_by_page,
                runs_are_found_by_job_and_state_as_they_are_now,
                what_is_not_over_is_open,
                facts_come_in_order_once_each_and_page_by_page,
                the_last_facts_come_in_order_and_page_by_page_backwards,
                facts_are_found_by_store_and_by_weight,
                facts_of_nobody_are_lost_without_an_error,
                what_is_old_goes_with_its_facts,
                what_is_beyond_the_number_goes_the_oldest_first,
                what_is_not_over_never_goes,
                no_number_is_given_twice,
                who_switches_a_schedule_and_who_handles_it_leave_each_other_alone,
            ]
        );
    };
}

/// 2026-02-17 00:00:00 UTC.
fn midnight() -> Timestamp {
    Timestamp::constant(1_771_286_400, 0)
}

/// A run of this id, asked for so many hours after midnight, that is over.
pub fn run(id: &str, hours: i64) -> RunRecord {
    let at = midnight() + SignedDuration::from_hours(hours);
    RunRecord {
        number: None,
        run: RunId::new(id),
        job: "backup_job".to_owned(),
        options: json!({ "order": "backup", "mode": "hold" }),
        platform: Some(Project::new("acme")),
        asked: Asked {
            way: Way::Cli,
            by: "root".to_owned(),
        },
        host: "here".to_owned(),
        process: 42,
        state: RunState::Failure,
        asked_at: at,
        started_at: Some(at),
        ended_at: Some(at + SignedDuration::from_mins(1)),
        ending: Some(Ending {
            exit: Some(12),
            reason: Some("größer \u{1f4be} than the disk".to_owned()),
            hint: Some("make room".to_owned()),
            result: Some(json!({ "a": [1, 2] })),
            ..Ending::default()
        }),
    }
}

/// The same, at work.
fn open(id: &str, hours: i64) -> RunRecord {
    RunRecord {
        state: RunState::Started,
        ended_at: None,
        ending: None,
        ..run(id, hours)
    }
}

fn fact(seq: u64) -> Fact {
    Fact {
        seq,
        event: json!({ "seq": seq, "event": "warning", "message": format!("no. {seq}") }),
    }
}

fn ids(runs: &[RunRecord]) -> Vec<&str> {
    runs.iter().map(|run| run.run.as_str()).collect()
}

async fn all(history: &Arc<dyn History>) -> anyhow::Result<Vec<RunRecord>> {
    Ok(history.runs(None, 1000).await?)
}

const NO_LIMITS: HistoryLimits = HistoryLimits {
    days: 36_500,
    runs: u32::MAX,
};

pub async fn an_empty_history_has_nothing(subject: &Subject) -> anyhow::Result<()> {
    let history = &subject.history;
    ensure!(all(history).await?.is_empty() && history.open_runs().await?.is_empty());
    ensure!(history.run("1").await?.is_none());
    ensure!(history.facts(&RunId::new("1"), 0, 10).await?.is_empty());
    ensure!(history.prune(NO_LIMITS, midnight()).await? == 0);
    Ok(())
}

pub async fn a_run_is_read_to_the_letter_by_everybody_by_its_number_and_by_its_id(
    subject: &Subject,
) -> anyhow::Result<()> {
    subject.history.note(&run("first", 0)).await?;
    subject.history.note(&run("17-here-42-1", 1)).await?;
    let wanted = RunRecord {
        number: Some(2),
        ..run("17-here-42-1", 1)
    };
    for name in ["2", "17-here-42-1"] {
        let found = subject.another.run(name).await?;
        ensure!(found.as_ref() == Some(&wanted), "{name}: {found:?}");
    }
    for nobody in ["17", "3", "0", "-1", "", "2-here", "99999999999999999999"] {
        ensure!(subject.another.run(nobody).await?.is_none(), "{nobody}");
    }
    Ok(())
}

pub async fn a_run_that_is_noted_again_keeps_its_number(subject: &Subject) -> anyhow::Result<()> {
    subject.history.note(&open("a", 0)).await?;
    subject.history.note(&open("b", 1)).await?;
    subject.another.note(&run("a", 0)).await?;
    let found = subject.history.run("1").await?.context("it is lost")?;
    ensure!(found.run.as_str() == "a" && found.state == RunState::Failure && found.ending.is_some());
    subject.history.note(&open("c", 2)).await?;
    let numbers: Vec<Option<u64>> = all(&subject.history).await?.iter().map(|run| run.number).collect();
    ensure!(numbers == [Some(3), Some(2), Some(1)], "{numbers:?}");
    Ok(())
}

pub async fn runs_come_newest_first_and_page_by_page(subject: &Subject) -> anyhow::Result<()> {
    for id in ["a", "b", "c", "d", "e"] {
        subject.history.note(&run(id, 0)).await?;
    }
    let first = subject.another.runs(None, 2).await?;
    ensure!(ids(&first) == ["e", "d"], "{first:?}");
    let second = subject.another.runs(first[1].number, 2).await?;
    ensure!(ids(&second) == ["c", "b"], "{second:?}");
    let third = subject.another.runs(second[1].number, 2).await?;
    ensure!(ids(&third) == ["a"], "{third:?}");
    Ok(())
}

pub async fn runs_are_found_by_job_and_state_as_they_are_now(subject: &Subject) -> anyhow::Result<()> {
    let verify = |id: &str| RunRecord {
        job: "verify_job".to_owned(),
        ..run(id, 0)
    };
    for record in [run("a", 0), verify("b"), open("c", 0), run("d", 0), verify("e")] {
        subject.history.note(&record).await?;
    }
    let find = async |before, job: Option<&str>, state| {
        let wanted = RunFilter {
            before,
            job: job.map(ToOwned::to_owned),
            state,
        };
        let found = subject.another.find(&wanted, 2).await?;
        anyhow::Ok(found.into_iter().map(|run| run.run.to_string()).collect::<Vec<_>>())
    };
    let (backup, failure) = (Some("backup_job"), Some(RunState::Failure));
    ensure!(find(None, backup, None).await? == ["d", "c"]);
    ensure!(find(Some(3), backup, None).await? == ["a"]);
    ensure!(find(None, None, failure).await? == ["e", "d"]);
    ensure!(find(Some(4), None, failure).await? == ["b", "a"]);
    ensure!(find(None, backup, failure).await? == ["d", "a"]);
    ensure!(find(None, Some("nothing"), None).await?.is_empty());
    subject.history.note(&run("c", 0)).await?;
    ensure!(find(None, backup, failure).await? == ["d", "c"]);
    ensure!(find(None, backup, Some(RunState::Started)).await?.is_empty());
    Ok(())
}

pub async fn the_last_facts_come_in_order_and_page_by_page_backwards(subject: &Subject) -> anyhow::Result<()> {
    subject.history.note(&open("a", 0)).await?;
    let run = RunId::new("a");
    let facts: Vec<Fact> = [1, 2, 4, 7, 9].map(fact).into();
    subject.history.tell(&run, &facts).await?;
    let before = |before| FactFilter {
        before,
        ..FactFilter::default()
    };
    let page = subject.another.last_facts(&run, &before(None), 2).await?;
    ensure!(page == facts[3..], "{page:?}");
    let page = subject.another.last_facts(&run, &before(Some(7)), 2).await?;
    ensure!(page == facts[1..3], "{page:?}");
    let page = subject.another.last_facts(&run, &before(Some(2)), 2).await?;
    ensure!(page == facts[..1], "{page:?}");
    let nobody = RunId::new("nobody");
    ensure!(subject.another.last_facts(&nobody, &before(None), 2).await?.is_empty());
    Ok(())
}

pub async fn facts_are_found_by_store_and_by_weight(subject: &Subject) -> anyhow::Result<()> {
    subject.history.note(&open("a", 0)).await?;
    let run = RunId::new("a");
    let facts = [
        json!({ "event": "step_began", "step": "drain" }),
        json!({ "event": "artifact_done", "store": "db" }),
        json!({ "event": "artifact_done", "store": "cache" }),
        json!({ "event": "warning", "message": "db is slow" }),
        json!({ "event": "warning", "message": "the disk is full" }),
        json!({ "event": "step_ended", "step": "drain", "ok": false }),
        json!({ "event": "step_ended", "step": "start", "ok": true }),
    ];
    let facts = (1..).zip(facts).map(|(seq, event)| Fact { seq, event });
    subject.history.tell(&run, &facts.collect::<Vec<_>>()).await?;
    let find = async |store: Option<&str>, weight| {
        let wanted = FactFilter {
            before: None,
            store: store.map(ToOwned::to_owned),
            weight,
        };
        let found = subject.another.last_facts(&run, &wanted, 100).await?;
        anyhow::Ok(found.into_iter().map(|fact| fact.seq).collect::<Vec<_>>())
    };
    ensure!(find(None, Weight::Mark).await? == [1, 4, 5, 6, 7]);
    ensure!(find(None, Weight::Warning).await? == [4, 5, 6]);
    ensure!(find(Some("db"), Weight::Any).await? == [2, 4]);
    ensure!(find(Some("db"), Weight::Warning).await? == [4]);
    ensure!(find(Some("nothing"), Weight::Any).await?.is_empty());
    Ok(())
}

pub async fn what_is_not_over_is_open(subject: &Subject) -> anyhow::Result<()> {
    let states = [
        (RunState::Queued, true),
        (RunState::Starting, true),
        (RunState::Started, true),
        (RunState::Canceling, true),
        (RunState::Success, false),
        (RunState::Degraded, false),
        (RunState::Failure, false),
        (RunState::Canceled, false),
    ];
    for (state, _) in states {
        let record = RunRecord {
            state,
            ..open(state.name(), 0)
        };
        subject.history.note(&record).await?;
    }
    let open = subject.another.open_runs().await?;
    let wanted: Vec<&str> = states
        .iter()
        .filter(|(_, open)| *open)
        .map(|(state, _)| state.name())
        .collect();
    ensure!(ids(&open) == wanted, "{open:?}");
    Ok(())
}

pub async fn facts_come_in_order_once_each_and_page_by_page(subject: &Subject) -> anyhow::Result<()> {
    subject.history.note(&open("a", 0)).await?;
    subject.history.note(&open("b", 0)).await?;
    let run = RunId::new("a");
    subject.history.tell(&run, &[fact(1), fact(2), fact(4)]).await?;
    subject.history.tell(&run, &[fact(4), fact(9)]).await?;
    subject.history.tell(&RunId::new("b"), &[fact(1)]).await?;
    let page = subject.another.facts(&run, 0, 3).await?;
    ensure!(page == [fact(1), fact(2), fact(4)], "{page:?}");
    let page = subject.another.facts(&run, 4, 3).await?;
    ensure!(page == [fact(9)], "{page:?}");
    Ok(())
}

pub async fn facts_of_nobody_are_lost_without_an_error(subject: &Subject) -> anyhow::Result<()> {
    let nobody = RunId::new("nobody");
    subject.history.tell(&nobody, &[fact(1)]).await?;
    ensure!(subject.history.facts(&nobody, 0, 10).await?.is_empty());
    Ok(())
}

pub async fn what_is_old_goes_with_its_facts(subject: &Subject) -> anyhow::Result<()> {
    for (id, hours) in [("old", 0), ("young", 25)] {
        subject.history.note(&run(id, hours)).await?;
        subject.history.tell(&RunId::new(id), &[fact(1)]).await?;
    }
    let limits = HistoryLimits { days: 1, ..NO_LIMITS };
    let now = midnight() + SignedDuration::from_hours(26);
    ensure!(subject.history.prune(limits, now).await? == 1);
    ensure!(ids(&all(&subject.another).await?) == ["young"]);
    // The same id again is another run.
    subject.history.note(&run("old", 0)).await?;
    ensure!(subject.another.facts(&RunId::new("old"), 0, 10).await?.is_empty());
    ensure!(subject.another.facts(&RunId::new("young"), 0, 10).await?.len() == 1);
    Ok(())
}

pub async fn what_is_beyond_the_number_goes_the_oldest_first(subject: &Subject) -> anyhow::Result<()> {
    for id in ["a", "b", "c"] {
        subject.history.note(&run(id, 0)).await?;
    }
    let limits = HistoryLimits { runs: 2, ..NO_LIMITS };
    ensure!(subject.history.prune(limits, midnight()).await? == 1);
    ensure!(ids(&all(&subject.another).await?) == ["c", "b"]);
    Ok(())
}

pub async fn what_is_not_over_never_goes(subject: &Subject) -> anyhow::Result<()> {
    subject.history.note(&open("at work", 0)).await?;
    subject.history.note(&run("over", 0)).await?;
    let limits = HistoryLimits { days: 1, runs: 0 };
    let now = midnight() + SignedDuration::from_hours(48);
    ensure!(subject.history.prune(limits, now).await? == 1);
    ensure!(ids(&all(&subject.another).await?) == ["at work"]);
    Ok(())
}

pub async fn no_number_is_given_twice(subject: &Subject) -> anyhow::Result<()> {
    subject.history.note(&run("a", 0)).await?;
    let limits = HistoryLimits { runs: 0, ..NO_LIMITS };
    ensure!(subject.history.prune(limits, midnight()).await? == 1);
    subject.another.note(&run("b", 0)).await?;
    let number = all(&subject.another).await?.first().and_then(|run| run.number);
    ensure!(number == Some(2), "{number:?}");
    Ok(())
}

pub async fn who_switches_a_schedule_and_who_handles_it_leave_each_other_alone(
    subject: &Subject,
) -> anyhow::Result<()> {
    let hours = |hours| midnight() + SignedDuration::from_hours(hours);
    ensure!(subject.history.schedules().await?.is_empty());
    subject.history.handled("verify_job", hours(1)).await?;
    subject.history.switch("backup_job", false, "root", hours(2)).await?;
    subject.another.handled("backup_job", hours(3)).await?;
    subject.another.handled("backup_job", hours(4)).await?;
    subject.another.switch("verify_job", true, "op", hours(5)).await?;
    let note = |job: &str, is_on, by: &str, at, since, handled| ScheduleNote {
        job: job.to_owned(),
        is_on,
        switched_by: Some(by.to_owned()),
        switched_at: Some(hours(at)),
        known_since: Some(hours(since)),
        handled: Some(hours(handled)),
    };
    let known = subject.history.schedules().await?;
    let wanted = [
        note("backup_job", false, "root", 2, 3, 4),
        note("verify_job", true, "op", 5, 1, 1),
    ];
    ensure!(known == wanted, "{known:?}");
    Ok(())
}
