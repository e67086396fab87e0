//! What runs leave in the history: their begin, their facts, their ending; and that a history which fails or hangs costs a
//! run nothing but its record.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::events::{EventKind, Listener, Reporter};
use stillpoint_core::history::{Historian, LIMIT};
use stillpoint_core::names::{ArtifactName, RunId, StoreName};
use stillpoint_core::ports::history::{Ending, HistoryLimits, RunRecord, RunState};
use stillpoint_core::ports::{Clock, History};
use stillpoint_testkit::conformance::history::run;
use stillpoint_testkit::fakes::history::Disk;
use stillpoint_testkit::fakes::{FakeClock, FakeHistory, FakeLocks};
use stillpoint_testkit::recorder::Recorder;

struct Scene {
    history: FakeHistory,
    historian: Historian,
    clock: Arc<FakeClock>,
    heard: Arc<Recorder>,
}

fn scene() -> Scene {
    let (history, clock) = (FakeHistory::default(), Arc::new(FakeClock::new()));
    Scene {
        historian: Historian {
            history: Arc::new(history.clone()),
            clock: clock.clone(),
            limits: HistoryLimits { days: 10, runs: 100 },
        },
        history,
        clock,
        heard: Arc::default(),
    }
}

fn asked(id: &str) -> RunRecord {
    RunRecord {
        state: RunState::Queued,
        started_at: None,
        ended_at: None,
        ending: None,
        ..run(id, 0)
    }
}

fn ending(exit: Exit) -> Ending {
    Ending {
        exit: Some(exit as u8),
        ..Ending::default()
    }
}

impl Scene {
    /// A run that tells two facts and some progress between them, and takes a minute.
    async fn act(&self, listener: Arc<dyn Listener>, exit: Exit) -> Ending {
        let report = Reporter::new(RunId::new("1"), self.clock.clone(), listener);
        report.warn("first");
        report.tell(EventKind::Progress {
            store: StoreName::new("db"),
            artifact: ArtifactName::of(&["db", "a.dump"]),
            bytes: 1,
            total: None,
        });
        self.clock.sleep(Duration::from_mins(1)).await;
        report.warn("second");
        ending(exit)
    }

