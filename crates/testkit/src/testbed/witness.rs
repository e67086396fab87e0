//! What the witness's counter shows in every store, and what its log says: the proof of one point in time.
//! Reads the stores by itself: the witness's own word about them is never taken.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::docker::Docker;
use super::psql;

/// The witness's rows in one place (a database).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessState {
    /// The last tick; 0 before the first.
    pub last: u64,
    /// The number of ticks; equal to `last` when none is missing.
    pub count: u64,
    /// Every row holds the proof of its tick.
    pub proofs_ok: bool,
}

impl WitnessState {
    /// All ticks from 1 to `last`, each with its proof.
    pub fn is_whole(&self) -> bool {
        self.count == self.last && self.proofs_ok
    }
}

const TABLE: &str = "select to_regclass('public.witness') is not null as found \\gset
\\if :found
select json_build_object('database', current_database(), 'last', coalesce(max(n), 0), 'count', count(*),
    'proofs_ok', coalesce(bool_and(proof = md5(n::text)), true)) from public.witness;
\\else
select json_build_object('database', current_database(), 'last', 0, 'count', 0, 'proofs_ok', false);
\\endif
";

#[derive(Deserialize)]
struct Line {
    database: String,
    #[serde(flatten)]
    state: WitnessState,
}

/// What each database of the server shows; one without the witness's table shows a tick 0 without proofs.
pub(super) fn in_postgres(container: &str, databases: &[String]) -> Result<BTreeMap<String, WitnessState>> {
    let script: String = databases.iter().map(|name| psql::connect(name) + TABLE).collect();
    let call = Docker::new([
        "exec",
        "-i",
        "-u",
        "postgres",
        container,
        "psql",
        "-XqAt",
        "-v",
        "ON_ERROR_STOP=1",
    ]);
    let answer = call.input(script).run()?;
    let lines = answer.lines().filter(|l| !l.is_empty());
    let read = lines.map(|l| serde_json::from_str(l).with_context(|| format!("the witness's table shows {l}")));
    read.map(|line| line.map(|Line { database, state }| (database, state)))
        .collect()
}

/// The number in the last line that begins with `words`.
pub(super) fn last_number_after(log: &str, words: &str) -> Option<u64> {
    let rest = log.lines().rev().find_map(|line| line.strip_prefix(words))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stop_counts() {
        let log = "resumed after tick 0 in 5 places\ntick 1\nstopped after tick 1\nresumed after tick 1 in 5 places\ntick 2\nstopped after tick 2\nresumed after tick 2 in 5 places\ntick 3\n";
        assert_eq!(last_number_after(log, "stopped after tick "), Some(2));
        assert_eq!(last_number_after(log, "resumed after tick "), Some(2));
        assert_eq!(last_number_after("tick 1\n", "stopped after tick "), None);
    }

    #[test]
    fn a_gap_or_a_wrong_proof_is_not_whole() {
        let whole = WitnessState {
            last: 7,
            count: 7,
            proofs_ok: true,
        };
        assert!(whole.is_whole());
        assert!(
            !WitnessState {
                count: 6,
                ..whole.clone()
            }
            .is_whole()
        );
        assert!(
            !WitnessState {
                proofs_ok: false,
                ..whole
            }
            .is_whole()
        );
    }
}
