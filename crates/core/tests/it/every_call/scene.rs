//! The stages on which a trial plays, and what is run there.

use stillpoint_core::engine::errors::Error;
use stillpoint_core::engine::start::Degraded;
use stillpoint_core::manifest::Mode;

use super::trial::{Next, Scene};
use super::*;

pub(super) type Outcome = Told<Vec<Degraded>>;

impl Scene {
    /// The stage, before the run that is tried.
    pub(super) async fn prepare(self) -> anyhow::Result<Case> {
        match self {
            Self::Backup => Ok(Case::new(sample::world())),
            Self::Pinned => Ok(Case::new(sample::pinned_world())),
            Self::Hold => {
                let mut world = sample::pinned_world();
                world.standstill.mode = Mode::Hold;
                Ok(Case::new(world))
            }
            Self::Restore => backed_up().await,
            Self::Heal | Self::Recover | Self::Start => died_while_draining().await,
            Self::HealByJournal | Self::RecoverByJournal => {
                let case = died_while_draining().await?;
                case.prune();
                Ok(case)
            }
            Self::Takeover | Self::StartAnyway | Self::UndoHalf | Self::Resume => failed_at_load().await,
            Self::Undo | Self::Discard => restored().await,
        }
    }

    /// The run that is tried.
    pub(super) async fn act(self, case: &Case) -> Outcome {
        match self {
            Self::Backup | Self::Pinned | Self::Hold | Self::Heal | Self::HealByJournal => case.run(Next::Backup).await,
            Self::Restore | Self::Takeover => case.run(Next::Restore).await,
            Self::Recover | Self::RecoverByJournal => case.run(Next::Recover).await,
            Self::Start | Self::StartAnyway => case.run(Next::Start).await,
            Self::Resume => case.world.resume().await.of_any_job(),
            Self::Undo | Self::UndoHalf => case.world.undo().await.of_any_job(),
            Self::Discard => case.world.discard_old().await.of_any_job(),
        }
    }

    /// The calls that it makes when all goes well.
    pub(super) async fn golden(self) -> anyhow::Result<Vec<Call>> {
        let case = self.prepare().await?;
        let told = self.act(&case).await;
        anyhow::ensure!(told.exit() == Exit::Ok, "{self}: {}", told.words());
        anyhow::ensure!(case.down().is_empty(), "{self}: {:?} is down", case.down());
        Ok(case.world.faults.calls())
    }
}

impl Case {
    /// As an operator does it, who reads what he is told.
    pub(super) async fn run(&self, what: Next) -> Outcome {
        let world = &self.world;
        match what {
            Next::Restore => {
                let told = world.restore(self.id).await.of_any_job();
                if !told.words().contains("restore discard-old") || told.exit() != Exit::RestoreRefused {
                    return told;
                }
                world.discard_old().await;
                world.restore(self.id).await.of_any_job()
            }
            Next::Resume => {
                let told = world.resume().await.of_any_job();
                if matches!(told.outcome, Err(Error::NothingUnfinished(_))) {
                    return Box::pin(self.run(Next::Restore)).await;
                }
                told
            }
            Next::Undo => {
                let mut told = world.undo().await.of_any_job();
                if matches!(told.outcome, Err(Error::NothingKept(_))) {
                    told.outcome = Ok(Vec::new());
                }
                told
            }
            Next::Backup => world.backup().await.of_any_job(),
            Next::Recover => world.recover().await.of_any_job(),
            Next::Start => world.start_containers().await.of_any_job(),
        }
    }

    /// `docker container prune`: a claim was never started.
    pub(super) fn prune(&self) {
        self.world.drop_claim(&Project::new(PLATFORM));
    }
}

/// A world whose backup died while its stores were drained: a process and an upload are left.
async fn died_while_draining() -> anyhow::Result<Case> {
    let case = Case::new(sample::world());
    case.world.faults.on(Method::ProcessOutput).of("queue").kills();
    anyhow::ensure!(case.world.faults.live(case.world.backup()).await.is_none(), "it lives");
    anyhow::ensure!(!case.world.processes().is_empty() && !case.world.repository.unfinished().is_empty());
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    Ok(case)
}

/// A world with a backup, whose data has changed since.
async fn backed_up() -> anyhow::Result<Case> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.change("db", "orders", 99);
    world.change("queue", "messages", 0);
    world.wait_a_minute().await;
    world.faults.reset();
    Ok(Case { id, ..Case::new(world) })
}

/// A world whose data was replaced, and is kept.
async fn restored() -> anyhow::Result<Case> {
    let case = backed_up().await?;
    case.world.restore(case.id).await.outcome?;
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    Ok(Case {
        data: case.world.data().into_iter().collect(),
        ..case
    })
}

/// A world in which a first restore failed while it loaded.
async fn failed_at_load() -> anyhow::Result<Case> {
    let case = backed_up().await?;
    case.world.faults.on(Method::StoreRestore).of("queue").fails();
    let told = case.run(Next::Restore).await;
    anyhow::ensure!(told.exit() == Exit::StoppedOnPurpose, "{}", told.words());
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    Ok(case)
}
