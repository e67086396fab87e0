//! Asks a Valkey for its truth: every database in one script, then the libraries of functions.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Facts;
use crate::testbed::valkey;

const SCRIPT: &str = include_str!("valkey.lua");

#[derive(Deserialize)]
struct Line {
    place: String,
    fact: String,
    is: Value,
}

/// By `valkey/<database>`, and `valkey` for what belongs to none.
pub(in crate::testbed) fn valkey(container: &str) -> Result<BTreeMap<String, Facts>> {
    let mut places = BTreeMap::from([("valkey".to_owned(), functions(container)?)]);
    for Line { place, fact, is } in valkey::asked(container, SCRIPT, &[])? {
        // Two facts of one name would hide each other.
        let twice = places.entry(place).or_default().insert(fact.clone(), is);
        ensure!(twice.is_none(), "two facts have the name {fact}");
    }
    Ok(places)
}

/// A library is its source text: names, flags and code are all in it.
fn functions(container: &str) -> Result<Facts> {
    let answer = valkey::cli(container)
        .args(["--json", "FUNCTION", "LIST", "WITHCODE"])
        .run()?;
    let libraries: Vec<Value> =
        serde_json::from_str(&answer).with_context(|| format!("Valkey's functions are {answer}"))?;
    Ok(libraries
        .into_iter()
        .map(|library| {
            let name = library["library_name"].as_str().unwrap_or_default().to_owned();
            let is = json!({"engine": library["engine"], "code": library["library_code"]});
            (format!("library {name}"), is)
        })
        .collect())
}
