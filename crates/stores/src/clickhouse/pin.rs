//! The pin: the server is told to back up by itself, and its point in time is fixed when it has planned what to copy. The drain: the
//! copying, while clients work.
//!
//! Never here: leaving a BACKUP at work in the server, or what it has written, when something failed.

use std::time::Duration;

use async_trait::async_trait;
use futures::try_join;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use stillpoint_core::manifest::Inventory;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::Overdue;
use stillpoint_core::ports::gateway::Recorded;
use stillpoint_core::sink::{Delegated, Sink};
use stillpoint_core::stores::{Cx, Drained, Pinned, StoreError};

use super::ClickhouseStore;
use super::facts::Facts;
use super::inventory::at_the_pin;
use super::job::{Job, State, Watch, What};
use super::left_out::not_in_backup;
use super::session::Session;
use super::sql::elements;
use super::tables::held;

/// How long planning may take: the clients wait for it.
const PLANS: Duration = Duration::from_mins(5);

/// The file with which a backup is complete.
const LAST: &str = "/.backup";

/// A server at its backup.
struct Pin {
    store: ClickhouseStore,
    cx: Cx,
    pinned: Timestamp,
    inventory: Inventory,
    facts: Facts,
    work: Option<Work>,
}

/// What is at work: none of it where there is nothing to back up.
struct Work {
    delegated: Delegated,
    job: Option<Job>,
    /// What the server has to copy, in bytes.
    bytes: u64,
}

impl Work {
    /// Ends it and removes what was written.
    async fn give_up(self, store: &ClickhouseStore, cx: &Cx) {
        if let Some(job) = &self.job {
            job.end(store, cx).await;
        }
        self.delegated.give_up().await;
    }
}

/// The folder of a backup of this moment: the layout's name for it.
fn folder(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("backup_%Y_%m_%d_%H_%M_%S")
        .to_string()
}

impl ClickhouseStore {
    pub(super) async fn begin_backup(&self, cx: &Cx, sink: &Sink) -> Result<Box<dyn Pinned>, StoreError> {
        let session = self.open(cx).await?;
        let pinned = cx.clock.now();
        let mut facts = self.facts(&session).await?;
        let folder = folder(sink.backup().timestamp());
        facts.prefix = format!("{}/{folder}", self.name);
        let before = self.count(&session, &facts.databases).await?;
        let delegated = sink
            .delegate(&*cx.gateway, &self.name, &self.workload, &facts.prefix)
            .await?;
        let mut work = Work {
            delegated,
            job: None,
            bytes: 0,
        };
        let planned = async {
            self.plan(&session, &facts, &mut work).await?;
            self.count(&session, &facts.databases).await
        };
        match planned.await {
            Ok(after) => Ok(Box::new(Pin {
                store: self.clone(),
                cx: cx.clone(),
                pinned,
                inventory: at_the_pin(&before, &after),
                facts,
                work: Some(work),
            })),
            Err(error) => {
                work.give_up(self, cx).await;
                Err(error)
            }
        }
    }

    /// Begins the backup and waits until what it copies is settled: from then on the server holds those parts, whatever becomes of
    /// their tables.
    async fn plan(&self, session: &Session<'_>, facts: &Facts, work: &mut Work) -> Result<(), StoreError> {
        let elements = elements(&facts.databases, &facts.system_tables);
        if elements.is_empty() {
            return Ok(());
        }
        let cx = session.cx;
        let job = Job::begin(self, session, What::Backup, &elements, work.delegated.access(), "").await?;
        let job = work.job.insert(job);
        let began = cx.clock.elapsed();
        loop {
            let state = job.state(self, session).await?;
            if state.files > 0 || state.is_done() {
                work.bytes = state.bytes;
                return Ok(());
            }
            if cx.clock.elapsed().saturating_sub(began) > PLANS {
                return Err(Overdue {
                    what: format!("{} planning its BACKUP", self.name),
                    limit: PLANS,
                }
                .into());
            }
            Job::wait_shortly(cx).await?;
        }
    }

    /// What a backup holds, and what it does not.
    pub(super) async fn facts(&self, session: &Session<'_>) -> Result<Facts, StoreError> {
        let databases = self.databases(session).await?;
        let held = held(&databases);
        let (tables, extras, functions, version) = try_join!(
            self.tables(session, &held),
            self.extras(session),
            self.functions(session),
            self.version(session)
        )?;
        Ok(Facts {
            version,
            prefix: String::new(),
            not_in_backup: not_in_backup(&databases, &tables, &extras),
            functions,
            databases: held,
            system_tables: extras.backed,
        })
    }
}

