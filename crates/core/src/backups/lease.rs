//! One writer per repository. The lease is an object, `.stillpoint/lease.json`, that is made once and
//! from then on only replaced by whoever knows its last version: of two that try, one succeeds. Whoever
//! holds it renews it; one that was not renewed for longer than its holder promised may be taken over.
//! Its age is told by the repository's own clock, never by comparing two hosts'.
//!
//! Its token grows with every holder. It is renewed immediately before anything that others must be able
//! to rely on, the seal and each deletion: a holder that was frozen and taken over finds that out there,
//! before it does harm, and not after.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Backups, DOCUMENT_LIMIT, document};
use crate::names::{Project, RunId};
use crate::ports::repository::Version;
use crate::ports::{Clock, Key, RepositoryError};

/// How often a lost race for the lease is run again before it counts as held.
const ATTEMPTS: usize = 4;

/// Who holds a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// The platform that it works for.
    pub platform: Project,
    /// Its host.
    pub host: String,
    /// Its process on that host, for people.
    pub process: u32,
    /// Since when, by its own clock.
    pub since: Timestamp,
}

/// `.stillpoint/lease.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    /// Grows with every holder.
    token: u64,
    /// None: free.
    holder: Option<Holder>,
    /// Counts the renewals, so that no two contents are equal.
    renewed: u64,
    /// How long it holds without a renewal.
    seconds: u64,
}

/// Why a repository cannot be written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else writes.
    #[error("is held since {} by run {} of platform {} (process {} on {})", .0.since, .0.run, .0.platform, .0.process, .0.host)]
    Held(Box<Holder>),
    /// We did, and somebody has taken it over since: we had not renewed it in time.
    #[error("was taken over{}, because this run had not renewed its lease in time", by(.0.as_deref()))]
    Lost(Option<Box<Holder>>),
    /// It takes a condition for fulfilled that is not: two writers could not be kept apart.
    #[error(
        "ignores the conditions of a write (If-None-Match, If-Match): two runs that write at the same time could not be kept apart"
    )]
    Careless,
    /// It failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| {
        format!(" by run {} (process {} on {})", holder.run, holder.process, holder.host)
    })
}

/// A repository that is ours to write, for as long as this is renewed.
pub struct Lease {
    backups: Backups,
    clock: Arc<dyn Clock>,
    run: RunId,
    seconds: u64,
    cannot_delete: Option<RepositoryError>,
    state: Mutex<State>,
}

struct State {
    record: Record,
    version: Version,
    lost: Option<LeaseError>,
}

fn key() -> Key {
    Key::product("lease.json")
}

const PROBE: &str = "probe-";

fn probe(run: &RunId) -> Key {
    Key::product(&format!("{PROBE}{run}"))
}

/// Whether this is what somebody tries the repository with.
pub(super) fn is_probe(key: &Key) -> bool {
    key.split().is_some_and(|(_, name)| name.starts_with(PROBE))
}

impl Backups {
    /// Takes the repository for `holder`, who promises to renew within `term`. Fails with
    /// [`LeaseError::Held`] while somebody else's lease is younger than he promised.
    pub async fn lease(&self, clock: Arc<dyn Clock>, holder: Holder, term: Duration) -> Result<Lease, LeaseError> {
        let cannot_delete = self.probe(&holder.run).await?;
        let seconds = term.as_secs().max(1);
        let (record, version) = self.take(&holder, seconds).await?;
        Ok(Lease {
            backups: self.clone(),
            clock,
            run: holder.run,
            seconds,
            cannot_delete,
            state: Mutex::new(State {
                record,
                version,
                lost: None,
            }),
        })
    }

    /// Who holds the repository now, if anybody.
    pub async fn holder(&self) -> Result<Option<Holder>, RepositoryError> {
        match self.read_lease().await? {
            Some((record, _, written)) if !self.expired(&record, written).await? => Ok(record.holder),
            _ => Ok(None),
        }
    }

