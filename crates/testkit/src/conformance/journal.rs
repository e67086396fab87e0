//! What every journal promises.
#![expect(missing_docs, reason = "each function's name is the sentence that it asserts")]

use std::sync::Arc;

use anyhow::ensure;
use stillpoint_core::names::{Project, RunId, StoreName};
use stillpoint_core::ports::Journal;
use stillpoint_core::ports::journal::{Loaded, Missing, OpenRun, Phase};
use stillpoint_core::ports::power::{Intent, Job};
use stillpoint_core::selection::Selection;

use super::claim::intent;

/// A journal under test, and whatever must live as long as it does.
pub struct Subject {
    /// The journal, empty.
    pub journal: Arc<dyn Journal>,
    /// The same, opened by another process.
    pub another: Arc<dyn Journal>,
    /// Its directory.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! journal_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::journal,
            $make,
            [
                an_empty_journal_has_no_open_runs,
                a_planned_run_is_open_to_the_letter_and_for_everybody,
                open_runs_come_oldest_first_and_by_platform,
                platforms_are_known_until_their_last_run_is_closed,
                a_phase_never_goes_back,
                a_closed_run_is_not_open,
                a_run_that_is_noted_twice_keeps_the_first_note,
                a_run_that_has_become_another_job_is_noted_as_that_job,
                an_unknown_run_can_be_advanced,
                what_is_missing_is_known_until_it_is_forgotten,
                what_was_loaded_is_replaced_and_read_by_everybody,
            ]
        );
    };
}

fn acme() -> Project {
    Project::new("acme")
}

pub async fn an_empty_journal_has_no_open_runs(subject: &Subject) -> anyhow::Result<()> {
    ensure!(subject.journal.open_runs(&acme()).await?.is_empty());
    Ok(())
}

pub async fn a_planned_run_is_open_to_the_letter_and_for_everybody(subject: &Subject) -> anyhow::Result<()> {
    let noted = intent(&acme(), "1");
    subject.journal.plan(&noted).await?;
    for journal in [&subject.journal, &subject.another] {
        let open = journal.open_runs(&acme()).await?;
        ensure!(
            open.len() == 1 && open[0].intent == noted && open[0].phase == Phase::Planned,
            "{open:?}"
        );
    }
    Ok(())
}

pub async fn open_runs_come_oldest_first_and_by_platform(subject: &Subject) -> anyhow::Result<()> {
    let mut older = intent(&acme(), "b");
    older.since -= std::time::Duration::from_mins(1);
    let (newer, other) = (intent(&acme(), "a"), intent(&Project::new("other"), "c"));
    for noted in [&newer, &older, &other] {
        subject.journal.plan(noted).await?;
    }
    let open = subject.journal.open_runs(&acme()).await?;
    let runs: Vec<&str> = open.iter().map(|run| run.intent.run.as_str()).collect();
    ensure!(runs == ["b", "a"], "{runs:?}");
    Ok(())
}

pub async fn what_was_loaded_is_replaced_and_read_by_everybody(subject: &Subject) -> anyhow::Result<()> {
    let noted = intent(&acme(), "1");
    subject.journal.plan(&noted).await?;
    ensure!(subject.another.open_runs(&acme()).await?[0].loaded.is_none());
    for stores in [vec!["db", "cache"], vec![]] {
        let loaded = Loaded {
            backup: noted.backup,
            stores: stores.into_iter().map(StoreName::new).collect(),
            selection: Selection {
                from: Some(Project::new("elsewhere")),
                map: [(StoreName::new("old"), StoreName::new("new"))].into(),
                ..Selection::default()
            },
        };
        subject.journal.loaded(&noted.run, &loaded).await?;
        let open = subject.another.open_runs(&acme()).await?;
        ensure!(open[0].loaded == Some(loaded), "{open:?}");
    }
    let unknown = Loaded {
        backup: noted.backup,
        stores: Vec::new(),
        selection: Selection::default(),
    };
    subject.journal.loaded(&RunId::new("unknown"), &unknown).await?;
    ensure!(subject.another.open_runs(&acme()).await?.len() == 1);
    Ok(())
}

