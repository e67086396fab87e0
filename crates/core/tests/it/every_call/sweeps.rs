//! Which cases are tried, and the replay of one.

use super::trial::{Fault, Next, Scene, Trial, Twist};
use super::*;

const VARIABLE: &str = "STILLPOINT_CASE";

/// How many failing cases are shown.
const SHOWN: usize = 20;

/// Cases of one scene, one after the other.
struct Sweep {
    golden: Vec<Call>,
    scene: Scene,
    cases: usize,
    bad: Vec<String>,
}

impl Sweep {
    async fn of(scene: Scene) -> anyhow::Result<Self> {
        Ok(Self {
            golden: scene.golden().await?,
            scene,
            cases: 0,
            bad: Vec::new(),
        })
    }

    /// Plays a case; returns whether its next run outlived the death that was meant for it.
    async fn play(&mut self, trial: Trial) -> anyhow::Result<bool> {
        let played = trial.play(&self.golden).await?;
        self.cases += 1;
        if !played.complaints.is_empty() {
            let what = played.complaints.join("\n    ");
            self.bad.push(format!(
                "{what}\n  replay: {VARIABLE}='{trial}' cargo nextest run -p stillpoint-core -E 'test(replay)'"
            ));
        }
        Ok(played.outlived)
    }

    /// Every call, where `fits` says so.
    async fn calls(
        mut self,
        fault: Fault,
        twist: Twist,
        next: Next,
        fits: impl Fn(&Call) -> bool,
    ) -> anyhow::Result<Self> {
        // Who dies half-way to the end does not do so at the last call.
        let last = self.golden.len() - usize::from(fault == Fault::PruneThenDie);
        for n in 1..=last {
            if fits(&self.golden[n - 1]) {
                let trial = Trial {
                    scene: self.scene,
                    n,
                    fault,
                    twist,
                    next,
                    again: None,
                };
                self.play(trial).await?;
            }
        }
        Ok(self)
    }

    /// Every call, and what lives on.
    async fn lives(self, next: Next) -> anyhow::Result<Self> {
        let nothing = Twist::Nothing;
        let sweep = self.calls(Fault::Error, nothing, next, |_| true).await?;
        let lost = |call: &Call| call.method.may_lose_its_answer();
        let sweep = sweep.calls(Fault::LostAnswer, nothing, next, lost).await?;
        sweep.calls(Fault::Interrupt, nothing, next, |_| true).await
    }

    /// Every call, before and after which the process dies.
    async fn dies(self, twist: Twist, next: Next) -> anyhow::Result<Self> {
        let sweep = self.calls(Fault::DieBefore, twist, next, |_| true).await?;
        sweep.calls(Fault::DieAfter, twist, next, |_| true).await
    }

    /// Deaths at calls of `methods`, and each once more at every call of the next run.
    async fn dies_twice(mut self, next: Next, methods: impl Fn(Method) -> bool) -> anyhow::Result<Self> {
        for n in 1..=self.golden.len() {
            if !methods(self.golden[n - 1].method) {
                continue;
            }
            for m in 1.. {
                let trial = Trial {
                    scene: self.scene,
                    n,
                    fault: Fault::DieAfter,
                    twist: Twist::Nothing,
                    next,
                    again: Some(m),
                };
                if self.play(trial).await? {
                    break;
                }
            }
        }
        Ok(self)
    }

    fn verdict(self) -> anyhow::Result<()> {
        let (cases, bad) = (self.cases, self.bad.len());
        anyhow::ensure!(cases > 10, "only {cases} cases were tried");
        let shown = self
            .bad
            .iter()
            .take(SHOWN)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n");
        anyhow::ensure!(bad == 0, "{bad} of {cases} cases failed:\n{shown}");
        Ok(())
    }
}

/// Where the world is another one afterwards.
fn changes(method: Method) -> bool {
    use Method as M;
    method.changes_the_platform()
        || matches!(
            method,
            M::JournalPlan
                | M::JournalAdvance
                | M::ShellExec
                | M::RepositoryCreate
                | M::RepositoryUpload
                | M::StoreRestore
                | M::JournalLoaded
        )
}

/// Where there is more to put back afterwards.
fn replaces(method: Method) -> bool {
    use Method as M;
    matches!(method, M::PowerClaim | M::RepositoryCreate | M::StoreRestore)
}

macro_rules! sweeps {
    ($($name:ident: $scene:ident => |$sweep:ident| $tried:expr;)*) => {
        $(#[tokio::test(start_paused = true)]
        async fn $name() -> anyhow::Result<()> {
            let $sweep = Sweep::of(Scene::$scene).await?;
            $tried.verdict()
        })*
    };
}

