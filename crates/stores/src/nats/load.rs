//! The restore: every archive is read to its end before the first stream is deleted, then each stream is
//! replaced on its own, origins before what copies from them. The server takes no second stream of the
//! same subjects, so the old one has to go first; what is in its way is known before that.
//!
//! May be repeated after a death at any point: what is half there is deleted and made again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use stillpoint_core::backups::Artifacts;
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::stores::{Copied, Cx, Footing, Source, Staged, StoreError};
use tokio_util::sync::CancellationToken;

use super::NatsStore;
use super::access::Login;
use super::archive::{Counted, ENTRIES_SINCE, Format};
use super::bundle::{Found, Member, Reading};
use super::intake::{Kept, keep};
use super::inventory::{called, is_counted};
use super::limits::Demand;
use super::link::{Link, NO_STREAM};
use super::order::is_ready;
use super::rivals::{Rival, in_the_way};
use super::sources::go_on;
use super::streams::Stream;
use super::version::numbers;

/// How long the deletion of what a broken restore left may take: also a cancelled call ends within ten
/// seconds.
const CLEAN_UP: Duration = Duration::from_secs(4);

/// An account whose archives are whole and fit.
struct Ready<'a> {
    login: &'a Login,
    artifact: &'a Artifact,
    /// What is to be made, by its name.
    found: BTreeMap<String, Found>,
    /// What stays, and has to give up subjects.
    rivals: Vec<Rival>,
}

/// How far an account has come, for whoever has to say what is gone.
#[derive(Default)]
struct Progress {
    /// Not made yet.
    missing: BTreeSet<String>,
    /// Deleted, and not made yet.
    gone: BTreeSet<String>,
    /// Made.
    made: Vec<String>,
}

/// A restore of one server.
pub(super) struct Load {
    store: NatsStore,
    source: Source,
}

impl Load {
    pub(super) fn new(store: &NatsStore, source: Source) -> Self {
        let store = store.clone();
        Self { store, source }
    }
}

#[async_trait]
impl Staged for Load {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Running]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        let Source { record, artifacts, .. } = &self.source;
        self.store.replace_all(cx, record, artifacts).await
    }
}

impl NatsStore {
    async fn replace_all(&self, cx: &Cx, record: &StoreRecord, artifacts: &Artifacts) -> Result<(), StoreError> {
        let mut ready = Vec::new();
        for (login, artifact) in self.pairs(record)? {
            let found = self.look_into(cx, record, artifact, artifacts).await?;
            ready.push(self.prepare(cx, record, login, artifact, found).await?);
        }
        for account in &ready {
            Box::pin(self.replace_account(cx, account, artifacts)).await?;
        }
        Ok(())
    }

