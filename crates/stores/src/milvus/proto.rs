//! What is said to a server in its gRPC interface, and what it answers: of each message only what is used here. Numbers of fields as in
//! the public protocol of Milvus (`milvus.proto`, `common.proto`, `schema.proto`), which keeps them from version to version.

use std::collections::BTreeMap;

use prost::Message;

/// An answer that says whether it is one.
pub(super) trait Answer: Message + Default + 'static {
    fn status(&self) -> Option<&Status>;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    /// Of old servers.
    #[prost(int32, tag = "1")]
    pub(super) error_code: i32,
    #[prost(string, tag = "2")]
    pub(super) reason: String,
    #[prost(int32, tag = "3")]
    pub(super) code: i32,
}

impl Status {
    pub(super) fn is_success(&self) -> bool {
        self.error_code == 0 && self.code == 0
    }
}

macro_rules! answers {
    ($($answer:ty),*) => {
        $(impl Answer for $answer {
            fn status(&self) -> Option<&Status> {
                self.status.as_ref()
            }
        })*
    };
}

answers!(Version, Databases, Collections, Flushed, FlushState, LoadState, Rows);

/// A question without anything in it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Version {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Databases {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(string, repeated, tag = "2")]
    pub(super) names: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OfDatabase {
    #[prost(string, tag = "2")]
    pub(super) database: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Collections {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(string, repeated, tag = "2")]
    pub(super) names: Vec<String>,
    #[prost(int64, repeated, tag = "3")]
    pub(super) ids: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Flush {
    #[prost(string, tag = "2")]
    pub(super) database: String,
    #[prost(string, repeated, tag = "3")]
    pub(super) collections: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Numbers {
    #[prost(int64, repeated, tag = "1")]
    pub(super) data: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Flushed {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    /// The segments that were sealed, by collection.
    #[prost(btree_map = "string, message", tag = "3")]
    pub(super) segments: BTreeMap<String, Numbers>,
    /// As of when, by collection.
    #[prost(btree_map = "string, uint64", tag = "6")]
    pub(super) at: BTreeMap<String, u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct IsFlushed {
    #[prost(int64, repeated, tag = "1")]
    pub(super) segments: Vec<i64>,
    #[prost(uint64, tag = "2")]
    pub(super) at: u64,
    #[prost(string, tag = "3")]
    pub(super) database: String,
    #[prost(string, tag = "4")]
    pub(super) collection: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FlushState {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(bool, tag = "2")]
    pub(super) is_flushed: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LoadStateOf {
    #[prost(string, tag = "2")]
    pub(super) collection: String,
    #[prost(string, tag = "4")]
    pub(super) database: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LoadState {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(int32, tag = "2")]
    pub(super) state: i32,
}

/// States of loading.
pub(super) const LOADING: i32 = 2;
pub(super) const LOADED: i32 = 3;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Query {
    #[prost(string, tag = "2")]
    pub(super) database: String,
    #[prost(string, tag = "3")]
    pub(super) collection: String,
    #[prost(string, repeated, tag = "5")]
    pub(super) output_fields: Vec<String>,
    /// 0 is strong: all that was acknowledged before.
    #[prost(int32, tag = "11")]
    pub(super) consistency: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Rows {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(message, repeated, tag = "2")]
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Field {
    #[prost(message, optional, tag = "3")]
    pub(super) scalars: Option<Scalars>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Scalars {
    #[prost(message, optional, tag = "3")]
    pub(super) long: Option<Numbers>,
}

/// A segment as the server's metadata describes it (`data_coord.proto`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct Segment {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
    #[prost(int64, tag = "2")]
    pub(super) collection: i64,
    #[prost(int64, tag = "3")]
    pub(super) partition: i64,
    #[prost(int64, tag = "5")]
    pub(super) rows: i64,
    #[prost(int32, tag = "6")]
    pub(super) state: i32,
    /// Made of others, by the server itself.
    #[prost(bool, tag = "14")]
    pub(super) is_compacted: bool,
}

/// The state of a segment that is gone for everybody but the garbage collection.
pub(super) const DROPPED: i32 = 6;

/// The files of a segment's field, or of its deletes (`data_coord.proto`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct FieldLogs {
    #[prost(message, repeated, tag = "2")]
    pub(super) logs: Vec<Log>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Log {
    /// The timestamp of the last row in it.
    #[prost(uint64, tag = "3")]
    pub(super) to: u64,
}
