//! The two large streams, by the testbed's own client.

use anyhow::Result;
use serde_json::json;
use stillpoint_testkit::testbed::Testbed;

use crate::bench::repository::Source;

const BIG: &str = "BIG";
const LARGE_MESSAGES: u64 = 16_000;
/// Bytes of a large message.
const LARGE: u64 = 128 << 10;
/// Small ones after each large one, of so many bytes.
const SMALL_MESSAGES: usize = 20;
const SMALL: usize = 64;

const MANY: &str = "MANY";
const CONSUMERS: u64 = 1_000;
const MESSAGES: u64 = 20_000;
/// Of nanoseconds: what is delivered is not delivered again meanwhile.
const YEAR: u64 = 31_536_000_000_000_000;

fn stream(name: &str, subject: &str) -> serde_json::Value {
    json!({"name": name, "subjects": [subject], "storage": "file"})
}

pub(super) fn lay_stream(testbed: &Testbed) -> Result<()> {
    let mut nats = testbed.nats()?;
    nats.api(&format!("STREAM.CREATE.{BIG}"), &stream(BIG, "big"))?;
    let source = Source::of(0);
    let bodies = (0..LARGE_MESSAGES).flat_map(|number| {
        let large: Vec<u8> = source.fork(number, LARGE).flatten().collect();
        let small = large
            .chunks(SMALL)
            .take(SMALL_MESSAGES)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>();
        std::iter::once(large).chain(small)
    });
    nats.publish_all("big", bodies)
}

pub(super) fn harm_stream(testbed: &Testbed) -> Result<()> {
    let mut nats = testbed.nats()?;
    nats.api(&format!("STREAM.PURGE.{BIG}"), &json!({"keep": 100_000}))?;
    nats.publish_all("big", ["not what was there"])
}

pub(super) fn lay_consumers(testbed: &Testbed) -> Result<()> {
    let mut nats = testbed.nats()?;
    nats.api(&format!("STREAM.CREATE.{MANY}"), &stream(MANY, "many"))?;
    nats.publish_all("many", (0..MESSAGES).map(|number| format!("message {number}")))?;
    for number in 1..=CONSUMERS {
        let name = consumer(number);
        // Every other one acknowledges nothing, so that all that it was given is open.
        let policy = if number % 2 == 0 { "none" } else { "explicit" };
        let config = json!({"durable_name": name, "ack_policy": policy, "ack_wait": YEAR,
            "deliver_policy": "by_start_sequence", "opt_start_seq": number * (MESSAGES / CONSUMERS) - 10,
            "description": format!("consumer {number} of {CONSUMERS}, with some words about what it is for")});
        nats.api(
            &format!("CONSUMER.DURABLE.CREATE.{MANY}.{name}"),
            &json!({"stream_name": MANY, "config": config}),
        )?;
        nats.take(MANY, &name, number % 8)?;
    }
    Ok(())
}

pub(super) fn harm_consumers(testbed: &Testbed) -> Result<()> {
    let mut nats = testbed.nats()?;
    for number in (1..=CONSUMERS).step_by(10) {
        nats.api(&format!("CONSUMER.DELETE.{MANY}.{}", consumer(number)), &json!({}))?;
    }
    for number in (2..=CONSUMERS).step_by(10) {
        nats.take(MANY, &consumer(number), 1)?;
    }
    nats.publish_all("many", ["not what was there"])
}

fn consumer(number: u64) -> String {
    format!("consumer_{number}")
}
