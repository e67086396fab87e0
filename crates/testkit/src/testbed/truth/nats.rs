//! Asks a NATS for its truth: of every stream of every account its configuration, its counts, every message, and its consumers.
//! Reads by sequence and makes no consumer: that alone would change a stream that forgets what was read.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Facts;
use crate::testbed::nats::{ACCOUNTS, Nats, hex};

/// The witness's stream, compared by itself.
const WITNESS: &str = "WITNESS";

/// By `nats/<account>`.
pub(in crate::testbed) fn nats(container: &str) -> Result<BTreeMap<String, Facts>> {
    let mut places = BTreeMap::new();
    for (account, user, password) in ACCOUNTS {
        let mut nats = Nats::connect(container, user, password)?;
        let facts = of_account(&mut nats).with_context(|| format!("the streams of account {account}"))?;
        places.insert(format!("nats/{account}"), facts);
    }
    Ok(places)
}

fn of_account(nats: &mut Nats) -> Result<Facts> {
    let mut facts = Facts::new();
    for name in streams(nats)? {
        if name == WITNESS {
            continue;
        }
        facts.insert(format!("stream {name}"), of_stream(nats, &name)?);
        for consumer in paged(nats, &format!("CONSUMER.LIST.{name}"), "consumers")? {
            let consumer_name = consumer["name"].as_str().unwrap_or_default();
            facts.insert(format!("consumer {consumer_name} of {name}"), of_consumer(&consumer));
        }
    }
    Ok(facts)
}

/// The names of all streams of the account.
pub(in crate::testbed) fn streams(nats: &mut Nats) -> Result<Vec<String>> {
    let names = paged(nats, "STREAM.NAMES", "streams")?;
    Ok(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn paged(nats: &mut Nats, subject: &str, member: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    loop {
        let page = nats.api(subject, &json!({"offset": all.len()}))?;
        // Nothing is said as null.
        let items = page[member].as_array().cloned().unwrap_or_default();
        let total = page["total"].as_u64().unwrap_or_default();
        let end = items.is_empty();
        all.extend(items);
        if end || all.len() as u64 >= total {
            return Ok(all);
        }
    }
}

fn of_stream(nats: &mut Nats, name: &str) -> Result<Value> {
    let info = nats.api(&format!("STREAM.INFO.{name}"), &json!({}))?;
    let state = &info["state"];
    let number = |member: &str| state[member].as_u64().unwrap_or_default();
    // In JSON a message has a third more.
    nats.expecting(number("bytes").checked_div(number("messages")).unwrap_or(0) * 4 / 3);
    let messages = messages(nats, name, number("first_seq")..=number("last_seq"))?;
    // Where nothing was ever written a new stream says 0 and a restored one 1.
    let first = if number("last_seq") == 0 {
        0
    } else {
        number("first_seq")
    };
    Ok(json!({
        "config": lasting(&info["config"]),
        "messages": number("messages"),
        "bytes": number("bytes"),
        "first": first,
        "last": number("last_seq"),
        "deleted": number("num_deleted"),
        "subjects": number("num_subjects"),
        "content": messages.content,
        "times": messages.times,
    }))
}

/// The configuration without the sequence at which a source goes on: a restored stream is told it, because its origin
/// was made anew.
fn lasting(config: &Value) -> Value {
    let mut config = config.clone();
    let sources = config.get_mut("sources").and_then(Value::as_array_mut);
    for source in sources.into_iter().flatten().filter_map(Value::as_object_mut) {
        source.remove("opt_start_seq");
    }
    config
}

struct Messages {
    content: String,
    times: String,
}

/// Hashes of every message by its sequence; where there is none, of nothing.
fn messages(nats: &mut Nats, stream: &str, sequences: std::ops::RangeInclusive<u64>) -> Result<Messages> {
    let (mut content, mut times) = (Sha256::new(), Sha256::new());
    let wanted = sequences.filter(|sequence| *sequence > 0);
    let requests = wanted.map(|sequence| json!({"seq": sequence}).to_string());
    nats.all(&format!("$JS.API.STREAM.MSG.GET.{stream}"), requests, |_, answer| {
        let answer: Value = serde_json::from_slice(answer).context("a message is no JSON")?;
        let message = &answer["message"];
        let of = |member: &str| message[member].as_str().unwrap_or_default();
        content.update(json!([message["seq"], of("subject"), of("hdrs"), of("data")]).to_string());
        times.update(json!([message["seq"], of("time")]).to_string());
        anyhow::ensure!(
            message.is_object() || answer["error"]["code"] == 404,
            "a message of {stream}: {answer}"
        );
        Ok(())
    })?;
    Ok(Messages {
        content: hex(content),
        times: hex(times),
    })
}

fn of_consumer(info: &Value) -> Value {
    let place = |member: &str| json!({"consumer": info[member]["consumer_seq"], "stream": info[member]["stream_seq"]});
    json!({
        "config": info["config"],
        "delivered": place("delivered"),
        "ack floor": place("ack_floor"),
        "ack pending": info["num_ack_pending"],
        "redelivered": info["num_redelivered"],
        "pending": info["num_pending"],
    })
}
