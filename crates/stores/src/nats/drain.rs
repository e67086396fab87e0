//! The drain: one bundle for each account, side by side, out of the spool. Every archive is read along to its
//! end and compared with what the server said when it handed it out, so that no archive is stored that could
//! not be restored. Never here: a question to the server, in which clients write again.

use async_compression::Level;
use async_compression::tokio::bufread::GzipEncoder;
use futures::future::join;
use jiff::Timestamp;
use serde_json::json;
use stillpoint_core::manifest::{Artifact, Inventory};
use stillpoint_core::names::{ArtifactName, StoreName};
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, Drained, StoreError, together};
use tokio::io::{AsyncRead, BufReader, DuplexStream, duplex};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::access::Login;
use super::archive::Counted;
use super::bundle::Bundle;
use super::intake::{hand_on, piece};
use super::limits::{self, DEMANDS, Demand};
use super::pin::{Taken, TakenAccount};
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
    demands: Vec<Demand>,
}

impl NatsStore {
    pub(super) async fn drain_all(
        &self,
        cx: &Cx,
        sink: &Sink,
        accounts: Vec<TakenAccount>,
        version: &str,
        at: Timestamp,
    ) -> Result<Drained, StoreError> {
        let mut all = Drained {
            version: version.to_owned(),
            pinned: at,
            artifacts: Vec::new(),
            inventory: Inventory::default(),
            facts: std::collections::BTreeMap::new(),
        };
        let drain = |account, cx| self.drain_aside(cx, sink, account);
        let (drained, failure) = together(cx, cx.processors, accounts, drain).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut replicas = 1;
        for (artifact, account) in drained {
            let name = fact(FILE_BYTES, artifact.of.as_deref());
            all.facts.insert(name, account.file_bytes.to_string());
            let name = fact(DEMANDS, artifact.of.as_deref());
            all.facts.insert(name, limits::told(&account.demands));
            all.artifacts.push(artifact);
            all.inventory.extend(account.inventory);
            replicas = replicas.max(account.replicas);
        }
        all.facts.insert(REPLICAS.to_owned(), replicas.to_string());
        Ok(all)
    }

    /// In a task of its own: packing and hashing keep a processor busy.
    async fn drain_aside(&self, cx: Cx, sink: &Sink, account: TakenAccount) -> Result<(Artifact, Account), StoreError> {
        let (store, sink) = (self.clone(), sink.clone());
        let draining = async move { store.drain_account(&cx, &sink, account).await };
        let drained = AbortOnDropHandle::new(tokio::spawn(draining.in_current_span())).await;
        drained.unwrap_or_else(|error| Err(bundling(std::io::Error::other(error))))
    }

    async fn drain_account(
        &self,
        cx: &Cx,
        sink: &Sink,
        account: TakenAccount,
    ) -> Result<(Artifact, Account), StoreError> {
        let of = account.login.account.clone();
        let name = artifact_name(&self.name, of.as_deref());
        let write = async |writer: &mut ArtifactWriter| self.bundle(cx, account, writer).await;
        sink.put(&self.name, name, (ACCOUNT, of.as_deref()), write).await
    }

    async fn bundle(&self, cx: &Cx, account: TakenAccount, writer: &mut ArtifactWriter) -> Result<Account, StoreError> {
        let (near, far) = duplex(PIPE);
        let packed = GzipEncoder::with_quality(BufReader::with_capacity(PIPE, far), Level::Fastest);
        let filling = Cx {
            cancel: cx.cancel.child_token(),
            ..cx.clone()
        };
        let pouring = async {
            let poured = pour(cx, packed, writer).await;
            poured.inspect_err(|_| filling.cancel.cancel())
        };
        let (filled, poured) = join(self.fill(&filling, account, near), pouring).await;
        // Where pouring failed, filling failed because of it.
        poured.and(filled)
    }

    async fn fill(&self, cx: &Cx, taken: TakenAccount, to: DuplexStream) -> Result<Account, StoreError> {
        let now = u64::try_from(cx.clock.now().as_second()).unwrap_or(0);
        let mut bundle = cancellable(cx, Bundle::begin(to, now)).await?.map_err(bundling)?;
        let mut account = Account::default();
        for stream in taken.streams {
            self.bundle_up(cx, &taken.login, stream, &mut bundle, &mut account)
                .await?;
        }
        cancellable(cx, bundle.finish()).await?.map_err(bundling)?;
        Ok(account)
    }

    /// Moves a stream from the spool into the bundle.
    async fn bundle_up(
        &self,
        cx: &Cx,
        login: &Login,
        taken: Taken,
        bundle: &mut Bundle<DuplexStream>,
        account: &mut Account,
    ) -> Result<(), StoreError> {
        let Taken {
            stream,
            consumers,
            spooled,
        } = taken;
        let label = login.label(stream.name());
        let what = format!("the snapshot of stream {label}");
        let size = spooled.size;
        let (near, far) = duplex(PIPE);
        let adding = cancellable(cx, bundle.add(&stream, far, size));
        let (counted, added) = join(hand_on(cx, &what, spooled, near), adding).await;
        // Damage ends both, and so does who packs.
        let counted = match (counted, added?) {
            (Err(StoreError::Cancelled) | Ok(_), Err(error)) => return Err(bundling(error)),
            (counted, _) => counted?,
        };
        agrees(&stream, &counted).map_err(|difference| StoreError::Damaged(format!("{what}: {difference}")))?;
        let consumers = self.in_archive(cx, &label, &counted, consumers)?;
        account.add(login, &stream, &counted, &consumers);
        Ok(())
    }

    /// The consumers that are in the archive: those in memory are not, on older servers.
    fn in_archive(
        &self,
        cx: &Cx,
        label: &str,
        counted: &Counted,
        consumers: Vec<Consumer>,
    ) -> Result<Vec<Consumer>, StoreError> {
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
        self.demands.push(Demand::of(&stream));
    }
}

/// Whether an archive holds what the server said it would. Deletions leak into a snapshot that runs;
/// where messages go by themselves there may be fewer, and nowhere may there be more.
fn agrees(stream: &Stream, counted: &Counted) -> Result<(), String> {
    let Some(messages) = counted.messages else {
        return Ok(());
    };
    let (said, found) = (stream.counted("messages"), messages.count);
    let fits = if stream.changes_only_by_clients() {
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
        // What comes out of the spool has a deadline on every piece.
        let read = cancellable(cx, piece(&mut packed)).await?.map_err(bundling)?;
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

fn bundling(error: std::io::Error) -> StoreError {
    StoreError::Server {
        doing: "packing an account's streams".to_owned(),
        cause: error.into(),
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
