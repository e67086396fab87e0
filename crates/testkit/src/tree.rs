//! What stands in a folder, by the names below it: a repository as a person sees it with `find`.
//! Reads only.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

/// A file as found: two equal ones have the same bytes, written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its content.
    pub content: Vec<u8>,
    /// When it was written.
    pub changed: SystemTime,
}

/// Every file below a folder, by its name below it: components joined by `/`. Nothing may be written there meanwhile.
pub fn files(root: &Path) -> Result<BTreeMap<String, File>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = File {
                content: fs::read(&path)?,
                changed: path.metadata()?.modified()?,
            };
            found.insert(path.strip_prefix(root)?.display().to_string(), file);
        }
    }
    Ok(found)
}
