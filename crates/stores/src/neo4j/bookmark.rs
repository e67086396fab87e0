//! The bookmark that the server gives with every answer: whose last committed transaction it is, and its number
//! (the drivers' `FabricBookmark`). Read, never made.
//!
//! `FB:` and base64 of `MessagePack`: a string of bytes (the database's identity) and an integer (the transaction).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

const PREFIX: &str = "FB:";

/// The number of the last committed transaction; none of a text that is no such bookmark.
pub(super) fn transaction(bookmark: &str) -> Option<u64> {
    let text = bookmark.strip_prefix(PREFIX)?;
    let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?;
    // Some servers put a list of databases around it, with one entry.
    let packed = match bytes.split_first()? {
        (0x91, rest) => rest,
        _ => &bytes,
    };
    let packed = skip_bytes(packed)?;
    let number = integer(packed)?;
    u64::try_from(number).ok()
}

/// What follows a string of bytes with a length of one byte.
fn skip_bytes(packed: &[u8]) -> Option<&[u8]> {
    match packed {
        [0xcc, length, rest @ ..] => rest.get(usize::from(*length)..),
        _ => None,
    }
}

/// The integer at the beginning: `MessagePack` as `PackStream` has it, in which 0xc8 to 0xcb are signed.
fn integer(packed: &[u8]) -> Option<i64> {
    match packed {
        [small @ 0..=0x7f, ..] => Some(i64::from(*small)),
        [0xc8, one, ..] => Some(i64::from(i8::from_be_bytes([*one]))),
        [0xc9, a, b, ..] => Some(i64::from(i16::from_be_bytes([*a, *b]))),
        [0xca, a, b, c, d, ..] => Some(i64::from(i32::from_be_bytes([*a, *b, *c, *d]))),
        [0xcb, rest @ ..] => Some(i64::from_be_bytes(rest.get(..8)?.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bookmark(number: &[u8]) -> String {
        let packed = [&[0x91, 0xcc, 0x10][..], &[7; 16], number, &[0x90]].concat();
        format!("{PREFIX}{}", STANDARD.encode(packed))
    }

    #[test]
    fn bookmarks_of_servers_are_read() {
        for (text, number) in [
            ("FB:kcwQtzjQQyPASOiY53XOmv0umQOQ", 3),
            ("FB:kcwQtzjQQyPASOiY53XOmv0umQqQ", 10),
            ("FB:kcwQAAAAAAAAAAAAAAAAAAAAASmQ", 41),
        ] {
            assert_eq!(transaction(text), Some(number), "{text}");
        }
    }

    #[test]
    fn numbers_of_every_length_are_read() {
        for (packed, number) in [
            (&[0x7f][..], 127),
            (&[0xc9, 0x00, 0x80], 128),
            (&[0xc9, 0x02, 0x27], 551),
            (&[0xca, 0, 1, 0, 0], 65_536),
            (&[0xcb, 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32),
        ] {
            assert_eq!(transaction(&bookmark(packed)), Some(number), "{packed:?}");
        }
    }

    #[test]
    fn what_is_no_bookmark_has_no_number() {
        for text in [
            "",
            "FB:",
            "FB:!",
            "kcwQtzjQQyPASOiY53XOmv0umQOQ",
            "FB:kcwQtzg=",
            "neo4j:bookmark:v1:tx42",
        ] {
            assert_eq!(transaction(text), None, "{text}");
        }
        // Negative, and cut off.
        assert_eq!(transaction(&bookmark(&[0xc8, 0xff])), None);
        let cut = [&[0x91, 0xcc, 0x10][..], &[7; 16], &[0xca, 0, 1]].concat();
        assert_eq!(transaction(&format!("{PREFIX}{}", STANDARD.encode(cut))), None);
    }
}
