//! Streams and consumers as the server describes them. A description stays JSON; here is what we read
//! of it, and what of it holds still while nobody writes.

use serde_json::{Value, json};
use stillpoint_core::stores::{Cx, StoreError};

use super::link::Link;

/// What an entry of an archive may have more than the server counts for its message.
const ENTRY: u64 = 16;

/// What a consumer has in an archive: a thousand unacknowledged messages, packed.
const CONSUMER: u64 = 32 << 10;

/// What the description of a stream has in its archive, and what every archive has.
const DESCRIPTION: u64 = 16 << 10;

/// A stream: its configuration, whole, and its state when it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stream {
    pub(super) config: Value,
    pub(super) state: Value,
    /// When it was made; empty where nobody said.
    pub(super) created: String,
}

/// A consumer that stays when nobody uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) name: String,
    /// Sequences of the consumer and of the stream: up to here messages were delivered.
    pub(super) delivered: (u64, u64),
    /// Up to here they were acknowledged.
    pub(super) acknowledged: (u64, u64),
    /// Delivered and not acknowledged.
    pub(super) unacknowledged: u64,
    /// Not delivered yet.
    pub(super) pending: u64,
    /// Its position is kept in memory.
    pub(super) in_memory: bool,
}

impl Stream {
    /// From an answer that has `config` and `state`.
    pub(super) fn of(answer: &Value) -> Self {
        let part = |name: &str| answer.get(name).cloned().unwrap_or_else(|| json!({}));
        Self {
            config: part("config"),
            state: part("state"),
            created: answer.get("created").and_then(Value::as_str).unwrap_or("").to_owned(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.config.get("name").and_then(Value::as_str).unwrap_or("")
    }

    /// A number of its state.
    pub(super) fn counted(&self, what: &str) -> u64 {
        number(&self.state, what)
    }

    /// Bytes that its snapshot has at most, as long as nobody writes. What the server counts for a message is a
    /// little more, or in memory a little less, than an entry of an archive; `whole_blocks`: see
    /// [`super::version::packs_whole_blocks`]. Packing makes what cannot be packed no larger than this.
    pub(super) fn largest_archive(&self, whole_blocks: bool) -> u64 {
        let bytes = self.counted("bytes");
        // A block is written anew when half of it is deleted (nats-server, `server/filestore.go`, `compact`).
        let kept = if whole_blocks { bytes.saturating_mul(2) } else { bytes };
        let entries = self.counted("messages").saturating_mul(ENTRY);
        let consumers = self.counted("consumer_count").saturating_mul(CONSUMER);
        let parts = [kept, kept / 1000, entries, consumers, DESCRIPTION];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// The streams of the same account that it copies from. One with `external` copies from elsewhere.
    pub(super) fn origins(&self) -> Vec<&str> {
        let mirror = self.config.get("mirror").into_iter();
        let sources = self
            .config
            .get("sources")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let here = mirror
            .chain(sources)
            .filter(|origin| origin.get("external").is_none_or(Value::is_null));
        here.filter_map(|origin| origin.get("name")?.as_str()).collect()
    }

    /// The server itself writes into it, whenever its origins have something new.
    pub(super) fn copies(&self) -> bool {
        let some = |name: &str| self.config.get(name).is_some_and(|value| !value.is_null());
        some("mirror") || some("sources")
    }

    /// Clients can write into it.
    pub(super) fn takes_writes(&self) -> bool {
        !self.copies()
            || self
                .config
                .get("subjects")
                .and_then(Value::as_array)
                .is_some_and(|all| !all.is_empty())
    }

    /// Messages go by themselves: by age, or with the last consumer that wanted them.
    pub(super) fn discards_by_itself(&self) -> bool {
        let aged = number(&self.config, "max_age") > 0;
        let each = self
            .config
            .get("allow_msg_ttl")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let wanted = self.config.get("retention").and_then(Value::as_str) == Some("interest");
        aged || self.is_marked() || each || wanted
    }

    /// Where the last message of a subject goes by age, the server writes one that says so: the sequence
    /// moves by itself.
    pub(super) fn is_marked(&self) -> bool {
        number(&self.config, "subject_delete_marker_ttl") > 0
    }

    /// What is in it changes only by what clients do.
    pub(super) fn changes_only_by_clients(&self) -> bool {
        !self.copies() && !self.discards_by_itself()
    }

    pub(super) fn in_memory(&self) -> bool {
        self.config.get("storage").and_then(Value::as_str) == Some("memory")
    }

    /// The most bytes that it may hold, where it says so: they are reserved for it.
    pub(super) fn bound(&self) -> Option<u64> {
        self.config
            .get("max_bytes")
            .and_then(Value::as_u64)
            .filter(|bytes| *bytes > 0)
    }

    pub(super) fn replicas(&self) -> u64 {
        number(&self.config, "num_replicas").max(1)
    }

    /// The most bytes that its messages may have, where it says so.
    pub(super) fn largest_message(&self) -> Option<u64> {
        // -1 is no limit, and no number from 0.
        self.config.get("max_msg_size").and_then(Value::as_u64)
    }

    pub(super) fn subjects(&self) -> Vec<&str> {
        let subjects = self.config.get("subjects").and_then(Value::as_array);
        subjects.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

impl Consumer {
    /// None for one that the server removes when nobody uses it.
    fn of(info: &Value) -> Option<Self> {
        let config = info.get("config")?;
        let name = info.get("name").and_then(Value::as_str)?.to_owned();
        config
            .get("durable_name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())?;
        if number(config, "inactive_threshold") > 0 {
            return None;
        }
        let pair = |what: &str| {
            let pair = info.get(what).cloned().unwrap_or_default();
            (number(&pair, "consumer_seq"), number(&pair, "stream_seq"))
        };
        Some(Self {
            name,
            delivered: pair("delivered"),
            acknowledged: pair("ack_floor"),
            unacknowledged: number(info, "num_ack_pending"),
            pending: number(info, "num_pending"),
            in_memory: config.get("mem_storage").and_then(Value::as_bool).unwrap_or(false),
        })
    }
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

impl Link {
    /// Every stream of the account, in order of name.
    pub(super) async fn streams(&self, cx: &Cx) -> Result<Vec<Stream>, StoreError> {
        let found = self
            .pages(cx, "listing streams", "STREAM.LIST".to_owned(), "streams")
            .await?;
        let mut streams: Vec<Stream> = found.iter().map(Stream::of).collect();
        streams.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(streams)
    }

    /// The stream's consumers that stay, in order of name.
    pub(super) async fn consumers(&self, cx: &Cx, stream: &str) -> Result<Vec<Consumer>, StoreError> {
        let doing = format!("listing the consumers of stream {stream}");
        let found = self
            .pages(cx, &doing, format!("CONSUMER.LIST.{stream}"), "consumers")
            .await?;
        let mut consumers: Vec<Consumer> = found.iter().filter_map(Consumer::of).collect();
        consumers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(consumers)
    }

    /// All pages of a listing; the server gives at most 256 entries at once.
    async fn pages(&self, cx: &Cx, doing: &str, what: String, key: &str) -> Result<Vec<Value>, StoreError> {
        let mut all = Vec::new();
        loop {
            let answer = self.ask(cx, doing, &what, &json!({"offset": all.len()})).await?;
            let page = answer.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            let (total, is_last) = (number(&answer, "total"), page.is_empty());
            all.extend(page);
            if all.len() as u64 >= total {
                return Ok(all);
            }
            if is_last {
                return Err(StoreError::Server {
                    doing: doing.to_owned(),
                    cause: format!("{} of {total} were listed; is a server of the cluster down?", all.len()).into(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_at_most_what_the_server_counts_and_its_packing() {
        let largest =
            |state: &Value, blocks| Stream::of(&json!({"config": {}, "state": state})).largest_archive(blocks);
        let state = json!({"bytes": 1_000_000, "messages": 10, "consumer_count": 2});
        let rest = 10 * ENTRY + 2 * CONSUMER + DESCRIPTION;
        assert_eq!(largest(&state, false), 1_001_000 + rest);
        assert_eq!(largest(&state, true), 2_002_000 + rest);
        assert_eq!(largest(&json!({"bytes": u64::MAX}), true), u64::MAX);
    }
}
