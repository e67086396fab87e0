//! What a test asks of the witness: to tick, to rest, what it has said, and what the stores themselves show of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Testbed;
use super::platform::WITNESS;
use super::stores::Store;
use super::witness::{
    WitnessState, in_clickhouse, in_documentdb, in_milvus, in_nats, in_neo4j, in_postgres, in_valkey,
    last_number_after, one_tick,
};

/// For a container that starts, beside what its command itself waits.
const LIMIT: Duration = Duration::from_secs(30);

/// A stop of the witness in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The last tick before it: what a backup taken at that standstill must hold.
    pub tick: u64,
    /// It was told to stop in the middle of that tick, and finished it.
    pub inside: bool,
}

impl Stop {
    fn of(line: &str) -> Option<Self> {
        Some(Self {
            tick: last_number_after(line, STOPPED)?,
            inside: line.contains("told inside a tick"),
        })
    }
}

/// A whole tick of its own; not one of which it says that a store has not taken it.
fn is_tick(line: &str) -> bool {
    line.strip_prefix("tick ")
        .is_some_and(|rest| rest.parse::<u64>().is_ok())
}

const STOPPED: &str = "stopped after tick ";

impl Testbed {
    /// One tick into every store; its number.
    pub fn tick(&self) -> Result<u64> {
        let said = self.docker(&["exec", &self.container(WITNESS)?, "tick"])?;
        said.trim()
            .parse()
            .with_context(|| format!("the witness's tick said {said:?}"))
    }

    /// Ends the ticks that the witness makes by itself, over its next stops and starts too; the last tick, which is whole.
    /// Waits until the witness runs and has found its place.
    pub fn rest(&self) -> Result<u64> {
        let said = self.in_witness("witness-rest")?;
        said.trim()
            .parse()
            .with_context(|| format!("the witness at rest said {said:?}"))
    }

    /// The witness ticks by itself again.
    pub fn go_on(&self) -> Result<()> {
        self.in_witness("witness-go").map(drop)
    }

    /// What the stores themselves show of the witness, by `<service>/<database or account>`. They are asked one after the other:
    /// a witness that ticks by itself is to be at rest.
    pub fn witness(&self) -> Result<BTreeMap<String, WitnessState>> {
        let mut all = BTreeMap::new();
        for store in self.shape.stores() {
            let container = self.container(store.service())?;
            let states = match store {
                Store::Postgres => in_postgres(&container, &self.databases()?)?,
                Store::Documentdb => in_documentdb(&container)?,
                Store::Valkey => in_valkey(&container)?,
                Store::Nats => in_nats(&container)?,
                Store::Neo4j => in_neo4j(&container)?,
                Store::Clickhouse => in_clickhouse(&container)?,
                Store::Milvus => in_milvus(&container)?,
            };
            let named = |(place, state)| (format!("{}/{place}", store.service()), state);
            all.extend(states.into_iter().map(named));
        }
        Ok(all)
    }

    /// The tick after which the witness last stopped in good order: what a backup taken at that standstill must hold.
    pub fn witness_log_last_stop(&self) -> Result<Option<u64>> {
        Ok(last_number_after(&self.witness_log()?, STOPPED))
    }

    /// All its stops in good order, the oldest first.
    pub fn witness_stops(&self) -> Result<Vec<Stop>> {
        Ok(self.witness_log()?.lines().filter_map(Stop::of).collect())
    }

    /// Waits until the witness, which ticks by itself, has made so many ticks more.
    pub fn await_ticks(&self, more: usize) -> Result<()> {
        let ticks = |log: &str| log.lines().filter(|line| is_tick(line)).count();
        let (before, begun) = (ticks(&self.witness_log()?), Instant::now());
        while ticks(&self.witness_log()?) < before + more {
            ensure!(begun.elapsed() < LIMIT, "the witness does not tick by itself");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The tick that all stores agreed on when the witness last started: what a restore brought back.
    pub fn witness_log_last_resume(&self) -> Result<Option<u64>> {
        Ok(last_number_after(&self.witness_log()?, "resumed after tick "))
    }

    /// What the witness has said since it was made.
    pub fn witness_log(&self) -> Result<String> {
        self.docker(&["logs", &self.container(WITNESS)?])
    }

    /// The tick that all stores show, whole; an error that names the places where one shows another, or has a gap.
    pub fn one_tick(&self) -> Result<u64> {
        one_tick(&self.witness()?)
    }

    /// The witness itself waits, with a limit, until it has found its place in every store.
    pub(super) fn await_witness(&self) -> Result<()> {
        self.in_witness("witness-ready")
            .map(drop)
            .context("the witness does not get ready")
    }

    /// One of its commands. A witness that was started a moment ago runs none yet: it is asked again, with a limit.
    fn in_witness(&self, command: &str) -> Result<String> {
        let (container, begun) = (self.container(WITNESS)?, Instant::now());
        loop {
            match self.docker(&["exec", &container, command]) {
                Err(_) if begun.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(100)),
                said => return said,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_read_with_the_moment_at_which_it_came() {
        let stop = |line| Stop::of(line).map(|stop| (stop.tick, stop.inside));
        assert_eq!(stop("stopped after tick 17, told inside a tick"), Some((17, true)));
        assert_eq!(stop("stopped after tick 4, told between ticks"), Some((4, false)));
        assert_eq!(stop("stopped before the first tick"), None);
        assert!(is_tick("tick 3") && !is_tick("tick 3: not taken by nats, trying again"));
    }
}
