//! What a restore needs to know of a backup: the facts of its record.

use std::collections::BTreeMap;

use stillpoint_core::manifest::StoreRecord;

const FOLDER: &str = "folder";
const ETCD_ROOT: &str = "etcd_root";
const REVISION: &str = "etcd_revision";
const BUCKET: &str = "bucket";
const ROOT: &str = "bucket_root";
const METHOD: &str = "method";

/// The only method there is so far.
pub(super) const PHYSICAL: &str = "physical";

/// What a backup holds, as its record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Where everything lies below the backup's directory.
    pub(super) folder: String,
    /// What its keys begin with, with the slash at the end.
    pub(super) etcd_root: String,
    /// The moment, as etcd counts.
    pub(super) revision: u64,
    /// Where its objects came from.
    pub(super) bucket: String,
    pub(super) root: String,
}

impl Facts {
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        [
            (METHOD, PHYSICAL.to_owned()),
            (FOLDER, self.folder.clone()),
            (ETCD_ROOT, self.etcd_root.clone()),
            (REVISION, self.revision.to_string()),
            (BUCKET, self.bucket.clone()),
            (ROOT, self.root.clone()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// Those of a record; none if it is of no backup that this program can load.
    pub(super) fn of(record: &StoreRecord) -> Option<Self> {
        let fact = |name: &str| record.facts.get(name).cloned();
        if fact(METHOD)? != PHYSICAL {
            return None;
        }
        Some(Self {
            folder: fact(FOLDER)?,
            etcd_root: fact(ETCD_ROOT)?,
            revision: fact(REVISION)?.parse().ok()?,
            bucket: fact(BUCKET)?,
            root: fact(ROOT)?,
        })
    }

    /// The metadata's place.
    pub(super) fn metadata(&self) -> [&str; 3] {
        [self.folder.as_str(), PHYSICAL, "etcd.jsonl.gz"]
    }

    /// What the names of its objects begin with.
    pub(super) fn objects(&self) -> String {
        format!("{}/{PHYSICAL}/objects/", self.folder)
    }
}
