//! Whether a stream of bytes is a dump: its magic, and the zstd frame behind it to its end, whose checksum is that of
//! everything that was packed. Read as it passes, unpacked piece by piece and thrown away.
//!
//! `neo4j-admin database load --info` reads the beginning alone, and a load deletes the old data before it reads: nothing
//! but this stands between a broken dump and an empty database. A warning that was printed in front of a dump shows here.

use std::fmt;

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::DParameter;

/// What a dump begins with: the archive of Neo4j 5, packed with zstd.
pub(super) const MAGIC: &[u8; 4] = b"DZV1";

/// What a frame of zstd begins with (RFC 8878 §3.1.1).
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The bit of the byte behind it that says that a checksum ends the frame (RFC 8878 §3.1.1.1.1).
const HAS_CHECKSUM: u8 = 1 << 2;

/// The archive's own beginning, unpacked: a name of 4 bytes, a version of 4, how many files, how many bytes.
const HEADER: usize = 24;

/// Unpacked at once.
const UNPACKED: usize = 128 << 10;

/// The largest window (2^n bytes) that a frame may want: Neo4j's has 2 MiB. Memory is bounded.
const LARGEST_WINDOW: u32 = 24;

/// A whole dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    /// Bytes in it, unpacked: what a load will write.
    pub(super) bytes: u64,
}

/// Why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// There is nothing.
    Empty,
    /// It begins with something else.
    NoDump(String),
    /// It ends before its end.
    Short,
    /// It is not what was written.
    Broken(String),
    /// Its frame has no checksum, so nobody can tell whether it is.
    Unproven,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NoDump(head) => write!(f, "it is not a dump of Neo4j: it begins with `{head}`"),
            Self::Short => f.write_str("it stops before the end of a dump"),
            Self::Broken(cause) => write!(f, "it is damaged: {cause}"),
            Self::Unproven => f.write_str("it has no checksum"),
        }
    }
}

impl std::error::Error for Flaw {}

/// A dump as it passes.
pub(super) struct Check {
    /// The first bytes: magic, and the beginning of the frame.
    head: Vec<u8>,
    decoder: Option<Decoder<'static>>,
    unpacked: Vec<u8>,
    /// The archive's own beginning.
    header: Vec<u8>,
    /// No frame is open: here it may end.
    is_between: bool,
    flaw: Option<Flaw>,
}

impl Check {
    pub(super) fn new() -> Self {
        Self {
            head: Vec::new(),
            decoder: None,
            unpacked: vec![0; UNPACKED],
            header: Vec::new(),
            is_between: false,
            flaw: None,
        }
    }

    /// Takes the next piece. After a flaw nothing more is looked at.
    pub(super) fn take(&mut self, piece: &[u8]) {
        if self.flaw.is_none()
            && let Err(flaw) = self.try_take(piece)
        {
            self.flaw = Some(flaw);
        }
    }

    fn try_take(&mut self, mut piece: &[u8]) -> Result<(), Flaw> {
        const WHOLE: usize = MAGIC.len() + FRAME.len() + 1;
        if self.head.len() < WHOLE {
            let (head, rest) = piece.split_at(piece.len().min(WHOLE - self.head.len()));
            self.head.extend_from_slice(head);
            piece = rest;
            if self.head.len() < WHOLE {
                return self.begins_like_one();
            }
            self.begins_like_one()?;
            if self.head[WHOLE - 1] & HAS_CHECKSUM == 0 {
                return Err(Flaw::Unproven);
            }
            self.decoder = Some(decoder()?);
            let frame = self.head.split_off(MAGIC.len());
            self.head.resize(WHOLE, 0);
            self.unpack(&frame)?;
        }
        self.unpack(piece)
    }

    /// Whether what is there of the head is that of a dump.
    fn begins_like_one(&self) -> Result<(), Flaw> {
        let expected = MAGIC.iter().chain(&FRAME);
        let is_one = self
            .head
            .iter()
            .zip(expected)
            .all(|(found, expected)| found == expected);
        if is_one {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(&self.head).escape_default().to_string();
        Err(Flaw::NoDump(shown))
    }

    fn unpack(&mut self, piece: &[u8]) -> Result<(), Flaw> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        let broken = |cause: std::io::Error| Flaw::Broken(cause.to_string());
        let mut input = InBuffer::around(piece);
        let mut is_full = false;
        while input.pos() < piece.len() || is_full {
            let mut output = OutBuffer::around(&mut self.unpacked[..]);
            let left = decoder.run(&mut input, &mut output).map_err(broken)?;
            let written = output.as_slice();
            let wanted = HEADER.saturating_sub(self.header.len()).min(written.len());
            self.header.extend_from_slice(&written[..wanted]);
            self.is_between = left == 0;
            // What is held back comes out only if it is asked for.
            is_full = left > 0 && written.len() == UNPACKED;
        }
        Ok(())
    }

