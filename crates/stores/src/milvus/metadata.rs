//! What a server's metadata says: keys and values of etcd below its root, as far as they must be understood.
//!
//! Never here: a way to etcd. What is not known here is copied all the same.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use sha2::{Digest, Sha256};

use super::config::Config;
use super::etcd::Pairs;
use super::proto::{DROPPED, Segment};

/// What the server writes as the value of what was removed, until it removes the key as well.
const TOMBSTONE: [u8; 3] = [0xe2, 0x9b, 0xbc];

/// Metadata with the roots under which it lies.
pub(super) struct Metadata<'a> {
    pub(super) pairs: &'a Pairs,
    pub(super) meta: String,
}

/// The key that says, below a server's root, that a restore of it has not ended: a server starts on half of its metadata, and says
/// that it is healthy.
pub(super) fn marker(config: &Config) -> String {
    format!("{}stillpoint/restoring", config.etcd_root())
}

/// The key that a server's coordinator holds as long as it lives.
pub(super) fn alive(config: &Config) -> String {
    format!("{}session/rootcoord", config.meta())
}

/// What belongs to a backup: not who is alive, and nothing of ours.
pub(super) fn lasting(mut pairs: Pairs, config: &Config) -> Pairs {
    let sessions = format!("{}session/", config.meta());
    let ours = format!("{}stillpoint/", config.etcd_root());
    pairs.retain(|key, _| !key.starts_with(sessions.as_bytes()) && !key.starts_with(ours.as_bytes()));
    pairs
}

impl<'a> Metadata<'a> {
    pub(super) fn of(pairs: &'a Pairs, config: &Config) -> Self {
        Self {
            pairs,
            meta: config.meta(),
        }
    }

    /// Keys below a folder of the metadata, without the folder, of what was not removed.
    fn below<'b>(&'b self, folder: &str) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'a, 'b> {
        let start = format!("{}{folder}", self.meta).into_bytes();
        let length = start.len();
        let first = self.pairs.range(start.clone()..);
        let inside = first.take_while(move |(key, _)| key.starts_with(&start));
        inside.filter_map(move |(key, value)| {
            let rest = std::str::from_utf8(key.get(length..)?).ok()?;
            (value.as_slice() != TOMBSTONE).then_some((rest, value.as_slice()))
        })
    }

    /// Counts of what users make, by what it is called.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        [
            ("aliases", "root-coord/database/aliases/"),
            ("indexes", "field-index/"),
            ("users", "root-coord/credential/users/"),
            ("roles", "root-coord/credential/roles/"),
            ("grants", "root-coord/credential/grantee-id/"),
        ]
        .into_iter()
        .map(|(what, folder)| (what, self.below(folder).count() as u64))
        .collect()
    }

    /// A number that changes when a collection, a partition, an alias, an index, a user or a right does. What any reader of JSON can
    /// hold.
    pub(super) fn structure(&self) -> u64 {
        let mut hash = Sha256::new();
        for folder in ["field-index/", "root-coord/"] {
            for (key, value) in self.below(folder) {
                hash.update(key.as_bytes());
                hash.update([0]);
                hash.update(value);
                hash.update([0]);
            }
        }
        let hash = hash.finalize();
        let first = hash
            .iter()
            .take(8)
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        first >> 11
    }

    /// Its segments, but for those that only wait to be removed.
    pub(super) fn segments(&self) -> Vec<Segment> {
        let all = self.below("datacoord-meta/s/");
        let all = all.filter_map(|(_, value)| Segment::decode(value).ok());
        all.filter(|segment| segment.state != DROPPED).collect()
    }

    /// Folders of the bucket, below the server's root in it, in each of which there is an object: a segment's values by field.
    pub(super) fn folders(&self) -> BTreeSet<String> {
        let segments: BTreeSet<i64> = self.segments().iter().map(|segment| segment.id).collect();
        let is_there = |path: &str| {
            let mut parts = path.split('/').skip(2);
            parts
                .next()
                .and_then(|id| id.parse().ok())
                .is_some_and(|id| segments.contains(&id))
        };
        let all = self
            .below("datacoord-meta/binlog/")
            .map(|(path, _)| path)
            .filter(|path| is_there(path));
        all.map(|path| format!("insert_log/{path}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::default()
    }

    fn pairs(pairs: &[(&str, Vec<u8>)]) -> Pairs {
        pairs
            .iter()
            .map(|(key, value)| (format!("by-dev/{key}").into_bytes(), value.clone()))
            .collect()
    }

    fn segment(id: i64, state: i32) -> Vec<u8> {
        let segment = Segment {
            id,
            collection: 7,
            rows: 5,
            state,
            is_compacted: false,
        };
        segment.encode_to_vec()
    }

    #[test]
    fn who_is_alive_and_what_is_ours_is_left_out() {
        let all = pairs(&[
            ("meta/session/id", vec![1]),
            ("stillpoint/restoring", vec![1]),
            ("meta/root-coord/x", vec![1]),
            ("kv/gid/timestamp", vec![1]),
        ]);
        let left: Vec<_> = lasting(all, &config())
            .into_keys()
            .map(|key| String::from_utf8(key).unwrap())
            .collect();
        assert_eq!(left, ["by-dev/kv/gid/timestamp", "by-dev/meta/root-coord/x"]);
    }

    #[test]
    fn what_was_removed_does_not_count() {
        let all = pairs(&[
            ("meta/root-coord/credential/users/alice", vec![1]),
            ("meta/root-coord/credential/users/bob", TOMBSTONE.to_vec()),
            ("meta/field-index/1/2", vec![1]),
            ("meta/field-indexes/1/2", vec![1]),
        ]);
        let config = config();
        let found = Metadata::of(&all, &config);
        let counts = found.counts();
        assert_eq!((counts["users"], counts["indexes"], counts["aliases"]), (1, 1, 0));
    }

    #[test]
    fn the_structure_is_what_users_have_made() {
        let config = config();
        let structure = |entries: &[(&str, Vec<u8>)]| {
            let all = pairs(entries);
            Metadata::of(&all, &config).structure()
        };
        let one = structure(&[("meta/root-coord/x", vec![1])]);
        assert_eq!(
            one,
            structure(&[("meta/root-coord/x", vec![1]), ("meta/datacoord-meta/s/1/2/3", vec![1])])
        );
        assert_ne!(one, structure(&[("meta/root-coord/x", vec![2])]));
        assert_ne!(
            one,
            structure(&[("meta/root-coord/x", vec![1]), ("meta/field-index/1/2", vec![1])])
        );
        assert!(one < 1 << 53);
    }

    #[test]
    fn every_living_segment_has_objects_by_field() {
        let all = pairs(&[
            ("meta/datacoord-meta/s/7/8/9", segment(9, 4)),
            ("meta/datacoord-meta/s/7/8/10", segment(10, DROPPED)),
            ("meta/datacoord-meta/binlog/7/8/9/100", vec![1]),
            ("meta/datacoord-meta/binlog/7/8/10/100", vec![1]),
        ]);
        let config = config();
        let found = Metadata::of(&all, &config);
        assert_eq!(found.folders(), BTreeSet::from(["insert_log/7/8/9/100".to_owned()]));
        assert_eq!(found.segments().len(), 1);
    }
}
