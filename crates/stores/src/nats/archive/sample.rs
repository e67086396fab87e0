//! Archives for tests, as the servers write them.

use std::io::Write;

use super::MAGIC;

/// An entry of the newer format.
pub(in super::super) fn entry(name: &str, timestamp: i64, sequence: u64, header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, name.len() as u64);
    #[expect(clippy::cast_sign_loss, reason = "zigzag: the sign is the lowest bit")]
    varint(&mut bytes, ((timestamp << 1) ^ (timestamp >> 63)) as u64);
    varint(&mut bytes, sequence);
    varint(&mut bytes, header.len() as u64);
    varint(&mut bytes, payload.len() as u64);
    for part in [name.as_bytes(), header, payload] {
        bytes.extend_from_slice(part);
    }
    bytes
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
}

/// The entry that ends an archive.
pub(in super::super) fn last() -> Vec<u8> {
    entry("", 0, 0, b"", b"")
}

/// `state.json` of a stream.
pub(in super::super) fn state(messages: u64, first: u64, last: u64, consumers: u64) -> Vec<u8> {
    let text = format!(
        r#"{{"messages":{messages},"bytes":9,"first_seq":{first},"last_seq":{last},"consumer_count":{consumers}}}"#
    );
    entry("state.json", 1, 0, b"", text.as_bytes())
}

/// A consumer.
pub(in super::super) fn consumer(name: &str) -> Vec<u8> {
    entry(
        &format!("consumers/{name}"),
        1,
        0,
        b"",
        br#"{"config":{"durable_name":"c"},"state":{"delivered":{}}}"#,
    )
}

/// A message.
pub(in super::super) fn message(sequence: u64) -> Vec<u8> {
    let payload = sequence.to_string().repeat(40);
    entry(
        "orders.new",
        1_700_000_000,
        sequence,
        b"NATS/1.0\r\n\r\n",
        payload.as_bytes(),
    )
}

/// The newer format of these entries, not packed.
pub(in super::super) fn plain(entries: &[Vec<u8>]) -> Vec<u8> {
    [MAGIC.as_slice()]
        .into_iter()
        .chain(entries.iter().map(Vec::as_slice))
        .collect::<Vec<_>>()
        .concat()
}

/// A whole archive: two consumers; messages 3, 4 and 6 of a stream whose last was 7.
pub(in super::super) fn whole() -> Vec<Vec<u8>> {
    let head = [state(3, 3, 7, 2), consumer("a"), consumer("b")];
    head.into_iter().chain([3, 4, 6].map(message)).chain([last()]).collect()
}

/// Packed by S2.
pub(in super::super) fn packed(plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut writer = minlz::Writer::new(&mut packed);
    writer.write_all(plain).unwrap();
    writer.flush().unwrap();
    drop(writer);
    packed
}
