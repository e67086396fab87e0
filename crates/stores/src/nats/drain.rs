//! The drain: one bundle for each account, a stream at a time. Each stream goes through the spool,
//! because a tar tells a size before its content and the server does not know it; on its way it is read
//! along to its end and compared with what the server said, so that no archive is stored that could not
//! be restored.

use async_compression::Level;
use async_compression::tokio::bufread::GzipEncoder;
use futures::future::join;
use jiff::Timestamp;
use serde_json::json;
use stillpoint_core::manifest::{Artifact, Inventory};
use stillpoint_core::names::{ArtifactName, StoreName};
use stillpoint_core::ports::store::Drained;
use stillpoint_core::ports::{Cx, StoreError};
use stillpoint_core::sink::{ArtifactWriter, Sink};
use tokio::io::{AsyncRead, BufReader, DuplexStream, duplex};

use super::access::Login;
use super::archive::Counted;
use super::bundle::Bundle;
use super::intake::{Kept, keep, piece};
use super::link::Link;
use super::order::origins_first;
use super::streams::{Consumer, Stream};
use super::{NatsStore, inventory};
use crate::toolbox::{cancellable, guarded};

/// What an artifact of this kind holds.
pub(super) const ACCOUNT: &str = "account";

/// The fact that says how many bytes the files of an account's streams have.
pub(super) const FILE_BYTES: &str = "file bytes";

/// The fact that says how many servers keep a copy of the stream that has the most.
pub(super) const REPLICAS: &str = "replicas";

/// Bytes that may lie between the tar and what packs it.
const PIPE: usize = 256 << 10;

const SUFFIX: &str = ".tar.gz";

/// How often a stream's snapshot is begun because a consumer that nobody used ended in the middle of it.
const ATTEMPTS: u32 = 5;

/// What the server says then (nats-server 2.15: `500 couldn't load consumer 'C' state: store is closed`).
const CONSUMER_ENDED: &str = "couldn't load consumer";

/// The artifact of an account.
pub(super) fn artifact_name(store: &StoreName, account: Option<&str>) -> ArtifactName {
    let account = account.map_or_else(String::new, |account| format!("-{account}"));
    ArtifactName::of(&[&format!("{store}-jetstream{account}{SUFFIX}")])
}

/// What another's artifact of this name holds: the name of its account, where it has one.
pub(super) fn recognise(store: &StoreName, name: &ArtifactName) -> Option<(String, Option<String>)> {
    let rest = name.as_str().strip_prefix(store.as_str())?.strip_prefix("-jetstream")?;
    let account = rest.strip_suffix(SUFFIX)?;
    if account.is_empty() {
        return Some((ACCOUNT.to_owned(), None));
    }
    let account = account
        .strip_prefix('-')
        .filter(|account| !account.is_empty() && !account.contains('/'))?;
    Some((ACCOUNT.to_owned(), Some(stillpoint_core::names::unescape(account)?)))
}

/// An account that was drained.
#[derive(Default)]
struct Account {
    inventory: Inventory,
    file_bytes: u64,
    replicas: u64,
}

impl NatsStore {
    pub(super) async fn drain_all(
        &self,
        cx: &Cx,
        sink: &Sink,
        version: &str,
        at: Timestamp,
    ) -> Result<Drained, StoreError> {
        let mut record = Drained {
            version: version.to_owned(),
            pinned: at,
            artifacts: Vec::new(),
            inventory: Inventory::default(),
            facts: std::collections::BTreeMap::new(),
        };
        let mut replicas = 1;
        for login in &self.access.logins {
            let link = self.open(cx, login).await?;
            let (artifact, account) = Box::pin(self.drain_account(cx, sink, &link)).await?;
            let name = fact(FILE_BYTES, artifact.of.as_deref());
            record.facts.insert(name, account.file_bytes.to_string());
            record.artifacts.push(artifact);
            record.inventory.extend(account.inventory);
            replicas = replicas.max(account.replicas);
        }
        record.facts.insert(REPLICAS.to_owned(), replicas.to_string());
        Ok(record)
    }

    async fn drain_account(&self, cx: &Cx, sink: &Sink, link: &Link) -> Result<(Artifact, Account), StoreError> {
        let of = link.login.account.as_deref();
        let mut writer = sink.create(&self.name, artifact_name(&self.name, of)).await?;
        let (near, far) = duplex(PIPE);
        let packed = GzipEncoder::with_quality(BufReader::new(far), Level::Fastest);
        let filling = Cx {
            cancel: cx.cancel.child_token(),
            ..cx.clone()
        };
        let pouring = async {
            let poured = pour(cx, packed, &mut writer).await;
            poured.inspect_err(|_| filling.cancel.cancel())
        };
        let (filled, poured) = join(self.fill(&filling, link, near), pouring).await;
        // Where pouring failed, filling failed because of it.
        match poured.and(filled) {
            Ok(account) => Ok((writer.commit(ACCOUNT, of).await?, account)),
            Err(error) => {
                writer.abort(&cx.report).await;
                Err(error)
            }
        }
    }

    async fn fill(&self, cx: &Cx, link: &Link, to: DuplexStream) -> Result<Account, StoreError> {
        let now = u64::try_from(cx.clock.now().as_second()).unwrap_or(0);
        let mut bundle = cancellable(cx, Bundle::begin(to, now))
            .await?
            .map_err(|error| bundling(&error))?;
        let mut account = Account::default();
        for stream in origins_first(link.streams(cx).await?) {
            let Some((stream, kept)) = self.take(cx, link, &stream).await? else {
                continue;
            };
            let consumers = link.consumers(cx, stream.name()).await?;
            let consumers = self.in_archive(cx, link, &stream, &kept.counted, consumers)?;
            account.add(&link.login, &stream, &kept.counted, &consumers);
            cancellable(cx, bundle.add(&stream, kept))
                .await?
                .map_err(|error| bundling(&error))?;
        }
        cancellable(cx, bundle.finish())
            .await?
            .map_err(|error| bundling(&error))?;
        Ok(account)
    }

