//! Asks a Milvus for its truth: databases, collections with their rows, indexes and what those answer, aliases, what is loaded, users and
//! what they may do; and what in its etcd and its bucket is somebody else's.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::Facts;
use crate::testbed::milvus;

const SCRIPT: &str = include_str!("milvus.py");

#[derive(Deserialize)]
struct Line {
    place: String,
    fact: String,
    is: Value,
}

/// By `milvus/<database>`, `milvus` for users and roles, and `milvus/strangers` for what is beside it.
pub(in crate::testbed) fn milvus(container: &str) -> Result<BTreeMap<String, Facts>> {
    let mut places = BTreeMap::<String, Facts>::new();
    for text in milvus::told(container, SCRIPT)?.lines() {
        let Line { place, fact, is } = serde_json::from_str(text).with_context(|| format!("no fact: {text}"))?;
        // Two facts of one name would hide each other.
        let twice = places.entry(place).or_default().insert(fact.clone(), is);
        ensure!(twice.is_none(), "two facts have the name {fact}");
    }
    Ok(places)
}
