//! One run's figures, and what several runs come to. Medians: one slow run of a shared machine must not decide.

use std::time::Duration;

use super::phases::Phases;
use super::usage::Usage;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) downtime: Duration,
    pub(super) wall: Duration,
    pub(super) usage: Usage,
    /// Of a backup: bytes of its files.
    pub(super) size: u64,
    /// Of Stillpoint: bytes that it said it would put aside for a while.
    pub(super) named: u64,
    pub(super) phases: Phases,
    /// The tick after which the witness was last stopped: of a backup, what it holds.
    pub(super) tick: u64,
}

/// The runs of one tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(pub(super) Vec<Figures>);

impl Runs {
    pub(super) fn median<T: Ord + Copy + Default>(&self, of: impl Fn(&Figures) -> T) -> T {
        let mut values: Vec<T> = self.0.iter().map(of).collect();
        values.sort_unstable();
        // Of an even number the upper one: no value that was never measured.
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    pub(super) fn worst(&self, of: impl Fn(&Figures) -> u64) -> u64 {
        self.0.iter().map(of).max().unwrap_or(0)
    }

    /// Each phase's median, in the order of the first run.
    pub(super) fn phases(&self) -> Phases {
        let first = self.0.first().map_or(&[][..], |run| &run.phases);
        let names = first.iter().map(|(name, _)| name.clone());
        names.map(|name| (name.clone(), self.phase(&name))).collect()
    }

    fn phase(&self, name: &str) -> Duration {
        self.median(|run| {
            let same = run.phases.iter().filter(|(phase, _)| phase == name);
            same.map(|(_, took)| *took).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(walls: &[u64]) -> Runs {
        let run = |wall: &u64| Figures {
            downtime: Duration::ZERO,
            wall: Duration::from_secs(*wall),
            usage: Usage {
                memory: *wall,
                ..Usage::default()
            },
            size: 0,
            named: 0,
            phases: vec![("stop".to_owned(), Duration::from_secs(*wall))],
            tick: 0,
        };
        Runs(walls.iter().map(run).collect())
    }

    #[test]
    fn the_middle_counts_for_times_and_the_worst_for_limits() {
        let runs = runs(&[9, 1, 2]);
        assert_eq!(runs.median(|run| run.wall), Duration::from_secs(2));
        assert_eq!(runs.phases(), [("stop".to_owned(), Duration::from_secs(2))]);
        assert_eq!(runs.worst(|run| run.usage.memory), 9);
    }

    #[test]
    fn no_runs_come_to_nothing() {
        assert_eq!(runs(&[]).median(|run| run.wall), Duration::ZERO);
        assert!(runs(&[]).phases().is_empty());
    }
}
