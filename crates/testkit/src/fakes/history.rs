//! A history in memory, whose disk a test can fill or stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::names::RunId;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{
    Fact, FactFilter, HistoryError, HistoryLimits, RunFilter, RunRecord, ScheduleNote,
};

use super::lock;

/// A history. Clones share it.
#[derive(Clone, Default)]
pub struct FakeHistory {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    runs: Vec<(RunRecord, Vec<Fact>)>,
    schedules: BTreeMap<String, ScheduleNote>,
    last: u64,
    /// What its disk does instead of writing.
    disk: Disk,
}

impl Kept {
    fn schedule(&mut self, job: &str) -> &mut ScheduleNote {
        self.schedules.entry(job.to_owned()).or_insert_with(|| ScheduleNote {
            job: job.to_owned(),
            is_on: true,
            switched_by: None,
            switched_at: None,
            known_since: None,
            handled: None,
        })
    }
}

/// What the disk of a history does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// It writes.
    #[default]
    Writes,
    /// It is full.
    IsFull,
    /// What is found can be neither written nor read.
    IsBroken,
    /// It never answers.
    Hangs,
}

impl FakeHistory {
    /// From now on its disk does this.
    pub fn disk(&self, disk: Disk) {
        lock(&self.kept).disk = disk;
    }

    fn broken(&self, doing: &'static str) -> HistoryError {
        HistoryError {
            place: self.place(),
            doing,
            cause: "disk I/O error".to_owned(),
        }
    }

    fn readable(&self) -> Result<(), HistoryError> {
        match lock(&self.kept).disk {
            Disk::IsBroken => Err(self.broken("read")),
            _ => Ok(()),
        }
    }

    async fn write<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> Result<T, HistoryError> {
        let disk = lock(&self.kept).disk;
        match disk {
            Disk::Writes => Ok(act(&mut lock(&self.kept))),
            Disk::IsBroken => Err(self.broken("written")),
            Disk::IsFull => Err(HistoryError {
                place: self.place(),
                doing: "written",
                cause: "no space is left on the device".to_owned(),
            }),
            Disk::Hangs => {
                // Longer than anybody waits.
                tokio::time::sleep(Duration::from_hours(24 * 365)).await;
                Ok(act(&mut lock(&self.kept)))
            }
        }
    }
}

#[async_trait]
impl History for FakeHistory {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn note(&self, record: &RunRecord) -> Result<(), HistoryError> {
        self.write(|kept| {
            if let Some((known, _)) = kept.runs.iter_mut().find(|(known, _)| known.run == record.run) {
                *known = RunRecord {
                    number: known.number,
                    ..record.clone()
                };
            } else {
                kept.last += 1;
                let number = Some(kept.last);
                kept.runs.push((
                    RunRecord {
                        number,
                        ..record.clone()
                    },
                    Vec::new(),
                ));
            }
        })
        .await
    }

    async fn tell(&self, run: &RunId, facts: &[Fact]) -> Result<(), HistoryError> {
        self.write(|kept| {
            if let Some((_, told)) = kept.runs.iter_mut().find(|(known, _)| known.run == *run) {
                for fact in facts {
                    if !told.iter().any(|known| known.seq == fact.seq) {
                        told.push(fact.clone());
                    }
                }
                told.sort_by_key(|fact| fact.seq);
            }
        })
        .await
    }

    async fn run(&self, name: &str) -> Result<Option<RunRecord>, HistoryError> {
        let number = name.parse().ok();
        let is_it = |record: &&RunRecord| record.run.as_str() == name || number.is_some() && record.number == number;
        let kept = lock(&self.kept);
        Ok(kept.runs.iter().map(|(record, _)| record).find(is_it).cloned())
    }

    async fn find(&self, wanted: &RunFilter, limit: u32) -> Result<Vec<RunRecord>, HistoryError> {
        self.readable()?;
        let kept = lock(&self.kept);
        let newest = kept.runs.iter().rev().map(|(record, _)| record);
        let found = newest.filter(|record| wanted.has(record));
        Ok(found.take(limit as usize).cloned().collect())
    }

    async fn open_runs(&self) -> Result<Vec<RunRecord>, HistoryError> {
        let kept = lock(&self.kept);
        let records = kept.runs.iter().map(|(record, _)| record);
        Ok(records.filter(|record| !record.state.is_over()).cloned().collect())
    }

    async fn facts(&self, run: &RunId, after: u64, limit: u32) -> Result<Vec<Fact>, HistoryError> {
        let kept = lock(&self.kept);
        let of_run = kept.runs.iter().filter(|(record, _)| record.run == *run);
        let facts = of_run.flat_map(|(_, facts)| facts).filter(|fact| fact.seq > after);
        Ok(facts.take(limit as usize).cloned().collect())
    }

    async fn last_facts(&self, run: &RunId, wanted: &FactFilter, limit: u32) -> Result<Vec<Fact>, HistoryError> {
        let kept = lock(&self.kept);
        let of_run = kept.runs.iter().filter(|(record, _)| record.run == *run);
        let facts = of_run.flat_map(|(_, facts)| facts);
        let facts: Vec<Fact> = facts.filter(|fact| wanted.has(fact)).cloned().collect();
        let beyond = facts.len().saturating_sub(limit as usize);
        Ok(facts.into_iter().skip(beyond).collect())
    }

    async fn schedules(&self) -> Result<Vec<ScheduleNote>, HistoryError> {
        self.readable()?;
        Ok(lock(&self.kept).schedules.values().cloned().collect())
    }

    async fn switch(&self, job: &str, on: bool, by: &str, at: Timestamp) -> Result<(), HistoryError> {
        self.write(|kept| {
            let note = kept.schedule(job);
            (note.is_on, note.switched_by, note.switched_at) = (on, Some(by.to_owned()), Some(at));
        })
        .await
    }

    async fn handled(&self, job: &str, until: Timestamp) -> Result<(), HistoryError> {
        self.write(|kept| {
            let note = kept.schedule(job);
            note.known_since = note.known_since.or(Some(until));
            note.handled = Some(until);
        })
        .await
    }

    async fn prune(&self, limits: HistoryLimits, now: Timestamp) -> Result<u64, HistoryError> {
        self.write(|kept| {
            let oldest = now - SignedDuration::from_hours(24 * i64::from(limits.days));
            let beyond = kept.runs.len().saturating_sub(limits.runs as usize);
            let newest: Vec<RunId> = kept.runs.iter().skip(beyond).map(|(run, _)| run.run.clone()).collect();
            let before = kept.runs.len();
            kept.runs.retain(|(record, _)| {
                let stays = record.asked_at >= oldest && newest.contains(&record.run);
                stays || !record.state.is_over()
            });
            (before - kept.runs.len()) as u64
        })
        .await
    }
}