pub async fn platforms_are_known_until_their_last_run_is_closed(subject: &Subject) -> anyhow::Result<()> {
    let other = Project::new("other");
    ensure!(subject.journal.platforms().await?.is_empty());
    for noted in [intent(&acme(), "a"), intent(&acme(), "b"), intent(&other, "c")] {
        subject.journal.plan(&noted).await?;
    }
    ensure!(subject.another.platforms().await? == [acme(), other.clone()]);
    subject.journal.advance(&RunId::new("a"), Phase::Closed).await?;
    subject.journal.advance(&RunId::new("c"), Phase::Closed).await?;
    ensure!(subject.another.platforms().await? == [acme()]);
    Ok(())
}

pub async fn a_phase_never_goes_back(subject: &Subject) -> anyhow::Result<()> {
    let noted = intent(&acme(), "1");
    subject.journal.plan(&noted).await?;
    for phase in [Phase::Undoing, Phase::Acting, Phase::Planned] {
        subject.journal.advance(&noted.run, phase).await?;
        let open = subject.another.open_runs(&acme()).await?;
        ensure!(open[0].phase == Phase::Undoing, "{open:?}");
    }
    Ok(())
}

pub async fn a_closed_run_is_not_open(subject: &Subject) -> anyhow::Result<()> {
    let noted = intent(&acme(), "1");
    subject.journal.plan(&noted).await?;
    subject.journal.advance(&noted.run, Phase::Closed).await?;
    ensure!(subject.another.open_runs(&acme()).await?.is_empty());
    Ok(())
}

pub async fn a_run_that_is_noted_twice_keeps_the_first_note(subject: &Subject) -> anyhow::Result<()> {
    let first = intent(&acme(), "1");
    subject.journal.plan(&first).await?;
    let mut second = first.clone();
    second.process += 1;
    subject.another.plan(&second).await?;
    let open = subject.journal.open_runs(&acme()).await?;
    ensure!(open.len() == 1 && open[0].intent == first, "{open:?}");
    Ok(())
}

pub async fn a_run_that_has_become_another_job_is_noted_as_that_job(subject: &Subject) -> anyhow::Result<()> {
    let restore = Intent {
        job: Job::FullRestoreJob,
        ..intent(&acme(), "1")
    };
    let discard = Intent {
        job: Job::DiscardJob,
        ..restore.clone()
    };
    for phase in [Phase::Acting, Phase::Closed] {
        subject.journal.plan(&restore).await?;
        let loaded = Loaded {
            backup: restore.backup,
            stores: Vec::new(),
            selection: Selection::default(),
        };
        subject.journal.loaded(&restore.run, &loaded).await?;
        subject.journal.advance(&restore.run, phase).await?;
        subject.another.plan(&discard).await?;
        let open = subject.journal.open_runs(&acme()).await?;
        let as_discard = [OpenRun {
            intent: discard.clone(),
            phase: Phase::Planned,
            loaded: None,
        }];
        ensure!(open == as_discard, "after {phase:?}: {open:?}");
        subject.journal.advance(&discard.run, Phase::Closed).await?;
    }
    Ok(())
}

pub async fn an_unknown_run_can_be_advanced(subject: &Subject) -> anyhow::Result<()> {
    subject.journal.advance(&RunId::new("lost"), Phase::Closed).await?;
    an_empty_journal_has_no_open_runs(subject).await
}

pub async fn what_is_missing_is_known_until_it_is_forgotten(subject: &Subject) -> anyhow::Result<()> {
    let missing = |platform: &Project, number: u32, cause: &str| {
        let intent = intent(platform, "1");
        let mut was = intent.workloads[0].clone();
        was.address.number = number;
        Missing {
            was,
            run: intent.run,
            since: intent.since,
            cause: cause.into(),
        }
    };
    let (other, journal) = (Project::new("other"), &subject.journal);
    ensure!(journal.missing(&acme()).await?.is_empty());
    let first = [
        missing(&acme(), 10, "a"),
        missing(&acme(), 2, "b"),
        missing(&other, 2, "c"),
    ];
    journal.note_missing(&first).await?;
    let again = missing(&acme(), 2, "again");
    journal.note_missing(std::slice::from_ref(&again)).await?;
    let known = subject.another.missing(&acme()).await?;
    ensure!(known == [again.clone(), first[0].clone()], "{known:?}");
    ensure!(subject.another.platforms().await? == [acme(), other.clone()]);
    for _ in 0..2 {
        let address = std::slice::from_ref(&again.was.address);
        subject.another.forget_missing(&acme(), address).await?;
        ensure!(journal.missing(&acme()).await? == [first[0].clone()]);
    }
    ensure!(journal.missing(&other).await? == [first[2].clone()]);
    Ok(())
}
