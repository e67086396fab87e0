//! The etcd in which a server keeps its metadata, through its JSON gateway: what lies below the server's own root, read at one
//! revision, and changed only while the server is down.
//!
//! Never here: a key outside the root. Others keep theirs in the same etcd.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use serde_json::{Value, json};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::stores::{Cause, Cx};

use crate::toolbox::{exchange_http, guarded};

/// So many keys are asked for at once: an answer of etcd has at most 4 MiB, and a value of Milvus some kilobytes.
const PAGE: usize = 200;

/// So many operations are in one transaction; etcd takes 128 unless it is told otherwise.
const AT_ONCE: usize = 100;

/// So many bytes are in one transaction; etcd takes 1.5 MiB.
const BYTES_AT_ONCE: usize = 512 << 10;

const LARGEST_ANSWER: usize = 64 << 20;

/// A list that was compacted away while it was read is read anew so often.
const TRIES: usize = 3;

const COMPACTED: &str = "required revision has been compacted";

/// Keys and their values, in order.
pub(super) type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What was below a root at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The moment, as etcd counts.
    pub(super) revision: u64,
    pub(super) pairs: Pairs,
    /// Keys that go with who has made them: of a server that runs, or has died a moment ago.
    pub(super) leased: Vec<Vec<u8>>,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
}

/// Why etcd did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum EtcdError {
    /// It is not reached, or does not answer as etcd does.
    #[error("etcd does not answer: {0}")]
    Silent(#[source] Cause),
    /// In its own words.
    #[error("etcd refuses: {0}")]
    Refused(String),
    /// What must not be there is there.
    #[error("a Milvus with the same root runs, or has died less than a minute ago")]
    InUse,
    /// The call was ended.
    #[error(transparent)]
    Store(#[from] stillpoint_core::stores::StoreError),
}

/// A way to it.
pub(super) struct Etcd<'a> {
    pub(super) cx: &'a Cx,
    pub(super) workload: WorkloadId,
    pub(super) port: u16,
}

impl Etcd<'_> {
    /// All that lies below `root`, which ends with a slash.
    pub(super) async fn read(&self, root: &str) -> Result<Snapshot, EtcdError> {
        for _ in 1..TRIES {
            match self.read_once(root).await {
                Err(EtcdError::Refused(why)) if why.contains(COMPACTED) => {}
                read => return read,
            }
        }
        self.read_once(root).await
    }

    async fn read_once(&self, root: &str) -> Result<Snapshot, EtcdError> {
        let mut snapshot = Snapshot::default();
        let (mut from, end) = (root.as_bytes().to_vec(), end_of(root));
        loop {
            let mut question = json!({ "key": text(&from), "range_end": text(&end), "limit": PAGE.to_string() });
            if snapshot.revision > 0 {
                question["revision"] = json!(snapshot.revision.to_string());
            }
            let answer = self.ask("/v3/kv/range", &question).await?;
            if snapshot.revision == 0 {
                let revision = number(&answer["header"]["revision"]);
                snapshot.revision = revision.ok_or_else(|| no_answer("no revision in its answer"))?;
            }
            let found = answer["kvs"].as_array().map_or(&[][..], Vec::as_slice);
            for pair in found {
                let key = bytes(&pair["key"])?;
                from = [key.as_slice(), &[0]].concat();
                if number(&pair["lease"]).is_some_and(|lease| lease > 0) {
                    snapshot.leased.push(key);
                } else {
                    snapshot.pairs.insert(key, bytes(&pair["value"])?);
                }
            }
            if found.is_empty() || answer["more"] != json!(true) {
                return Ok(snapshot);
            }
        }
    }

    /// Carries changes out, in pieces, each only while there is no key `absent`.
    pub(super) async fn change(&self, absent: &str, changes: &[Change]) -> Result<(), EtcdError> {
        for some in pieces(changes) {
            let compare = json!([{
                "key": text(absent.as_bytes()), "target": "CREATE", "result": "EQUAL", "create_revision": "0"
            }]);
            let changes: Vec<Value> = some.iter().map(Change::told).collect();
            let question = json!({ "compare": compare, "success": changes });
            let answer = self.ask("/v3/kv/txn", &question).await?;
            if answer["succeeded"] != json!(true) {
                return Err(EtcdError::InUse);
            }
        }
        Ok(())
    }

    async fn ask(&self, path: &str, question: &Value) -> Result<Value, EtcdError> {
        let request = Request::post(path)
            .header(HOST, "etcd")
            .header(CONNECTION, "close")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(question.to_string())));
        let request = request.map_err(|error| EtcdError::Silent(error.into()))?;
        let asked = async {
            let stream = self.cx.reach.dial(&self.workload, self.port).await?;
            exchange_http(stream, request, LARGEST_ANSWER).await
        };
        let answer = guarded(self.cx, "the answer of etcd", Box::pin(asked)).await?;
        let answer = answer.map_err(EtcdError::Silent)?;
        let said = serde_json::from_slice::<Value>(answer.body());
        match (answer.status().is_success(), said) {
            (true, Ok(said)) => Ok(said),
            (false, Ok(said)) => Err(EtcdError::Refused(words(&said))),
            (_, Err(_)) => {
                let status = answer.status();
                Err(no_answer(&format!(
                    "it answers with status {status}, and not as etcd's JSON gateway does"
                )))
            }
        }
    }
}