sweeps! {
    a_backup_lives_through_any_fault: Backup => |s| s.lives(Next::Backup).await?
        .calls(Fault::Hang, Twist::Nothing, Next::Backup, Call::ends_when_cancelled).await?;
    a_backup_that_died_is_healed_by_the_next: Backup => |s| s.dies(Twist::Nothing, Next::Backup).await?;
    a_backup_that_died_is_recovered: Backup => |s| s.dies(Twist::Nothing, Next::Recover).await?;
    a_backup_that_died_is_brought_back_by_a_start: Backup => |s| s.dies(Twist::Nothing, Next::Start).await?;
    a_backup_whose_host_died_is_healed: Backup => |s| s.dies(Twist::Reboot, Next::Backup).await?;
    a_backup_whose_host_died_is_recovered: Backup => |s| s.dies(Twist::Reboot, Next::Recover).await?;
    a_backup_whose_ledger_was_lost_is_recovered: Backup => |s| s.dies(Twist::LedgerLost, Next::Recover).await?;
    a_backup_whose_claim_was_lost_is_recovered: Backup => |s| s.dies(Twist::ClaimLost, Next::Recover).await?;
    a_backup_whose_host_died_with_its_claim_is_healed: Backup => |s| s.dies(Twist::ClaimLostInReboot, Next::Backup).await?;
    what_its_operator_has_touched_since_is_left: Backup => |s| s.dies(Twist::Touched, Next::Recover).await?;
    a_backup_survives_that_its_claim_is_pruned: Backup => |s| s
        .calls(Fault::Prune, Twist::Nothing, Next::Backup, |_| true).await?
        .calls(Fault::PruneThenDie, Twist::Nothing, Next::Recover, |_| true).await?;
    a_recovery_that_died_is_done_by_the_next: Backup => |s| s.dies_twice(Next::Recover, changes).await?;

    a_pinned_backup_lives_through_any_fault: Pinned => |s| s.lives(Next::Backup).await?
        .calls(Fault::Hang, Twist::Nothing, Next::Backup, Call::ends_when_cancelled).await?;
    a_pinned_backup_that_died_is_recovered: Pinned => |s| s.dies(Twist::Nothing, Next::Recover).await?
        .dies(Twist::LedgerLost, Next::Recover).await?;
    a_pinned_backup_that_died_is_healed_by_the_next: Pinned => |s| s.dies(Twist::ClaimLost, Next::Backup).await?
        .dies(Twist::Reboot, Next::Backup).await?;
    what_an_operator_has_touched_since_a_pinned_backup_is_left: Pinned => |s| s.dies(Twist::Touched, Next::Recover).await?;
    a_backup_on_hold_lives_through_any_fault: Hold => |s| s.lives(Next::Backup).await?
        .calls(Fault::Hang, Twist::Nothing, Next::Backup, Call::ends_when_cancelled).await?;
    a_backup_on_hold_that_died_is_recovered: Hold => |s| s.dies(Twist::Nothing, Next::Recover).await?
        .dies(Twist::Reboot, Next::Backup).await?;

    healing_lives_through_any_fault: Heal => |s| s.lives(Next::Backup).await?;
    healing_that_died_is_done_by_the_next: Heal => |s| s.dies(Twist::Nothing, Next::Backup).await?;
    healing_whose_host_died_is_done_by_the_next: Heal => |s| s.dies(Twist::Reboot, Next::Backup).await?;
    healing_by_the_journal_lives_through_any_fault: HealByJournal => |s| s.lives(Next::Backup).await?;
    healing_by_the_journal_that_died_is_done_by_the_next: HealByJournal => |s| s.dies(Twist::Nothing, Next::Recover).await?;
    recovery_lives_through_any_fault: Recover => |s| s.lives(Next::Recover).await?
        .dies(Twist::Reboot, Next::Recover).await?
        .dies(Twist::LedgerLost, Next::Recover).await?
        .dies(Twist::ClaimLost, Next::Recover).await?;
    recovery_by_the_journal_lives_through_any_fault: RecoverByJournal => |s| s.lives(Next::Recover).await?
        .dies(Twist::Nothing, Next::Recover).await?
        .dies(Twist::Reboot, Next::Backup).await?;
    a_start_lives_through_any_fault: Start => |s| s.lives(Next::Start).await?
        .dies(Twist::Nothing, Next::Start).await?
        .dies(Twist::Reboot, Next::Backup).await?;

    a_restore_lives_through_any_fault: Restore => |s| s.lives(Next::Restore).await?
        .calls(Fault::Hang, Twist::Nothing, Next::Restore, Call::ends_when_cancelled).await?
        .calls(Fault::Error, Twist::Nothing, Next::Start, |_| true).await?;
    what_a_restore_left_down_stays_down_across_a_reboot: Restore => |s| s
        .calls(Fault::Error, Twist::Reboot, Next::Start, |_| true).await?
        .calls(Fault::Error, Twist::ClaimLost, Next::Start, |_| true).await?;
    a_restore_that_died_is_finished_by_the_next: Restore => |s| s.dies(Twist::Nothing, Next::Restore).await?;
    a_restore_that_died_is_started_as_it_is: Restore => |s| s.dies(Twist::Nothing, Next::Start).await?;
    a_restore_whose_host_died_is_finished_by_the_next: Restore => |s| s.dies(Twist::Reboot, Next::Restore).await?;
    a_restore_whose_host_died_is_started_as_it_is: Restore => |s| s.dies(Twist::Reboot, Next::Start).await?;
    a_restore_whose_ledger_was_lost_is_finished: Restore => |s| s.dies(Twist::LedgerLost, Next::Restore).await?;
    a_restore_whose_claim_was_lost_is_finished: Restore => |s| s.dies(Twist::ClaimLost, Next::Restore).await?;
    a_restore_whose_host_died_with_its_claim_is_started: Restore => |s| s.dies(Twist::ClaimLostInReboot, Next::Start).await?;
    a_restore_survives_that_its_claim_is_pruned: Restore => |s| s
        .calls(Fault::Prune, Twist::Nothing, Next::Restore, |_| true).await?
        .calls(Fault::PruneThenDie, Twist::Nothing, Next::Start, |_| true).await?;
    a_start_after_a_restore_that_died_is_done_by_the_next: Restore => |s| s.dies_twice(Next::Start, changes).await?;

    a_takeover_lives_through_any_fault: Takeover => |s| s.lives(Next::Restore).await?;
    a_takeover_that_died_is_finished_by_the_next: Takeover => |s| s.dies(Twist::Nothing, Next::Restore).await?
        .dies(Twist::Reboot, Next::Start).await?;
    a_restore_that_died_is_undone: Restore => |s| s.dies(Twist::Nothing, Next::Undo).await?
        .dies(Twist::Reboot, Next::Undo).await?;
    a_restore_whose_ledger_was_lost_is_undone: Restore => |s| s.dies(Twist::LedgerLost, Next::Undo).await?;
    a_restore_whose_claim_was_lost_is_undone: Restore => |s| s.dies(Twist::ClaimLost, Next::Undo).await?;
    a_restore_that_failed_is_undone: Restore => |s| s.lives(Next::Undo).await?;
    an_undo_that_died_is_done_by_the_next: Restore => |s| s.dies_twice(Next::Undo, replaces).await?;
    a_restore_that_died_is_resumed: Restore => |s| s.dies(Twist::Nothing, Next::Resume).await?
        .dies(Twist::LedgerLost, Next::Resume).await?;

    an_undo_lives_through_any_fault: Undo => |s| s.lives(Next::Undo).await?
        .calls(Fault::Hang, Twist::Nothing, Next::Undo, Call::ends_when_cancelled).await?;
    an_undo_that_died_is_finished_by_the_next: Undo => |s| s.dies(Twist::Nothing, Next::Undo).await?
        .dies(Twist::ClaimLostInReboot, Next::Undo).await?;
    an_undo_that_died_is_started_as_it_is: Undo => |s| s.dies(Twist::Reboot, Next::Start).await?;
    an_undo_that_died_is_restored_over: Undo => |s| s.dies(Twist::Nothing, Next::Restore).await?;
    an_undo_of_half_a_restore_lives_through_any_fault: UndoHalf => |s| s.lives(Next::Undo).await?
        .dies(Twist::Nothing, Next::Undo).await?;
    half_a_restore_that_was_half_undone_is_resumed: UndoHalf => |s| s.lives(Next::Resume).await?
        .dies(Twist::Nothing, Next::Resume).await?;
    a_resumed_restore_lives_through_any_fault: Resume => |s| s.lives(Next::Resume).await?
        .dies(Twist::Nothing, Next::Resume).await?;
    a_resumed_restore_that_died_is_undone: Resume => |s| s.dies(Twist::Nothing, Next::Undo).await?;
    what_was_begun_to_be_freed_is_freed: Discard => |s| s.lives(Next::Recover).await?
        .dies(Twist::Nothing, Next::Recover).await?;
    what_was_begun_to_be_freed_is_not_put_back: Discard => |s| s.lives(Next::Undo).await?
        .dies(Twist::Nothing, Next::Undo).await?;

    a_start_anyway_lives_through_any_fault: StartAnyway => |s| s.lives(Next::Start).await?
        .dies(Twist::Nothing, Next::Start).await?
        .dies(Twist::Reboot, Next::Start).await?
        .dies(Twist::ClaimLost, Next::Start).await?;
}

/// Replays the case that the environment names, or one that shows how.
#[expect(clippy::disallowed_methods, reason = "nothing but the environment reaches a test")]
#[tokio::test(start_paused = true)]
async fn replay() -> anyhow::Result<()> {
    let line = std::env::var(VARIABLE).unwrap_or_else(|_| "backup 40 die-before reboot recover 5".to_owned());
    let trial: Trial = line.parse()?;
    let golden = trial.scene.golden().await?;
    let played = trial.play(&golden).await?;
    anyhow::ensure!(
        played.complaints.is_empty(),
        "{trial}:\n{}",
        played.complaints.join("\n")
    );
    Ok(())
}