    /// Everything that could stop a restore half-way, while all old streams are still there.
    async fn prepare<'a>(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        login: &'a Login,
        artifact: &'a Artifact,
        found: Vec<Found>,
    ) -> Result<Ready<'a>, StoreError> {
        let link = self.open(cx, login).await?;
        self.new_enough(&link.version(), &record.version)?;
        self.reads(&link, &found)?;
        self.takes_largest(&link, &found)?;
        let found: BTreeMap<String, Found> = found
            .into_iter()
            .map(|found| (found.stream.name().to_owned(), self.fitted(cx, &link, found)))
            .collect();
        let live = link.streams(cx).await?;
        let staying = live.into_iter().filter(|stream| !found.contains_key(stream.name()));
        let mut rivals = Vec::new();
        for stream in staying {
            let label = login.label(stream.name());
            cx.report.warn(format!(
                "{}: stream {label} is not in the backup and stays as it is",
                self.name
            ));
            rivals.extend(Rival::of(stream, &found));
        }
        let files = found.values().filter(|found| !found.stream.in_memory());
        let needed = files.map(|found| found.stream.counted("bytes")).sum();
        self.has_room(cx, &link, needed, &|name| found.contains_key(name))
            .await?;
        let demands: Vec<Demand> = found.values().map(|found| Demand::of(&found.stream)).collect();
        self.must_take(cx, &link, &demands).await?;
        Ok(Ready {
            login,
            artifact,
            found,
            rivals,
        })
    }

    /// Servers before 2.15 do not read the newer format.
    fn reads(&self, link: &Link, found: &[Found]) -> Result<(), StoreError> {
        let old = numbers(&link.version()).is_some_and(|version| version < ENTRIES_SINCE);
        let newer = found.iter().find(|found| found.counted.format == Format::Entries);
        match newer.filter(|_| old) {
            None => Ok(()),
            Some(found) => Err(StoreError::Unfit(format!(
                "{}: the archive of stream {} was made by a server of 2.15 or later, and {} cannot read it",
                self.name,
                found.stream.name(),
                link.version()
            ))),
        }
    }

    /// A message that is larger than the server, or the stream's own configuration, allows was written before
    /// the limit was lowered: a server restores up to it and then refuses.
    fn takes_largest(&self, link: &Link, found: &[Found]) -> Result<(), StoreError> {
        let of_server = link.largest_message() as u64;
        for one in found {
            let (stream, messages) = (&one.stream, one.counted.messages.unwrap_or_default());
            let limit = stream.largest_message().map_or(of_server, |limit| limit.min(of_server));
            if messages.largest > limit {
                return Err(StoreError::Unfit(format!(
                    "{}: stream {} holds a message of {} bytes, and its limit is {limit} (`max_payload` of the server, \
                     `max_msg_size` of the stream): raise the server's; a stream's own is raised in its backup.json, by hand",
                    self.name,
                    link.login.label(stream.name()),
                    messages.largest
                )));
            }
        }
        Ok(())
    }

    /// A stream as this server can take it.
    fn fitted(&self, cx: &Cx, link: &Link, mut found: Found) -> Found {
        let replicas = found.stream.replicas();
        if replicas > 1 && !link.clustered() {
            let label = link.login.label(found.stream.name());
            cx.report.warn(format!(
                "{}: stream {label} had {replicas} replicas and is restored with one",
                self.name
            ));
            found.stream.config["num_replicas"] = json!(1);
        }
        let going_on = go_on(&mut found.stream, &found.counted.copied);
        if !going_on.is_empty() {
            let label = link.login.label(found.stream.name());
            cx.report.warn(format!(
                "{}: stream {label} goes on copying from {} (`opt_start_seq` of its sources): from an origin that is made \
                 anew it would copy everything again",
                self.name,
                going_on.join(", ")
            ));
        }
        found
    }

    async fn replace_account(&self, cx: &Cx, account: &Ready<'_>, artifacts: &Artifacts) -> Result<(), StoreError> {
        for rival in &account.rivals {
            self.push_aside(cx, account.login, rival).await?;
        }
        let mut progress = Progress {
            missing: account.found.keys().cloned().collect(),
            ..Progress::default()
        };
        let replaced = Box::pin(self.replace_streams(cx, account, artifacts, &mut progress)).await;
        replaced.map_err(|error| progress.tell(account.login, error))
    }

    /// In one pass where the bundle has origins first, as ours have; else in as many as it takes.
    async fn replace_streams(
        &self,
        cx: &Cx,
        account: &Ready<'_>,
        artifacts: &Artifacts,
        progress: &mut Progress,
    ) -> Result<(), StoreError> {
        let mut in_a_circle = false;
        while !progress.missing.is_empty() {
            let before = progress.missing.len();
            let mut folders = BTreeMap::new();
            let mut reading = Reading::open(&self.name, account.artifact, artifacts).await?;
            while let Some(member) = reading.next(cx).await? {
                let (folder, mut pieces) = match member {
                    Member::Description { folder, stream } => {
                        folders.insert(folder, stream.name().to_owned());
                        continue;
                    }
                    Member::Archive { folder, pieces } => (folder, pieces),
                };
                let name = folders.get(&folder).cloned().unwrap_or(folder);
                let Some(found) = account.found.get(&name).filter(|_| progress.missing.contains(&name)) else {
                    continue;
                };
                if in_a_circle || is_ready(&found.stream, &progress.missing) {
                    let what = format!("the archive of stream {}", account.login.label(&name));
                    let kept = keep(cx, &what, &mut *pieces).await?;
                    self.replace(cx, account, found, kept, progress).await?;
                }
            }
            reading.end(cx).await?;
            in_a_circle = progress.missing.len() == before;
        }
        Ok(())
    }

    /// Replaces one stream, whose archive lies whole in the spool.
    async fn replace(
        &self,
        cx: &Cx,
        account: &Ready<'_>,
        found: &Found,
        kept: Kept,
        progress: &mut Progress,
    ) -> Result<(), StoreError> {
        let link = self.open(cx, account.login).await?;
        let name = found.stream.name();
        for old in link.streams(cx).await? {
            let rival = progress.missing.contains(old.name()) && in_the_way(&found.stream, &old);
            if old.name() == name || rival {
                progress.gone.insert(old.name().to_owned());
                link.delete(cx, old.name()).await?;
            }
        }
        progress.gone.insert(name.to_owned());
        let counted = kept.counted.clone();
        let made = link.upload(cx, &found.stream, kept).await;
        drop(link);
        if let Err(error) = made.and_then(|made| arrived(&found.stream, &counted, &made)) {
            self.remove_part(cx, account.login, name).await;
            return Err(error);
        }
        progress.gone.remove(name);
        progress.missing.remove(name);
        progress.made.push(name.to_owned());
        Ok(())
    }

    /// Deletes what a restore that failed has left: the server keeps half a stream.
    async fn remove_part(&self, cx: &Cx, login: &Login, name: &str) {
        let cx = Cx {
            cancel: CancellationToken::new(),
            idle_limit: CLEAN_UP,
            ..cx.clone()
        };
        let removed = async { self.open(&cx, login).await?.delete(&cx, name).await };
        if let Err(error) = removed.await {
            let label = login.label(name);
            cx.report
                .warn(format!("{}: a part of stream {label} may be left: {error}", self.name));
        }
    }
}