impl Pin {
    /// Waits for the end of the backup, and returns what the server says then.
    async fn copy(&self, cx: &Cx, work: &Work) -> Result<State, StoreError> {
        let Some(job) = &work.job else {
            return Ok(State::default());
        };
        let session = self.store.open(cx).await?;
        let mut watch = Watch::new(cx);
        let artifact = ArtifactName::of(&[self.store.name.as_str()]);
        let mut meter = cx.report.meter(self.store.name.clone(), artifact, Some(work.bytes));
        let mut tell = || {
            let received = work.delegated.received();
            let more = received.saturating_sub(meter.bytes());
            if more > 0 {
                meter.add(usize::try_from(more).unwrap_or(usize::MAX));
            }
            received
        };
        loop {
            let received = tell();
            Job::wait(cx).await?;
            let state = job.state(&self.store, &session).await?;
            if state.is_done() {
                tell();
                return Ok(state);
            }
            let what = format!("the BACKUP of {}", self.store.name);
            watch.must_move(cx, &what, received.saturating_add(state.moved))?;
        }
    }

    fn must_be_whole(&self, said: &State, has_job: bool, objects: &[Recorded]) -> Result<(), StoreError> {
        match incomplete(&self.facts.prefix, said, has_job, objects) {
            None => Ok(()),
            Some(why) => Err(self.store.unfit(&format!("its BACKUP is not whole: {why}"))),
        }
    }
}

/// Why what was received is not what the server says that it has written; none if it may be.
fn incomplete(prefix: &str, said: &State, has_job: bool, objects: &[Recorded]) -> Option<String> {
    if !has_job {
        return None;
    }
    let last = format!("{prefix}{LAST}");
    if !objects.iter().any(|object| object.name == last) {
        return Some(format!("{last} was not written"));
    }
    let bytes: u64 = objects.iter().map(|object| object.size).sum();
    (bytes < said.written).then(|| format!("{bytes} bytes were received, and it has written {}", said.written))
}

#[async_trait]
impl Pinned for Pin {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, _sink: &Sink) -> Result<Drained, StoreError> {
        // Held until it has ended: whoever drops this call still finds it.
        let copied = match &self.work {
            Some(work) => async { self.copy(cx, work).await.map(|state| (state, work.job.is_some())) }.await,
            None => Err(self.store.unfit("its backup was given up")),
        };
        let (work, (said, has_job)) = match (self.work.take(), copied) {
            (Some(work), Ok(said)) => (work, said),
            (Some(work), Err(error)) => {
                work.give_up(&self.store, cx).await;
                return Err(error);
            }
            (None, copied) => return Err(copied.err().unwrap_or(StoreError::Cancelled)),
        };
        let objects = work.delegated.record().await?;
        self.must_be_whole(&said, has_job, &objects)?;
        Ok(Drained {
            version: self.facts.version.clone(),
            pinned: self.pinned,
            artifacts: Vec::new(),
            inventory: self.inventory.clone(),
            facts: self.facts.told(),
        })
    }

    async fn release(&mut self) {
        if let Some(work) = self.work.take() {
            work.give_up(&self.store, &self.cx).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_called_after_its_moment() {
        let at: Timestamp = "2026-02-17T00:00:00Z".parse().unwrap();
        assert_eq!(folder(at), "backup_2026_02_17_00_00_00");
    }

    #[test]
    fn a_backup_that_is_not_whole_is_known() {
        let object = |name: &str, size| Recorded {
            name: name.into(),
            size,
            sha256: String::new(),
        };
        let said = State {
            written: 10,
            ..State::default()
        };
        let whole = [object("c/b/.backup", 6), object("c/b/data/a.bin", 4)];
        assert_eq!(incomplete("c/b", &said, true, &whole), None);
        let without = incomplete("c/b", &said, true, &whole[1..]);
        assert!(without.unwrap().contains("c/b/.backup was not written"));
        assert!(incomplete("c/b", &said, true, &whole[..1]).unwrap().contains("6 bytes"));
        assert_eq!(incomplete("c/b", &said, false, &[]), None);
    }
}
