//! What a server's metadata says: keys and values of etcd below its root, as far as they must be understood.
//!
//! Never here: a way to etcd. What is not known here is copied all the same.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use sha2::{Digest, Sha256};

use super::config::Config;
use super::etcd::Pairs;
use super::proto::{DROPPED, FieldLogs, Segment};

/// What the server writes as the value of what was removed, until it removes the key as well.
const TOMBSTONE: [u8; 3] = [0xe2, 0x9b, 0xbc];

/// The property of a collection by which its rows expire.
const TTL: &[u8] = b"collection.ttl.seconds";

/// The setting by which all rows do.
const EXPIRATION: &str = "common.entityExpiration";

/// What is stored of a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    /// Rows, deleted ones among them.
    pub(super) rows: u64,
    /// Those of partitions that are loaded: the server counts no others.
    pub(super) loaded: u64,
    /// Some were deleted, or expire.
    pub(super) shrinks: bool,
}

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

    /// What is stored of each collection.
    pub(super) fn stored(&self, config: &Config) -> BTreeMap<i64, Stored> {
        let mut stored: BTreeMap<i64, Stored> = BTreeMap::new();
        for segment in self.segments() {
            let rows = u64::try_from(segment.rows).unwrap_or_default();
            let of = stored.entry(segment.collection).or_default();
            of.rows += rows;
            let partition = format!(
                "querycoord-partition-loadinfo/{}/{}",
                segment.collection, segment.partition
            );
            if self.pairs.contains_key(format!("{}{partition}", self.meta).as_bytes()) {
                of.loaded += rows;
            }
        }
        for collection in self.newest_deletes().into_keys().chain(self.expiring()) {
            stored.entry(collection).or_default().shrinks = true;
        }
        if config.text(EXPIRATION, "-1") != "-1" {
            for stored in stored.values_mut() {
                stored.shrinks = true;
            }
        }
        stored
    }

    /// Collections whose rows live for a time. What a description says beside that need not be understood.
    fn expiring(&self) -> Vec<i64> {
        let folders = ["root-coord/database/collection-info/", "root-coord/collection/"];
        let all = folders.into_iter().flat_map(|folder| self.below(folder));
        let expire = all.filter(|(_, value)| value.windows(TTL.len()).any(|part| part == TTL));
        expire
            .filter_map(|(path, _)| path.rsplit('/').next()?.parse().ok())
            .collect()
    }

    /// The newest delete of each collection that the server has stored, by its timestamp. Compactions drop or keep them.
    pub(super) fn newest_deletes(&self) -> BTreeMap<i64, u64> {
        let mut newest = BTreeMap::new();
        for (path, value) in self.below("datacoord-meta/deltalog/") {
            let collection = path.split('/').next().and_then(|id| id.parse().ok());
            let (Some(collection), Ok(logs)) = (collection, FieldLogs::decode(value)) else {
                continue;
            };
            let at = newest.entry(collection).or_default();
            *at = logs.logs.iter().map(|log| log.to).fold(*at, u64::max);
        }
        newest
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
pub(super) mod tests {
    use super::super::proto::Log;
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

    /// A segment of a collection with so many rows, as etcd has it.
    pub(in super::super) fn segment_of((collection, partition): (i64, i64), id: i64, rows: i64) -> (Vec<u8>, Vec<u8>) {
        let segment = Segment {
            id,
            collection,
            partition,
            rows,
            state: 4,
            is_compacted: false,
        };
        let key = format!("by-dev/meta/datacoord-meta/s/{collection}/{partition}/{id}");
        (key.into_bytes(), segment.encode_to_vec())
    }

    /// The first partition of a collection is loaded.
    pub(in super::super) fn loaded(collection: i64) -> (Vec<u8>, Vec<u8>) {
        let key = format!("by-dev/meta/querycoord-partition-loadinfo/{collection}/1");
        (key.into_bytes(), vec![1])
    }

    /// A delete in it.
    pub(in super::super) fn deletes(collection: i64, segment: i64) -> (Vec<u8>, Vec<u8>) {
        let logs = FieldLogs {
            logs: vec![Log { to: 1 }],
        };
        let key = format!("by-dev/meta/datacoord-meta/deltalog/{collection}/1/{segment}/0");
        (key.into_bytes(), logs.encode_to_vec())
    }

    #[test]
    fn rows_that_expire_are_told_from_those_that_stay() {
        let mut all = Pairs::from([segment_of((7, 1), 1, 5), segment_of((8, 1), 2, 5)]);
        let info = b"by-dev/meta/root-coord/database/collection-info/1/8".to_vec();
        all.insert(info, b"..collection.ttl.seconds..".to_vec());
        let config = config();
        let stored = Metadata::of(&all, &config).stored(&config);
        let stays = Stored {
            rows: 5,
            ..Stored::default()
        };
        assert_eq!(stored[&7], stays);
        assert_eq!(stored[&8], Stored { shrinks: true, ..stays });
    }

    fn segment(id: i64, state: i32) -> Vec<u8> {
        let segment = Segment {
            id,
            collection: 7,
            partition: 8,
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
    fn the_newest_delete_is_found_by_collection() {
        let logs = |times: &[u64]| {
            let logs = times.iter().map(|to| Log { to: *to }).collect();
            FieldLogs { logs }.encode_to_vec()
        };
        let all = pairs(&[
            ("meta/datacoord-meta/deltalog/7/8/9/0", logs(&[5, 9])),
            ("meta/datacoord-meta/deltalog/7/8/10/0", logs(&[7])),
            ("meta/datacoord-meta/deltalog/70/8/9/0", logs(&[])),
        ]);
        let config = config();
        assert_eq!(
            Metadata::of(&all, &config).newest_deletes(),
            BTreeMap::from([(7, 9), (70, 0)])
        );
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