    /// The stream's snapshot in the spool; none of a stream in memory that the server cannot hand out.
    async fn take(&self, cx: &Cx, link: &Link, stream: &Stream) -> Result<Option<(Stream, Kept)>, StoreError> {
        for _ in 1..ATTEMPTS {
            match self.try_take(cx, link, stream).await {
                Err(StoreError::Server { cause, .. }) if cause.contains(CONSUMER_ENDED) => {}
                taken => return taken,
            }
        }
        self.try_take(cx, link, stream).await
    }

    async fn try_take(&self, cx: &Cx, link: &Link, stream: &Stream) -> Result<Option<(Stream, Kept)>, StoreError> {
        let name = stream.name();
        let (described, mut snapshot) = match link.snapshot(cx, name).await? {
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
        let what = format!("the snapshot of stream {}", link.login.label(name));
        let kept = keep(cx, &what, &mut snapshot).await?;
        agrees(&described, &kept.counted).map_err(|difference| StoreError::Damaged(format!("{what}: {difference}")))?;
        Ok(Some((described, kept)))
    }

    /// The consumers that are in the archive: those in memory are not, on older servers.
    fn in_archive(
        &self,
        cx: &Cx,
        link: &Link,
        stream: &Stream,
        counted: &Counted,
        consumers: Vec<Consumer>,
    ) -> Result<Vec<Consumer>, StoreError> {
        let label = link.login.label(stream.name());
        let (there, lost): (Vec<_>, Vec<_>) = consumers
            .into_iter()
            .partition(|consumer| counted.consumers.contains(&consumer.name));
        for consumer in lost {
            let what = format!(
                "consumer {} of stream {label} is not in what the server handed out",
                consumer.name
            );
            if !consumer.in_memory {
                return Err(StoreError::Damaged(what));
            }
            cx.report.warn(format!("{}: {what}: it is kept in memory", self.name));
        }
        Ok(there)
    }
}

impl Account {
    fn add(&mut self, login: &Login, stream: &Stream, counted: &Counted, consumers: &[Consumer]) {
        let mut stream = stream.clone();
        if let Some(messages) = counted.messages {
            stream.state["messages"] = json!(messages.count);
        }
        self.inventory.extend(inventory::count(login, &stream, consumers));
        if !stream.in_memory() {
            self.file_bytes += stream.counted("bytes");
        }
        self.replicas = self.replicas.max(stream.replicas());
    }
}

/// Whether an archive holds what the server said it would. Deletions leak into a snapshot that runs;
/// where messages go by themselves there may be fewer, and nowhere may there be more.
fn agrees(stream: &Stream, counted: &Counted) -> Result<(), String> {
    let Some(messages) = counted.messages else {
        return Ok(());
    };
    let (said, found) = (stream.counted("messages"), messages.count);
    let fits = if stream.holds_still() {
        found == said
    } else {
        found <= said
    };
    if !fits {
        return Err(format!("{found} messages, of {said} that the server told"));
    }
    if messages.given != stream.counted("last_seq") {
        let said = stream.counted("last_seq");
        return Err(format!(
            "its last sequence is {}, not {said} as the server told",
            messages.given
        ));
    }
    Ok(())
}

/// Moves what is packed into the repository.
async fn pour(
    cx: &Cx,
    mut packed: impl AsyncRead + Send + Unpin,
    writer: &mut ArtifactWriter,
) -> Result<(), StoreError> {
    loop {
        // A stream that is on its way into the spool gives nothing to pack for as long as it is large:
        // whoever brings it has a deadline on every piece.
        let read = cancellable(cx, piece(&mut packed))
            .await?
            .map_err(|error| bundling(&error))?;
        let Some(bytes) = read else {
            return Ok(());
        };
        guarded(cx, "writing to the repository", writer.write(bytes)).await??;
    }
}

/// A fact about an account.
pub(super) fn fact(what: &str, account: Option<&str>) -> String {
    match account {
        Some(account) => format!("{what} of {account}"),
        None => what.to_owned(),
    }
}

fn bundling(error: &std::io::Error) -> StoreError {
    StoreError::Server {
        doing: "packing an account's streams".to_owned(),
        cause: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_named_after_store_and_account() {
        let store = StoreName::new("nats");
        let known = |account| recognise(&store, &artifact_name(&store, account));
        assert_eq!(artifact_name(&store, None).as_str(), "nats-jetstream.tar.gz");
        assert_eq!(
            artifact_name(&store, Some("A b")).as_str(),
            "nats-jetstream-A%20b.tar.gz"
        );
        assert_eq!(known(None), Some((ACCOUNT.into(), None)));
        assert_eq!(known(Some("A b")), Some((ACCOUNT.into(), Some("A b".into()))));
    }

    #[test]
    fn what_is_none_of_ours_is_not_taken_for_it() {
        for name in [
            "nats-jetstream-.tar.gz",
            "nats-jetstream.tar",
            "nats-jetstreamX.tar.gz",
            "other-jetstream.tar.gz",
            "nats/jetstream.tar.gz",
            "nats-jetstream-a/b.tar.gz",
            "valkey.rdb",
        ] {
            let name = ArtifactName::try_from(name.to_owned()).unwrap();
            assert_eq!(recognise(&StoreName::new("nats"), &name), None, "{name}");
        }
    }
}
