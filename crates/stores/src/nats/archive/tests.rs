//! Archives that are whole, and archives damaged in every way that we can think of. That real servers'
//! archives are read is shown by the tests on real servers.

use super::sample::{consumer, entry, last, message, packed, plain, state, whole};
use super::*;

fn read_packed(bytes: &[u8]) -> io::Result<Counted> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(read(io::Cursor::new(bytes.to_vec())))
}

fn read_entries(entries: &[Vec<u8>]) -> Result<Counted, String> {
    read_packed(&packed(&plain(entries))).map_err(|error| error.to_string())
}

#[test]
fn messages_and_consumers_are_counted() {
    let counted = read_entries(&whole()).unwrap();
    let messages = Messages {
        count: 3,
        first: 3,
        last: 6,
        largest: 52,
        given: 7,
    };
    assert_eq!(counted.format, Format::Entries);
    assert_eq!(counted.messages, Some(messages));
    assert_eq!(counted.consumers.into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn it_is_known_how_far_other_streams_were_copied() {
    let copy = |sequence, source: &str| {
        let header = format!("NATS/1.0\r\nOther: x\r\nNats-Stream-Source: {source}\r\n\r\n");
        entry("orders", 1, sequence, header.as_bytes(), b"x")
    };
    let entries = [
        state(3, 1, 3, 0),
        copy(1, "ORDERS 401 > > orders.new IDENT"),
        copy(2, "JOBS:hash 7 jobs.* > jobs.a"),
        copy(3, "ORDERS 405 > > orders.new OTHER"),
        last(),
    ];
    let copied = read_entries(&entries).unwrap().copied;
    assert_eq!(
        copied.into_iter().collect::<Vec<_>>(),
        [("JOBS jobs.*".to_owned(), 7), ("ORDERS >".to_owned(), 405)]
    );
}

#[test]
fn a_stream_without_messages_is_whole() {
    let counted = read_entries(&[state(0, 0, 0, 0), last()]).unwrap();
    assert_eq!(counted.messages, Some(Messages::default()));
    // All its messages are deleted: the first that can come has the next sequence.
    assert!(read_entries(&[state(0, 8, 7, 0), last()]).is_ok());
}

#[test]
fn wherever_an_archive_is_cut_it_is_noticed() {
    let bytes = packed(&plain(&whole()));
    for length in 0..bytes.len() {
        assert!(
            read_packed(&bytes[..length]).is_err(),
            "cut at {length} of {}",
            bytes.len()
        );
    }
    assert!(read_packed(&bytes).is_ok());
}

#[test]
fn wherever_the_content_is_cut_it_is_noticed() {
    // The packing is sound: only the content ends early.
    let plain = plain(&whole());
    for length in 0..plain.len() {
        assert!(
            read_packed(&packed(&plain[..length])).is_err(),
            "cut at {length} of {}",
            plain.len()
        );
    }
}

#[test]
fn no_bit_can_flip_unnoticed() {
    let bytes = packed(&plain(&whole()));
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << bit;
            let read = read_packed(&flipped);
            // A chunk that may be skipped holds nothing: there is none in this archive.
            assert!(read.is_err(), "bit {bit} of byte {place} of {}", bytes.len());
        }
    }
}

#[test]
fn what_is_out_of_place_is_named() {
    let cases: [(&[Vec<u8>], &str); 9] = [
        (&[consumer("a"), last()], "begins with"),
        (&[state(1, 1, 1, 1), message(1), last()], "is not a consumer"),
        (&[state(2, 1, 2, 0), message(2), message(1), last()], "comes after"),
        (&[state(2, 1, 2, 0), message(1), message(1), last()], "comes after"),
        (&[state(1, 5, 5, 0), message(4), last()], "comes after"),
        (&[state(1, 1, 1, 0), message(2), last()], "beyond"),
        (&[state(1, 1, 1, 0), entry("x", 1, 0, b"", b"y"), last()], "no sequence"),
        (&[state(1, 1, 1, 0), message(1), last(), last()], "follows its end"),
        (&[entry("state.json", 1, 0, b"", b"{"), last()], "state.json"),
    ];
    for (entries, words) in cases {
        let told = read_entries(entries).unwrap_err();
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_consumer_without_its_position_is_damage() {
    let torn = entry("consumers/a", 1, 0, b"", br#"{"config":{},"state":null}"#);
    let told = read_entries(&[state(0, 0, 0, 1), torn, last()]).unwrap_err();
    assert!(told.contains("has no state"), "{told}");
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    let cases: [(&[u8], &str); 3] = [
        (b"", "empty"),
        (b"{\"config\":{}}", "does not begin as S2"),
        (b"\xff\x06\x00\x00S2sTwX", "does not begin as S2"),
    ];
    for (bytes, words) in cases {
        let told = read_packed(bytes).unwrap_err().to_string();
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn lengths_that_are_lies_are_not_believed() {
    // A block of 4 GiB, and a chunk of 16 MiB.
    for bytes in [
        b"\xff\x06\x00\x00S2sTwO\x00\x09\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x0f".as_slice(),
        b"\xff\x06\x00\x00S2sTwO\x01\xff\xff\xff\x00\x00\x00\x00".as_slice(),
    ] {
        let told = read_packed(bytes).unwrap_err().to_string();
        assert!(told.contains("too large") || told.contains("impossible"), "{told}");
    }
    let mut huge = plain(&[state(0, 0, 0, 0)]);
    huge.extend([0xff; 9]);
    huge.extend([1, 0, 1, 0, 0]);
    assert!(read_packed(&packed(&huge)).is_err());
}

#[test]
fn chunks_that_hold_nothing_are_skipped() {
    let bytes = packed(&plain(&whole()));
    let (head, rest) = bytes.split_at(10);
    let padded = [head, b"\xfe\x03\x00\x00xyz\x99\x01\x00\x00i", head, rest].concat();
    assert_eq!(read_packed(&padded).unwrap(), read_packed(&bytes).unwrap());
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut tar = tokio_tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tokio_tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            tar.append_data(&mut header, name, *content).await.unwrap();
        }
        tar.into_inner().await.unwrap()
    })
}

const OLD: [(&str, &[u8]); 7] = [
    ("meta.inf", b"{\"name\":\"S\"}"),
    ("meta.sum", b"00ff"),
    ("msgs/1.blk", &[7; 3000]),
    ("msgs/index.db", b"\x16\x01"),
    ("obs/c/meta.inf", b"{\"name\":\"c\"}"),
    ("obs/c/meta.sum", b"00ff"),
    ("obs/c/o.dat", b"\x01"),
];

#[test]
fn an_older_servers_archive_is_read_to_its_end() {
    let counted = read_packed(&packed(&tar(&OLD))).unwrap();
    assert_eq!((counted.format, counted.messages), (Format::Tar, None));
    assert_eq!(counted.consumers.into_iter().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn an_older_servers_archive_that_is_cut_is_noticed() {
    let plain = tar(&OLD);
    // Also between two files, where a tar reader sees an end: the end mark is missing.
    for length in (0..plain.len() - 1024).step_by(64).chain([plain.len() - 1024]) {
        assert!(
            read_packed(&packed(&plain[..length])).is_err(),
            "cut at {length} of {}",
            plain.len()
        );
    }
}

#[test]
fn an_older_servers_archive_without_a_part_is_damage() {
    for missing in ["meta.inf", "meta.sum", "obs/c/meta.inf", "obs/c/meta.sum"] {
        let files: Vec<_> = OLD.into_iter().filter(|(name, _)| *name != missing).collect();
        assert!(read_packed(&packed(&tar(&files))).is_err(), "{missing}");
    }
}
