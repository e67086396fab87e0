//! What the measurements came to, and the limits they are held to. Of times the rounds' ratios count, not the
//! times: two measurements of one round met the same machine. Of memory the worst counts.

use anyhow::{Result, bail};

use super::super::contest::MEMORY_LIMIT;
use super::super::report;
use super::step::Figures;

/// Our time for a listing, as a multiple of the bare requests'.
pub(super) const LISTING_LIMIT: f64 = 1.5;
/// Our throughput, as a share of the bare upload's.
pub(super) const THROUGHPUT_LIMIT: f64 = 0.85;

/// One thing done by both, round by round.
#[derive(Default)]
pub(super) struct Pairs(pub(super) Vec<Pair>);

#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) ours: Figures,
    pub(super) bare: Figures,
}

impl Pairs {
    pub(super) fn ours(&self, of: impl Fn(&Figures) -> f64) -> f64 {
        median(self.0.iter().map(|pair| of(&pair.ours)))
    }

    pub(super) fn bare(&self, of: impl Fn(&Figures) -> f64) -> f64 {
        median(self.0.iter().map(|pair| of(&pair.bare)))
    }

    /// Our time as a multiple of the bare one's, of each round.
    pub(super) fn times(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|pair| pair.ours.seconds / pair.bare.seconds)
    }

    pub(super) fn time(&self) -> f64 {
        median(self.times())
    }

    /// Our throughput as a share of the bare one's.
    pub(super) fn throughput(&self) -> f64 {
        median(self.times().map(f64::recip))
    }

    pub(super) fn worst_memory(&self) -> u64 {
        self.0.iter().map(|pair| pair.ours.memory).max().unwrap_or(0)
    }
}

#[derive(Default)]
pub(super) struct Results {
    /// `Backups::list`, in a process of its own.
    pub(super) listing: Pairs,
    /// The whole of `stillpoint backups ls --json`, against the same bare requests.
    pub(super) program: Pairs,
    pub(super) writing: Pairs,
    pub(super) reading: Pairs,
    pub(super) crowd: Vec<Figures>,
}

impl Results {
    pub(super) fn crowd_memory(&self) -> u64 {
        self.crowd.iter().map(|run| run.memory).max().unwrap_or(0)
    }

    /// In sentences.
    pub(super) fn broken_limits(&self) -> Vec<String> {
        let (listing, throughput) = (self.program.time(), self.writing.throughput());
        // What was not measured is not a number, and breaks its limit.
        let unless = |kept: bool, sentence: String| (!kept).then_some(sentence);
        let memory = [
            hold_memory("many artifacts at once", self.crowd_memory()),
            hold_memory("one stream", self.writing.worst_memory()),
        ];
        [
            unless(
                listing <= LISTING_LIMIT,
                format!("a listing takes {listing:.2} times the bare requests, the limit is {LISTING_LIMIT}"),
            ),
            unless(
                throughput >= THROUGHPUT_LIMIT,
                format!("a stream has {throughput:.2} of the bare throughput, the limit is {THROUGHPUT_LIMIT}"),
            ),
        ]
        .into_iter()
        .flatten()
        .chain(
            memory
                .into_iter()
                .filter_map(|held| held.err().map(|error| error.to_string())),
        )
        .collect()
    }
}

pub(in crate::bench) fn hold_memory(what: &str, memory: u64) -> Result<()> {
    if memory > MEMORY_LIMIT {
        let (memory, limit) = (report::bytes(memory), report::bytes(MEMORY_LIMIT));
        bail!("{what}: peak resident memory {memory}, the limit is {limit}");
    }
    Ok(())
}

/// Of an even number the upper one: no value that was never measured.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(seconds: &[(f64, f64)], memory: u64) -> Pairs {
        let figures = |seconds| Figures {
            seconds,
            processor: 0.0,
            memory,
        };
        let pair = |&(ours, bare): &(f64, f64)| Pair {
            ours: figures(ours),
            bare: figures(bare),
        };
        Pairs(seconds.iter().map(pair).collect())
    }

    fn results(listing: f64, writing: f64, memory: u64) -> Results {
        Results {
            program: pairs(&[(listing, 1.0)], 0),
            writing: pairs(&[(writing, 1.0)], memory),
            ..Results::default()
        }
    }

    #[test]
    fn a_round_is_compared_with_itself() {
        // The machine was busy in the second and the third round, for both.
        let pairs = pairs(&[(1.2, 1.0), (12.0, 10.0), (6.0, 5.0)], 0);
        assert!((pairs.time() - 1.2).abs() < 1e-9 && (pairs.throughput() - 1.0 / 1.2).abs() < 1e-9);
    }

    #[test]
    fn each_limit_is_broken_by_itself() {
        assert_eq!(results(1.5, 1.0, MEMORY_LIMIT).broken_limits(), Vec::<String>::new());
        assert_eq!(results(1.51, 1.0, 0).broken_limits().len(), 1);
        assert_eq!(results(1.0, 1.25, 0).broken_limits().len(), 1);
        assert_eq!(
            results(1.0, 1.0, MEMORY_LIMIT + (1 << 20)).broken_limits(),
            ["one stream: peak resident memory 65.0 MiB, the limit is 64.0 MiB"]
        );
    }

    #[test]
    fn what_was_not_measured_keeps_no_limit() {
        assert_eq!(Results::default().broken_limits().len(), 2);
    }
}