#[async_trait]
impl Copied for NatsStore {
    async fn keep_only(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError> {
        for (login, artifact) in self.pairs(record)? {
            let called = called(login, artifact.of.as_deref());
            let link = self.open(cx, login).await?;
            for stream in link.streams(cx).await? {
                if !is_counted(&record.inventory, &called, stream.name()) {
                    link.delete(cx, stream.name()).await?;
                }
            }
        }
        Ok(())
    }
}

impl Link {
    /// Deletes a stream; a success also when there is none.
    async fn delete(&self, cx: &Cx, name: &str) -> Result<(), StoreError> {
        let doing = format!("deleting stream {name}");
        match self
            .try_ask(cx, &doing, &format!("STREAM.DELETE.{name}"), &json!({}))
            .await?
        {
            Err(refusal) if refusal.code != NO_STREAM => Err(self.refused(&doing, &refusal)),
            _ => Ok(()),
        }
    }
}

impl Progress {
    /// The error with what it means for the streams.
    fn tell(&self, login: &Login, error: StoreError) -> StoreError {
        if self.gone.is_empty() && self.made.is_empty() || matches!(error, StoreError::Cancelled) {
            return error;
        }
        let listed =
            |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
        let label = |name: &String| login.label(name);
        let untouched = self.missing.difference(&self.gone).map(label).collect();
        let parts = [
            listed("gone and not restored", self.gone.iter().map(label).collect()),
            listed("restored", self.made.iter().map(label).collect()),
            listed("as before", untouched),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        StoreError::Server {
            doing: error.to_string(),
            cause: format!("streams {}", parts.join("; ")).into(),
        }
    }
}

/// Whether the server made what the archive holds. What goes by age may have gone already, and what the
/// server copies may have come.
fn arrived(stream: &Stream, counted: &Counted, made: &Stream) -> Result<(), StoreError> {
    let Some(messages) = counted.messages else {
        return Ok(());
    };
    let (count, last) = (made.counted("messages"), made.counted("last_seq"));
    let fits = if stream.changes_only_by_clients() {
        count == messages.count && last == messages.given && (count == 0 || made.counted("first_seq") == messages.first)
    } else {
        stream.copies() || count <= messages.count
    };
    if fits {
        return Ok(());
    }
    Err(StoreError::Server {
        doing: format!("restoring stream {}", stream.name()),
        cause: format!(
            "the server made {count} messages up to sequence {last} of {} up to {}",
            messages.count, messages.given
        )
        .into(),
    })
}

#[cfg(test)]
mod tests;
