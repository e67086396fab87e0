//! `cargo xtask tidy`: the house rules that a program can check. Each number says why it is there;
//! the ratcheted ones only ever go down.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{book, circles};

/// A file above this is two files; tests tell longer stories.
const LONGEST_FILE: usize = 800;
const LONGEST_TEST: usize = 1200;

/// Half of all files stay below this, so that a room can be taken in at a glance.
const MEDIAN_FILE: usize = 200;

/// Where the stores live: `<kind>/` each.
const STORES: &str = "crates/stores/src";

/// What stands beside them and is none.
const SHARED: [&str; 2] = ["toolbox", "settings"];

/// Checks the tree below `root` and lists everything that is wrong.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = rust_files(root)?;
    let mut wrong = Vec::new();
    let mut lengths = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
        lengths.push(text.lines().count());
        wrong.extend(faults(&name, &text));
    }
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    if median > MEDIAN_FILE {
        wrong.push(format!(
            "the median of all files has {median} lines, more than {MEDIAN_FILE}"
        ));
    }
    wrong.extend(incomplete_stores(root)?);
    wrong.extend(circles::find(root, &files)?);
    wrong.extend(stale_schema(root));
    wrong.extend(book::faults(root)?);
    if !wrong.is_empty() {
        bail!("not tidy:\n  {}", wrong.join("\n  "));
    }
    println!("tidy: {} files, median {median} lines", files.len());
    Ok(())
}

fn faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let is_test = name.contains("/tests/");
    let (lines, limit) = (text.lines().count(), if is_test { LONGEST_TEST } else { LONGEST_FILE });
    if lines > limit {
        faults.push(format!("{name}: {lines} lines, more than {limit}"));
    }
    if !text.starts_with("//!") {
        faults.push(format!(
            "{name}: does not begin with //! (why it exists, what it must never do)"
        ));
    }
    // Written in two parts, or this file would find itself.
    for word in [concat!("FIX", "ME"), concat!("XX", "X"), concat!("to", "do!(")] {
        if text.contains(word) {
            faults.push(format!("{name}: holds {word}"));
        }
    }
    faults
}

/// A store is a folder, a line in the registry and a page: one of them alone is half a store.
fn incomplete_stores(root: &Path) -> Result<Vec<String>> {
    let registry = fs::read_to_string(root.join(STORES).join("lib.rs"))?;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root.join(STORES))? {
        let path = entry?.path();
        let kind = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !path.is_dir() || SHARED.contains(&kind.as_str()) {
            continue;
        }
        if !registry.contains(&format!("Arc::new({kind}::")) {
            wrong.push(format!("{STORES}/{kind}: not in the registry"));
        }
        for needed in [
            format!("docs/stores/{kind}.md"),
            format!("testbed/images/{kind}"),
            format!("testbed/images/witness/stores/{kind}.sh"),
            format!("crates/app/tests/it/conformance/{kind}.rs"),
        ] {
            if !root.join(&needed).exists() {
                wrong.push(format!("{STORES}/{kind}: there is no {needed}"));
            }
        }
    }
    Ok(wrong)
}

fn stale_schema(root: &Path) -> Option<String> {
    let made = fs::read_to_string(root.join(SCHEMA)).unwrap_or_default();
    let stale = made != stillpoint_core::manifest::Manifest::schema();
    stale.then(|| format!("{SCHEMA} is not what the types say: run `cargo xtask schema`"))
}

/// The documented schema of the manifest.
pub(crate) const SCHEMA: &str = "docs/manifest.v1.schema.json";

/// Writes the schema anew. A change of it is a change of a format that is read for ever.
pub(crate) fn write_schema(root: &Path) -> Result<()> {
    Ok(fs::write(
        root.join(SCHEMA),
        stillpoint_core::manifest::Manifest::schema(),
    )?)
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    Ok(files)
}