impl Change {
    fn told(&self) -> Value {
        match self {
            Self::Put(key, value) => json!({ "request_put": { "key": text(key), "value": text(value) } }),
            Self::Delete(key) => json!({ "request_delete_range": { "key": text(key) } }),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Put(key, value) => key.len() + value.len(),
            Self::Delete(key) => key.len(),
        }
    }
}

/// What turns `present` into `wanted`: deletions first.
pub(super) fn changes(present: &Pairs, wanted: &Pairs) -> Vec<Change> {
    let gone = present.keys().filter(|key| !wanted.contains_key(*key));
    let gone = gone.map(|key| Change::Delete(key.clone()));
    let put = wanted.iter().filter(|(key, value)| present.get(*key) != Some(value));
    let put = put.map(|(key, value)| Change::Put(key.clone(), value.clone()));
    gone.chain(put).collect()
}

/// As many changes at a time as etcd takes.
fn pieces(changes: &[Change]) -> Vec<&[Change]> {
    let mut pieces = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |change: &&Change| {
            bytes += change.size();
            bytes <= BYTES_AT_ONCE
        };
        let count = rest.iter().take(AT_ONCE).take_while(fits).count().max(1);
        let (some, others) = rest.split_at(count);
        pieces.push(some);
        rest = others;
    }
    pieces
}

/// The first key after all that begin with the root.
fn end_of(root: &str) -> Vec<u8> {
    let mut end = root.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    end
}

fn text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn bytes(value: &Value) -> Result<Vec<u8>, EtcdError> {
    let decoded = STANDARD.decode(value.as_str().unwrap_or_default());
    decoded.map_err(|error| EtcdError::Silent(error.into()))
}

/// Numbers of 64 bits are texts in its JSON.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn no_answer(why: &str) -> EtcdError {
    EtcdError::Silent(why.into())
}

fn words(said: &Value) -> String {
    let message = said["message"].as_str().or_else(|| said["error"].as_str());
    message.map_or_else(|| said.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs
            .iter()
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn a_root_ends_before_its_neighbours() {
        assert_eq!(end_of("by-dev/"), b"by-dev0");
        assert!("by-dev/meta" < std::str::from_utf8(&end_of("by-dev/")).unwrap());
        assert!(b"by-dev-2/x".as_slice() < b"by-dev/".as_slice());
    }

    #[test]
    fn only_what_differs_is_changed() {
        let present = pairs(&[("a", "1"), ("b", "2"), ("d", "4")]);
        let wanted = pairs(&[("a", "1"), ("b", "3"), ("c", "5")]);
        assert_eq!(
            changes(&present, &wanted),
            [
                Change::Delete(b"d".to_vec()),
                Change::Put(b"b".to_vec(), b"3".to_vec()),
                Change::Put(b"c".to_vec(), b"5".to_vec()),
            ]
        );
        assert!(changes(&wanted, &wanted).is_empty());
    }

    #[test]
    fn no_transaction_is_more_than_etcd_takes() {
        let small: Vec<Change> = (0..250_u32)
            .map(|at| Change::Delete(at.to_be_bytes().to_vec()))
            .collect();
        let sizes: Vec<usize> = pieces(&small).iter().map(|some| some.len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
        let large = |at: u8| Change::Put(vec![at], vec![0; 400 << 10]);
        let large: Vec<Change> = (0..3).map(large).collect();
        assert_eq!(pieces(&large).len(), 3);
        let huge = [Change::Put(vec![0], vec![0; 2 << 20])];
        assert_eq!(pieces(&huge).len(), 1, "etcd says what it does not take");
        assert!(pieces(&[]).is_empty());
    }

    #[test]
    fn words_are_found() {
        assert_eq!(words(&json!({ "error": "a", "message": "b" })), "b");
        assert_eq!(words(&json!({ "error": "a" })), "a");
        assert_eq!(number(&json!("9007199254740993")), Some(9_007_199_254_740_993));
        assert_eq!(number(&json!(7)), Some(7));
    }
}
