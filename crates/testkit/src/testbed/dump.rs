//! What is worth knowing about a platform after a failed test, as files. Goes on when a part cannot be had.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::containers::{self, ContainerState};
use super::docker::Docker;

/// Writes `containers.json` (inspect) and `<service>.log` for every container into `folder`.
pub(super) fn write(project: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let all = containers::of_project(project)?;
    let inspected = Docker::new(["inspect"])
        .args(all.iter().map(|c| c.id.clone()))
        .output()?;
    put(folder, "containers.json", &inspected.stdout)?;
    all.iter()
        .try_for_each(|container| put(folder, &format!("{}.log", container.name), &log_of(container)))
}

fn log_of(container: &ContainerState) -> Vec<u8> {
    match Docker::new(["logs", "--timestamps", &container.id]).output() {
        Ok(output) => [output.stdout, output.stderr].concat(),
        Err(e) => format!("{e:#}").into_bytes(),
    }
}

fn put(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
}