    /// Frees the lease of a run that is known to be dead. A success also if it held none.
    pub async fn free_lease_of(&self, run: &RunId) -> Result<(), RepositoryError> {
        self.delete_if_it_may_be(&probe(run)).await?;
        match self.read_lease().await? {
            Some((record, version, _)) if holds(&record, run) => {
                match self
                    .repository
                    .replace(&key(), document(&freed(&record)), &version)
                    .await
                {
                    // Somebody has taken it over since.
                    Err(RepositoryError::Changed { .. }) => Ok(()),
                    freed => freed.map(drop),
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether the repository refuses what it must refuse. All of exclusion rests on that. Returns why it deletes nothing,
    /// if it does not: for a key that may only add that is meant so.
    pub async fn probe(&self, run: &RunId) -> Result<Option<RepositoryError>, LeaseError> {
        let key = probe(run);
        let careful = self.refuses(&key).await;
        let deleted = self.repository.delete(&key).await;
        if !careful? {
            return Err(LeaseError::Careless);
        }
        match deleted {
            Err(denied @ RepositoryError::Denied { .. }) => Ok(Some(denied)),
            deleted => Ok(deleted.map(|()| None)?),
        }
    }

    async fn refuses(&self, key: &Key) -> Result<bool, RepositoryError> {
        let first = self.repository.create(key, Bytes::from_static(b"1")).await?;
        match self.repository.create(key, Bytes::from_static(b"2")).await {
            Err(RepositoryError::Exists { .. }) => {}
            created => return created.map(|_| false),
        }
        self.repository.replace(key, Bytes::from_static(b"3"), &first).await?;
        match self.repository.replace(key, Bytes::from_static(b"4"), &first).await {
            Err(RepositoryError::Changed { .. }) => Ok(true),
            replaced => replaced.map(|_| false),
        }
    }

    async fn take(&self, holder: &Holder, seconds: u64) -> Result<(Record, Version), LeaseError> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let found = self.read_lease().await?;
            let taken = match found {
                None => self.make(Record::of(1, holder, seconds)).await,
                Some((record, version, _)) if holds(&record, &holder.run) => Ok((record, version)),
                Some((record, version, written)) => {
                    let expired = self.expired(&record, written).await?;
                    if let (Some(other), false) = (record.holder, expired) {
                        return Err(LeaseError::Held(Box::new(other)));
                    }
                    self.put(Record::of(record.token + 1, holder, seconds), &version).await
                }
            };
            match taken {
                // Another was faster: look who.
                Err(error @ (RepositoryError::Exists { .. } | RepositoryError::Changed { .. })) => last = Some(error),
                taken => return Ok(taken?),
            }
        }
        Err(last.map_or(LeaseError::Lost(None), LeaseError::Repository))
    }

    async fn make(&self, record: Record) -> Result<(Record, Version), RepositoryError> {
        let version = self.repository.create(&key(), document(&record)).await?;
        Ok((record, version))
    }

    async fn put(&self, record: Record, was: &Version) -> Result<(Record, Version), RepositoryError> {
        let version = self.repository.replace(&key(), document(&record), was).await?;
        Ok((record, version))
    }

    async fn read_lease(&self) -> Result<Option<(Record, Version, Timestamp)>, RepositoryError> {
        read(self).await
    }

    /// Both times are the repository's own.
    async fn expired(&self, record: &Record, written: Timestamp) -> Result<bool, RepositoryError> {
        if record.holder.is_none() {
            return Ok(true);
        }
        let age = self.repository.clock().await?.duration_since(written);
        Ok(age.as_secs() > i64::try_from(record.seconds).unwrap_or(i64::MAX))
    }
}

async fn read(backups: &Backups) -> Result<Option<(Record, Version, Timestamp)>, RepositoryError> {
    let found = match backups.read_versioned(&key(), DOCUMENT_LIMIT).await {
        Err(RepositoryError::Missing { .. }) => return Ok(None),
        found => found?,
    };
    let record = serde_json::from_slice(&found.content).map_err(|error| RepositoryError::Failed {
        key: key().to_string(),
        cause: format!("it does not say who writes: {error}; if nobody does, remove it by hand"),
    })?;
    Ok(Some((record, found.version, found.written)))
}

fn holds(record: &Record, run: &RunId) -> bool {
    record.holder.as_ref().is_some_and(|holder| holder.run == *run)
}

fn freed(record: &Record) -> Record {
    Record {
        holder: None,
        renewed: record.renewed + 1,
        ..*record
    }
}

impl Record {
    fn of(token: u64, holder: &Holder, seconds: u64) -> Self {
        Self {
            format: 1,
            token,
            holder: Some(holder.clone()),
            renewed: 0,
            seconds,
        }
    }
}

impl Lease {
    /// Its token: greater than that of everybody who held the repository before.
    pub async fn token(&self) -> u64 {
        self.state.lock().await.record.token
    }

    /// Why nothing can be deleted here, if so.
    pub fn cannot_delete(&self) -> Option<&RepositoryError> {
        self.cannot_delete.as_ref()
    }

    /// Proves that the repository is still ours, and makes it so for another term.
    pub async fn renew(&self) -> Result<(), LeaseError> {
        let mut state = self.state.lock().await;
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        let next = Record {
            renewed: state.record.renewed + 1,
            ..state.record.clone()
        };
        let repository = &self.backups.repository;
        match repository.replace(&key(), document(&next), &state.version).await {
            Ok(version) => {
                (state.record, state.version) = (next, version);
                Ok(())
            }
            Err(RepositoryError::Changed { .. }) => self.look_again(&mut state).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody wrote it: ourselves, where the answer to a renewal was lost, or whoever took it over.
    async fn look_again(&self, state: &mut State) -> Result<(), LeaseError> {
        let found = read(&self.backups).await?;
        match found {
            Some((record, version, _)) if holds(&record, &self.run) && record.token == state.record.token => {
                (state.record, state.version) = (record, version);
                Ok(())
            }
            found => {
                let holder = found.and_then(|(record, ..)| record.holder);
                let lost = LeaseError::Lost(holder.map(Box::new));
                state.lost = Some(lost.clone());
                Err(lost)
            }
        }
    }

    /// Awaits `work` and renews meanwhile; `lost` is cancelled when somebody has taken the lease over.
    /// A renewal that fails otherwise is tried again: until its end the term holds.
    pub async fn keep<T>(&self, lost: &CancellationToken, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let renewals = async {
            loop {
                self.clock.sleep(Duration::from_secs(self.seconds) / 3).await;
                if let Err(LeaseError::Lost(_)) = self.renew().await {
                    lost.cancel();
                    break;
                }
            }
        };
        match select(work.as_mut(), pin!(renewals)).await {
            Either::Left((output, _)) => output,
            Either::Right(((), _)) => work.await,
        }
    }

    /// Why the lease is no longer ours, if it was seen to be so.
    pub async fn lost(&self) -> Option<LeaseError> {
        self.state.lock().await.lost.clone()
    }

    /// Gives the repository free.
    pub async fn release(&self) -> Result<(), RepositoryError> {
        if self.lost().await.is_some() {
            return Ok(());
        }
        self.backups.free_lease_of(&self.run).await
    }
}