    /// What it was, all of it.
    pub(super) fn finish(self) -> Result<Sound, Flaw> {
        if let Some(flaw) = self.flaw {
            return Err(flaw);
        }
        match (self.head.is_empty(), self.is_between) {
            (true, _) => Err(Flaw::Empty),
            (false, false) => Err(Flaw::Short),
            (false, true) => self.header.get(HEADER - 8..HEADER).map_or(Err(Flaw::Short), |bytes| {
                let bytes = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                Ok(Sound { bytes })
            }),
        }
    }
}

fn decoder() -> Result<Decoder<'static>, Flaw> {
    let broken = |cause: std::io::Error| Flaw::Broken(cause.to_string());
    let mut decoder = Decoder::new().map_err(broken)?;
    decoder
        .set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW))
        .map_err(broken)?;
    Ok(decoder)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    /// A dump of so many bytes that hardly pack.
    pub(in crate::neo4j) fn dump(size: u32, checksum: bool) -> Vec<u8> {
        let mut content = b"zstd\0\0\0\x01\0\0\0\0\0\0\0\x02".to_vec();
        content.extend(u64::from(size).to_be_bytes());
        let noise = (0..size).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]);
        content.extend(noise);
        let mut encoder = zstd::Encoder::new(MAGIC.to_vec(), 3).unwrap();
        encoder.include_checksum(checksum).unwrap();
        encoder.write_all(&content).unwrap();
        encoder.finish().unwrap()
    }

    fn checked(bytes: &[u8], pieces: usize) -> Result<Sound, Flaw> {
        let mut check = Check::new();
        bytes.chunks(pieces).for_each(|piece| check.take(piece));
        check.finish()
    }

    #[test]
    fn a_whole_dump_is_sound_however_it_comes() {
        let whole = dump(300_000, true);
        for pieces in [1, 3, 7, 4096, whole.len()] {
            assert_eq!(checked(&whole, pieces), Ok(Sound { bytes: 300_000 }), "{pieces}");
        }
        // Much comes out of little.
        let mut encoder = zstd::Encoder::new(MAGIC.to_vec(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(&vec![0; 5 << 20]).unwrap();
        assert_eq!(checked(&encoder.finish().unwrap(), 4096), Ok(Sound { bytes: 0 }));
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = dump(3000, true);
        for length in 1..whole.len() {
            assert_eq!(checked(&whole[..length], 512), Err(Flaw::Short), "{length} bytes");
        }
        assert_eq!(checked(&[], 1), Err(Flaw::Empty));
    }

    /// But for those that change nothing of what is unpacked: the size of the window, bits without a meaning (RFC 8878 §3.1.1.1).
    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = dump(700, true);
        let unpacked = |dump: &[u8]| zstd::decode_all(&dump[MAGIC.len()..]).unwrap();
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[place] ^= 1 << bit;
                if checked(&flipped, 512).is_ok() {
                    assert_eq!(unpacked(&flipped), unpacked(&whole), "bit {bit} of byte {place}");
                }
            }
        }
    }

    #[test]
    fn words_in_front_and_rubbish_behind_are_noticed() {
        let whole = dump(3000, true);
        let mut spoken = b"Warning: Folder mounted to \"/data\" is not writable\n".to_vec();
        spoken.extend(&whole);
        let told = checked(&spoken, 4096).unwrap_err().to_string();
        assert!(
            told.contains("begins with `Warning: `") || told.contains("`Warning:"),
            "{told}"
        );
        let mut followed = whole;
        followed.extend(b"Done.\n");
        assert!(checked(&followed, 4096).is_err());
    }

    #[test]
    fn a_dump_that_nothing_proves_is_none() {
        assert_eq!(checked(&dump(3000, false), 4096), Err(Flaw::Unproven));
    }
}
