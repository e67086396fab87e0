//! The pin: the snapshot of every stream of every account, laid into the spool as fast as the server control
//! it out. JetStream has no point in time of its own: what is deleted while a snapshot runs is missing from it.
//! So all snapshots are taken here, while nobody writes, and from then on nobody asks the server for anything.
//!
//! A snapshot can be begun again only here. So what the server says of it is checked here: that it ended well,
//! and that no chunk was lost. Whether an archive is whole costs reading it along, and is found while it is
//! drained. Never here: unpacking, counting, hashing.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::ports::SpoolError;
use stillpoint_core::sink::Sink;
use stillpoint_core::stores::{Cx, Drained, Pinned, StoreError, together};

use super::NatsStore;
use super::access::Login;
use super::intake::{Spooled, write_to_spool};
use super::link::Link;
use super::order::origins_first;
use super::snapshot::IN_FLIGHT;
use super::streams::{Consumer, Stream};
use super::version::packs_whole_blocks;

/// So many streams are taken at once: small ones are round trips, and large ones wait for each other's chunks.
const AT_ONCE: usize = 4;

/// How often a stream's snapshot is begun because a consumer that nobody used ended in the middle of it.
const ATTEMPTS: u32 = 5;

/// What the server says then (nats-server 2.15: `500 couldn't load consumer 'C' state: store is closed`).
const CONSUMER_ENDED: &str = "couldn't load consumer";

/// A stream that lies in the spool.
pub(super) struct Taken {
    /// As the server described it when it began to hand it out.
    pub(super) stream: Stream,
    pub(super) consumers: Vec<Consumer>,
    pub(super) spooled: Spooled,
}

/// An account whose streams lie in the spool, origins first.
pub(super) struct TakenAccount {
    pub(super) login: Login,
    pub(super) streams: Vec<Taken>,
}

/// A server of which nothing is needed any more.
pub(super) struct PinnedServer {
    store: NatsStore,
    version: String,
    at: Timestamp,
    accounts: Vec<TakenAccount>,
}

impl NatsStore {
    pub(super) async fn hold(&self, cx: &Cx) -> Result<Box<dyn Pinned>, StoreError> {
        let mut version = String::new();
        let mut accounts = Vec::new();
        for login in &self.access.logins {
            let link = self.open(cx, login).await?;
            version = link.version();
            let streams = origins_first(link.streams(cx).await?);
            accounts.push((Arc::new(link), streams));
        }
        self.must_fit(cx, &version, &accounts).await?;
        let accounts = self.take_all(cx, accounts).await?;
        Ok(Box::new(PinnedServer {
            store: self.clone(),
            version,
            at: cx.clock.now(),
            accounts,
        }))
    }

    /// Streams have grown since the preflight, and others have filled the disk.
    async fn must_fit(&self, cx: &Cx, version: &str, accounts: &[(Arc<Link>, Vec<Stream>)]) -> Result<(), StoreError> {
        let blocks = packs_whole_blocks(version);
        let streams = accounts.iter().flat_map(|(_, streams)| streams);
        let needed: u64 = streams.map(|stream| stream.largest_archive(blocks)).sum();
        let room = cx.spool.room().await?;
        if needed <= room {
            return Ok(());
        }
        Err(StoreError::Spool(SpoolError {
            place: cx.spool.place(),
            cause: format!(
                "has room for {room} bytes, and the streams of {} need {needed}",
                self.name
            ),
        }))
    }

    /// The largest first: they decide how long it takes.
    async fn take_all(
        &self,
        cx: &Cx,
        accounts: Vec<(Arc<Link>, Vec<Stream>)>,
    ) -> Result<Vec<TakenAccount>, StoreError> {
        let mut jobs = Vec::new();
        for (account, (link, streams)) in accounts.iter().enumerate() {
            for (place, stream) in streams.iter().enumerate() {
                jobs.push(((account, place), link.clone(), stream.clone()));
            }
        }
        jobs.sort_by_key(|(_, _, stream)| std::cmp::Reverse(stream.counted("bytes")));
        let at_once = jobs.len().clamp(1, AT_ONCE);
        let take = |(place, link, stream): (_, Arc<Link>, Stream), cx: Cx| async move {
            let taken = self.take(&cx, &link, &stream, IN_FLIGHT / at_once).await?;
            Ok((place, taken))
        };
        let (mut taken, failure) = together(cx, at_once, jobs, take).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        taken.sort_by_key(|(place, _)| *place);
        let mut all: Vec<TakenAccount> = accounts
            .into_iter()
            .map(|(link, _)| TakenAccount {
                login: link.login.clone(),
                streams: Vec::new(),
            })
            .collect();
        for ((account, _), taken) in taken {
            all[account].streams.extend(taken);
        }
        Ok(all)
    }

    /// The stream's snapshot in the spool; none of a stream in memory that the server cannot hand out.
    async fn take(&self, cx: &Cx, link: &Link, stream: &Stream, in_flight: usize) -> Result<Option<Taken>, StoreError> {
        for _ in 1..ATTEMPTS {
            match self.try_take(cx, link, stream, in_flight).await {
                Err(StoreError::Server { cause, .. }) if cause.to_string().contains(CONSUMER_ENDED) => {}
                taken => return taken,
            }
        }
        self.try_take(cx, link, stream, in_flight).await
    }

    async fn try_take(
        &self,
        cx: &Cx,
        link: &Link,
        stream: &Stream,
        in_flight: usize,
    ) -> Result<Option<Taken>, StoreError> {
        let name = stream.name();
        let (described, mut snapshot) = match link.snapshot(cx, name, in_flight).await? {
            Ok(begun) => begun,
            Err(refusal) if stream.in_memory() => {
                let label = link.login.label(name);
                let what = format!(
                    "{}: stream {label} is kept in memory and is NOT in the backup",
                    self.name
                );
                cx.report
                    .warn(format!("{what}: the server does not hand it out ({})", refusal.words));
                return Ok(None);
            }
            Err(refusal) => return Err(link.refused(&format!("the snapshot of stream {name}"), &refusal)),
        };
        let spooled = write_to_spool(cx, &mut snapshot).await?;
        let consumers = link.consumers(cx, name).await?;
        Ok(Some(Taken {
            stream: described,
            consumers,
            spooled,
        }))
    }
}

#[async_trait]
impl Pinned for PinnedServer {
    fn needs_standstill(&self) -> bool {
        false
    }

    async fn drain(&mut self, cx: &Cx, sink: &Sink) -> Result<Drained, StoreError> {
        let accounts = std::mem::take(&mut self.accounts);
        self.store.drain_all(cx, sink, accounts, &self.version, self.at).await
    }

    async fn release(&mut self) {
        self.accounts.clear();
    }
}