    async fn record(&self, exit: Exit) -> (Ending, bool) {
        let act = |listener| self.act(listener, exit);
        let (ending, written) = self.historian.record(asked("1"), self.heard.clone(), act).await;
        (ending, written.is_ok())
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_written_down_while_it_runs_and_when_it_ends() -> anyhow::Result<()> {
    let scene = scene();
    let looking = async {
        scene.clock.sleep(Duration::from_secs(30)).await;
        let now = scene.history.runs(None, 10).await?;
        let facts = scene.history.facts(&RunId::new("1"), 0, 10).await?;
        anyhow::Ok((now, facts))
    };
    let ((_, written), seen) = futures::join!(scene.record(Exit::Ok), looking);
    assert!(written);
    let (now, facts) = seen?;
    assert_eq!((now.len(), now[0].state, facts.len()), (1, RunState::Started, 1));
    let over = scene.history.runs(None, 10).await?;
    assert_eq!((over.len(), over[0].state), (1, RunState::Success));
    let took = over[0].ended_at.unwrap().duration_since(over[0].started_at.unwrap());
    assert_eq!(took, SignedDuration::from_mins(1));
    // Progress is never stored; who listens hears it all the same.
    let seqs: Vec<u64> = scene
        .history
        .facts(&RunId::new("1"), 0, 10)
        .await?
        .iter()
        .map(|fact| fact.seq)
        .collect();
    assert_eq!(seqs, [1, 3]);
    assert_eq!(scene.heard.events().len(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_fact_is_read_back_as_the_event_that_it_was() -> anyhow::Result<()> {
    let scene = scene();
    scene.record(Exit::Ok).await;
    let facts = scene.history.facts(&RunId::new("1"), 0, 10).await?;
    let read: Result<Vec<stillpoint_core::events::Event>, _> = facts
        .into_iter()
        .map(|fact| serde_json::from_value(fact.event))
        .collect();
    let mut heard = scene.heard.events();
    heard.retain(|event| !event.kind.is_progress());
    assert_eq!(read?, heard);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_exit_code_says_what_has_become_of_a_run() -> anyhow::Result<()> {
    for (exit, state) in [
        (Exit::Ok, RunState::Success),
        (Exit::Degraded, RunState::Degraded),
        (Exit::Interrupted, RunState::Canceled),
        (Exit::RunFailed, RunState::Failure),
        (Exit::StoppedOnPurpose, RunState::Failure),
        (Exit::Damaged, RunState::Failure),
    ] {
        let scene = scene();
        scene.record(exit).await;
        assert_eq!(scene.history.runs(None, 1).await?[0].state, state, "{exit:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_costs_the_record_alone_and_is_told() {
    let scene = scene();
    scene.history.disk(Disk::IsFull);
    let (ended, written) = scene.record(Exit::Ok).await;
    assert_eq!(ended, ending(Exit::Ok));
    assert!(!written, "nobody is told");
    assert_eq!(scene.heard.events().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn how_a_run_ended_is_noted_as_soon_as_there_is_room_again() -> anyhow::Result<()> {
    let scene = scene();
    scene.history.disk(Disk::IsFull);
    let room = async {
        scene.clock.sleep(Duration::from_secs(30)).await;
        scene.history.disk(Disk::Writes);
    };
    let ((_, written), ()) = futures::join!(scene.record(Exit::RunFailed), room);
    assert!(!written, "the facts are not there, and nobody is told");
    assert_eq!(scene.history.runs(None, 1).await?[0].state, RunState::Failure);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_holds_a_run_up_for_no_longer_than_the_limit() {
    let scene = scene();
    scene.history.disk(Disk::Hangs);
    let began = scene.clock.elapsed();
    let (ended, written) = scene.record(Exit::Ok).await;
    assert_eq!((ended, written), (ending(Exit::Ok), false));
    assert!(scene.clock.elapsed().saturating_sub(began) <= Duration::from_mins(1) + LIMIT);
}

#[tokio::test(start_paused = true)]
async fn only_what_died_on_this_host_is_closed_and_it_says_why() -> anyhow::Result<()> {
    let (scene, locks) = (scene(), FakeLocks::default());
    locks.begin_process(7);
    let at_work = |id: &str, host: &str, process| RunRecord {
        state: RunState::Started,
        host: host.to_owned(),
        process,
        ..asked(id)
    };
    let waits = RunRecord {
        process: 8,
        ..asked("waits")
    };
    for record in [
        at_work("lives", "here", 7),
        at_work("dead", "here", 8),
        at_work("elsewhere", "there", 8),
        waits,
        run("over", 0),
    ] {
        scene.history.note(&record).await?;
    }
    let closed = scene.historian.tidy_up("here", &locks).await?;
    let ids: Vec<&str> = closed.iter().map(|record| record.run.as_str()).collect();
    assert_eq!(ids, ["dead"]);
    let dead = scene.history.run("dead").await?.unwrap();
    let ending = dead.ending.unwrap();
    assert_eq!((dead.state, ending.exit), (RunState::Failure, None));
    assert!(ending.reason.unwrap().contains("(8 on here) died"));
    assert!(ending.hint.unwrap().contains("containers recover"));
    assert_eq!(scene.history.open_runs().await?.len(), 3);
    assert!(
        scene.historian.tidy_up("here", &locks).await?.is_empty(),
        "closed twice"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_old_is_forgotten() -> anyhow::Result<()> {
    let (scene, locks) = (scene(), FakeLocks::default());
    scene.history.note(&run("old", -11 * 24)).await?;
    scene.history.note(&run("young", -9 * 24)).await?;
    scene.historian.tidy_up("here", &locks).await?;
    let left = scene.history.runs(None, 10).await?;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].run.as_str(), "young");
    Ok(())
}
