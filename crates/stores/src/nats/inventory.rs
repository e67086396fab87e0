//! What can be counted: messages, bytes and sequences of every stream, the position of every consumer.
//! Exact is what only clients change. What goes by age, what the server copies by itself, and
//! consumers that it removes when they are idle are estimates: after a restore they may well differ.

use stillpoint_core::manifest::{Count, Inventory, StoreRecord};
use stillpoint_core::stores::{Cx, StoreError};

use super::NatsStore;
use super::access::Login;
use super::link::Link;
use super::streams::{Consumer, Stream};

/// Counts a stream with its consumers.
pub(super) fn count(login: &Login, stream: &Stream, consumers: &[Consumer]) -> Inventory {
    let mut inventory = Inventory::default();
    let label = login.label(stream.name());
    let still = stream.changes_only_by_clients();
    let mut add = |what: String, count: u64, exact: bool| {
        inventory.0.insert(what, Count { count, exact });
    };
    add(format!("{label}: messages"), stream.counted("messages"), still);
    add(format!("{label}: bytes"), stream.counted("bytes"), still);
    // Where nothing was ever written a new stream says 0 and a restored one 1 (nats-server 2.15).
    let begun = stream.counted("last_seq") > 0;
    add(
        format!("{label}: first sequence"),
        stream.counted("first_seq"),
        still && begun,
    );
    add(
        format!("{label}: last sequence"),
        stream.counted("last_seq"),
        !stream.copies() && !stream.is_marked(),
    );
    add(format!("{label}: consumers"), consumers.len() as u64, true);
    for consumer in consumers {
        let name = &consumer.name;
        let counts = [
            ("delivered up to", consumer.delivered.1),
            ("acknowledged up to", consumer.acknowledged.1),
            ("unacknowledged", consumer.unacknowledged),
            ("pending", consumer.pending),
        ];
        for (what, count) in counts {
            add(format!("{label}: consumer {name}: {what}"), count, still);
        }
    }
    inventory
}

/// Whether an inventory tells of a stream.
pub(super) fn is_counted(inventory: &Inventory, login: &Login, stream: &str) -> bool {
    inventory.0.contains_key(&format!("{}: messages", login.label(stream)))
}

impl NatsStore {
    /// Counts the accounts that the record holds.
    pub(super) async fn count_restored(&self, cx: &Cx, record: &StoreRecord) -> Result<Inventory, StoreError> {
        let mut inventory = Inventory::default();
        for (login, artifact) in self.pairs(record)? {
            let link = self.open(cx, login).await?;
            inventory.extend(count_account(cx, &link, &called(login, artifact.of.as_deref())).await?);
        }
        Ok(inventory)
    }
}

/// The login under the name by which the backup knows its account.
pub(super) fn called(login: &Login, of: Option<&str>) -> Login {
    Login {
        account: of.map(ToOwned::to_owned),
        ..login.clone()
    }
}

async fn count_account(cx: &Cx, link: &Link, login: &Login) -> Result<Inventory, StoreError> {
    let mut inventory = Inventory::default();
    for stream in link.streams(cx).await? {
        let consumers = link.consumers(cx, stream.name()).await?;
        inventory.extend(count(login, &stream, &consumers));
    }
    Ok(inventory)
}
