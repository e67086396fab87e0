//! The check of an RDB file while its bytes pass by: who wrote it, in which version of the format, and
//! whether the checksum at its end is that of all before it. A server that starts on a file with one
//! flipped bit may die of it (Valkey 9.1.2: SIGSEGV), so none is trusted unchecked.
//!
//! The format: magic and version (9 bytes), data, the byte 0xFF, and CRC-64/REDIS of all before as 8
//! little-endian bytes; zero if the server was told not to compute it (`rdbchecksum no`). Source:
//! `rdb.c` of the servers; `CRC64_REDIS` in the catalogue of parametrised CRC algorithms.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};

/// Magic and version.
const HEAD: usize = 9;

/// The checksum.
const TAIL: usize = 8;

/// The byte before the checksum.
const END: u8 = 0xFF;

/// Before this version of the format there was no checksum (Redis 2.6, 2012).
const FIRST_WITH_CHECKSUM: u32 = 5;

/// Who defined a version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    /// Files that begin with `REDIS`; Valkey up to 8 writes them too.
    Redis,
    /// Files that begin with `VALKEY`.
    Valkey,
}

/// A version of the format, as it stands at the beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// Who defined it.
    pub(super) maker: Maker,
    /// The number.
    pub(super) number: u32,
}

impl Format {
    /// Reads `REDIS0011` or `VALKEY080`.
    pub(super) fn parse(magic: &str) -> Option<Self> {
        let (maker, digits) = if let Some(digits) = magic.strip_prefix("VALKEY") {
            (Maker::Valkey, digits)
        } else {
            (Maker::Redis, magic.strip_prefix("REDIS")?)
        };
        let sound = magic.len() == HEAD && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| sound)?;
        Some(Self { maker, number })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.maker {
            Maker::Redis => write!(f, "REDIS{:04}", self.number),
            Maker::Valkey => write!(f, "VALKEY{:03}", self.number),
        }
    }
}

/// A whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    /// Its format.
    pub(super) format: Format,
    /// Whether its end holds a checksum.
    pub(super) has_checksum: bool,
}

/// Why a file is not whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// Another kind of file, or its beginning was harmed.
    #[error("it does not begin as an RDB file does")]
    Magic,
    /// It stops before its end.
    #[error("it stops before the end of an RDB file ({0} bytes)")]
    Cut(u64),
    /// Something in it was changed.
    #[error("its CRC64 is {found:016x}, {told:016x} stands at its end")]
    Checksum {
        /// What was computed.
        found: u64,
        /// What the file says.
        told: u64,
    },
}

/// A check that is under way.
pub(super) struct Check {
    crc: Digest,
    head: Vec<u8>,
    /// The last bytes so far: the checksum, if nothing follows.
    tail: Vec<u8>,
    /// The byte before them.
    before: u8,
    seen: u64,
}

impl Check {
    pub(super) fn new() -> Self {
        Self {
            crc: Digest::new(CrcAlgorithm::Crc64Redis),
            head: Vec::with_capacity(HEAD),
            tail: Vec::with_capacity(TAIL),
            before: 0,
            seen: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        let wanted = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..wanted]);
        // All but the last eight bytes of what is known now go into the sum.
        let sure = (self.tail.len() + bytes.len()).saturating_sub(TAIL);
        let held = sure.min(self.tail.len());
        let held: Vec<u8> = self.tail.drain(..held).collect();
        let (sure, rest) = bytes.split_at(sure - held.len());
        for piece in [held.as_slice(), sure] {
            self.crc.update(piece);
            self.before = piece.last().copied().unwrap_or(self.before);
        }
        self.tail.extend_from_slice(rest);
    }

    /// The verdict, after the last byte.
    pub(super) fn finish(self) -> Result<Sound, Flaw> {
        let magic = String::from_utf8_lossy(&self.head);
        let format = Format::parse(&magic).filter(|format| format.number >= FIRST_WITH_CHECKSUM);
        let format = format.ok_or(if self.seen < HEAD as u64 {
            Flaw::Cut(self.seen)
        } else {
            Flaw::Magic
        })?;
        let told = <[u8; TAIL]>::try_from(self.tail).map_err(|_| Flaw::Cut(self.seen))?;
        let told = u64::from_le_bytes(told);
        let found = self.crc.finalize();
        let has_checksum = told != 0;
        if has_checksum && found != told {
            return Err(Flaw::Checksum { found, told });
        }
        if self.before != END || self.seen <= (HEAD + TAIL) as u64 {
            return Err(Flaw::Cut(self.seen));
        }
        Ok(Sound { format, has_checksum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server of version 7 wrote on `SET a b` and `SAVE`, from its magic to its checksum.
    fn small() -> Vec<u8> {
        let mut file = b"REDIS0010\xfe\x00\xfb\x01\x00\x00\x01a\x01b\xff".to_vec();
        let crc = crc_fast::checksum(CrcAlgorithm::Crc64Redis, &file);
        file.extend(crc.to_le_bytes());
        file
    }

    fn checked(file: &[u8], piece: usize) -> Result<Sound, Flaw> {
        let mut check = Check::new();
        file.chunks(piece.max(1)).for_each(|piece| check.take(piece));
        check.finish()
    }

    #[test]
    fn the_checksum_is_the_servers_own() {
        // The value that `crc64.c` of the servers tests itself with.
        let crc = crc_fast::checksum(CrcAlgorithm::Crc64Redis, b"123456789");
        assert_eq!(crc, 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn a_whole_file_is_sound_in_pieces_of_any_size() {
        let file = small();
        let format = Format {
            maker: Maker::Redis,
            number: 10,
        };
        for piece in 1..=file.len() {
            let sound = Sound {
                format,
                has_checksum: true,
            };
            assert_eq!(checked(&file, piece), Ok(sound), "pieces of {piece}");
        }
    }

    #[test]
    fn any_flipped_bit_is_found() {
        for at in 0..small().len() {
            for bit in 0..8 {
                let mut file = small();
                file[at] ^= 1 << bit;
                assert!(checked(&file, 7).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_anywhere_is_not_whole() {
        let file = small();
        for length in 0..file.len() {
            assert!(checked(&file[..length], 5).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn without_a_checksum_the_end_still_has_to_be_one() {
        let mut file = small();
        let end = file.len() - TAIL;
        file[end..].fill(0);
        let format = Format {
            maker: Maker::Redis,
            number: 10,
        };
        assert_eq!(
            checked(&file, 4),
            Ok(Sound {
                format,
                has_checksum: false
            })
        );
        file[end - 1] = 0;
        assert_eq!(checked(&file, 4), Err(Flaw::Cut(file.len() as u64)));
    }

    #[test]
    fn formats_are_read_as_they_are_written() {
        for magic in ["REDIS0010", "REDIS0011", "VALKEY080"] {
            assert_eq!(Format::parse(magic).unwrap().to_string(), magic);
        }
        for magic in [
            "",
            "REDIS",
            "REDIS11",
            "REDIS00x1",
            "VALKEY0080",
            "PGDMP0011",
            "redis0011",
        ] {
            assert_eq!(Format::parse(magic), None, "{magic}");
        }
    }
}
