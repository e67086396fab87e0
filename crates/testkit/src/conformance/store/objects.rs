//! What may lie in a repository that nobody writes to: what `docs/format.md` names, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::tree::{self, File};

/// What stores have written by themselves is listed there.
const LIST: &str = "objects.jsonl.gz";

/// Fails at an upload that was not finished, a lease that is held, a torso, and anything that no manifest names.
pub(super) fn are_documented(repository: &Path) -> Result<()> {
    if !repository.exists() {
        return Ok(());
    }
    let mut folders: BTreeMap<String, BTreeMap<String, File>> = BTreeMap::new();
    for (name, file) in tree::files(repository)? {
        let (folder, rest) = name
            .split_once('/')
            .with_context(|| format!("{name} lies in no backup"))?;
        folders
            .entry(folder.to_owned())
            .or_default()
            .insert(rest.to_owned(), file);
    }
    for (folder, files) in folders {
        let looked = if folder == ".stillpoint" {
            of_product(&files)
        } else {
            of_backup(&files)
        };
        looked.with_context(|| format!("in {folder}"))?;
    }
    Ok(())
}

fn of_product(files: &BTreeMap<String, File>) -> Result<()> {
    for (name, file) in files {
        match name.as_str() {
            "instance.json" => {}
            "lease.json" => ensure!(document(file)?["holder"].is_null(), "somebody holds the lease"),
            marks if marks.starts_with("verified/") => {}
            other => bail!("{other} is left"),
        }
    }
    Ok(())
}

fn of_backup(files: &BTreeMap<String, File>) -> Result<()> {
    let manifests = ["manifest.json", "manifest.partial.json"].map(|name| files.get(name));
    let (manifest, complete) = match manifests {
        [Some(manifest), None] => (document(manifest)?, true),
        [None, Some(partial)] => (document(partial)?, false),
        _ => bail!("a torso: {:?}", files.keys()),
    };
    let stores = manifest["stores"].as_array().context("no stores")?;
    let artifacts = stores
        .iter()
        .filter_map(|store| store["artifacts"].as_array())
        .flatten();
    let listed = files.get(LIST).map(listed).transpose()?.unwrap_or_default();
    let named = artifacts.filter_map(|artifact| artifact["name"].as_str());
    let named: BTreeSet<&str> = named.chain(listed.iter().map(String::as_str)).collect();
    let is_artifact = |name: &&str| !["run.json", "manifest.json", "manifest.partial.json"].contains(name);
    let there: BTreeSet<&str> = files.keys().map(String::as_str).filter(is_artifact).collect();
    // Of a store that was not copied whole some artifacts may be, and nobody names them.
    let fits = if complete {
        there == named
    } else {
        there.is_superset(&named)
    };
    let different: Vec<_> = there.symmetric_difference(&named).collect();
    ensure!(fits, "there or named, and not both: {different:?}");
    let unfinished: Vec<_> = there.iter().filter(|name| name.contains('#')).collect();
    ensure!(unfinished.is_empty(), "uploads that were not finished: {unfinished:?}");
    Ok(())
}

/// The objects that a list names, which stores have written by themselves.
fn listed(list: &File) -> Result<Vec<String>> {
    let mut unpack = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (mut input, packed) = (unpack.stdin.take().context("gzip reads nothing")?, list.content.clone());
    let fed = std::thread::spawn(move || input.write_all(&packed));
    let unpacked = unpack.wait_with_output()?;
    ensure!(unpacked.status.success(), "{LIST} cannot be unpacked");
    fed.join().ok().context("feeding gzip panicked")??;
    let lines = std::str::from_utf8(&unpacked.stdout)?.lines();
    let names = lines.map(|line| {
        let line: Value = serde_json::from_str(line)?;
        let name = line["name"].as_str().context("a line without a name")?;
        Ok(name.to_owned())
    });
    names.collect()
}

fn document(file: &File) -> Result<Value> {
    Ok(serde_json::from_slice(&file.content)?)
}
