//! The list of objects that stores have written by themselves: `objects.jsonl.gz`, a line each. The manifest knows its hash, so
//! what it says of an object is as good as what the manifest says of an artifact.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::names::StoreName;
use crate::ports::gateway::Recorded;

/// Its place in a backup's directory.
pub(crate) const FILE: &str = "objects.jsonl.gz";

/// What an artifact of this kind is called in a manifest.
pub(crate) const CONTENT: &str = "objects";

/// A list that unpacks to more is none of ours: a line has some two hundred bytes.
const UNPACKED_LIMIT: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Line {
    store: StoreName,
    #[serde(flatten)]
    object: Recorded,
}

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It cannot be unpacked.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] std::io::Error),
    /// A line of it is none.
    #[error("line {line}: {cause}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// The parser's own words.
        #[source]
        cause: serde_json::Error,
    },
}

/// The list as it is stored.
pub(crate) fn pack<'a>(stores: impl IntoIterator<Item = (&'a StoreName, &'a [Recorded])>) -> std::io::Result<Bytes> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for (store, objects) in stores {
        for object in objects {
            let line = Line {
                store: store.clone(),
                object: object.clone(),
            };
            serde_json::to_writer(&mut packed, &line)?;
            packed.write_all(b"\n")?;
        }
    }
    Ok(packed.finish()?.into())
}

/// What a list says of one store.
pub(crate) fn unpack(list: &[u8], store: &StoreName) -> Result<Vec<Recorded>, Unreadable> {
    let mut text = String::new();
    GzDecoder::new(list).take(UNPACKED_LIMIT).read_to_string(&mut text)?;
    let mut objects = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line: Line = serde_json::from_str(line).map_err(|cause| Unreadable::Line {
            line: number + 1,
            cause,
        })?;
        if line.store == *store {
            objects.push(line.object);
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(names: &[&str]) -> Vec<Recorded> {
        let object = |name: &&str| Recorded {
            name: (*name).to_owned(),
            size: 5,
            sha256: "0".repeat(64),
        };
        names.iter().map(object).collect()
    }

    #[test]
    fn each_store_finds_its_own() {
        let (one, other) = (StoreName::new("one"), StoreName::new("other"));
        let (of_one, of_other) = (objects(&["a/1", "a/\"2\"\n"]), objects(&["b/1"]));
        let packed = pack([(&one, &of_one[..]), (&other, &of_other[..])]).unwrap();
        assert_eq!(unpack(&packed, &one).unwrap(), of_one);
        assert_eq!(unpack(&packed, &other).unwrap(), of_other);
        assert_eq!(unpack(&packed, &StoreName::new("third")).unwrap(), []);
    }

    #[test]
    fn what_is_cut_off_or_no_list_is_an_error() {
        let store = StoreName::new("one");
        let packed = pack([(&store, &objects(&["a/1"])[..])]).unwrap();
        assert!(matches!(
            unpack(&packed[..packed.len() - 9], &store),
            Err(Unreadable::Packed(_))
        ));
        let mut other = GzEncoder::new(Vec::new(), Compression::default());
        other.write_all(b"{}\n").unwrap();
        let other = other.finish().unwrap();
        assert!(matches!(unpack(&other, &store), Err(Unreadable::Line { line: 1, .. })));
    }
}
