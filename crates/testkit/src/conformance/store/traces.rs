//! What a run could leave behind: in the engine, in the kernel, in the server. Looked at past the product.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use stillpoint_core::ports::shell::RUN_VARIABLE;

use super::Subject;
use crate::product::Product;
use crate::testbed::{Status, Testbed};

/// A line for each thing that is there.
#[derive(Debug)]
pub(super) struct Traces(BTreeSet<String>);

impl Traces {
    /// What is there now.
    pub(super) fn of(subject: &dyn Subject, testbed: &Testbed, product: &Product) -> Result<Self> {
        let mut lines = BTreeSet::new();
        let mut processes = Vec::new();
        for one in testbed.containers()? {
            lines.insert(format!(
                "container {} ({}): {:?}, {:?}, restart policy {}, restarted {} times",
                one.service, one.name, one.status, one.health, one.restart_policy, one.restart_count
            ));
            if one.status == Status::Running {
                processes.extend(processes_in(testbed, &one.id)?);
            }
        }
        lines.extend(testbed.siblings()?.iter().map(|name| format!("sibling {name}")));
        lines.extend(listed(testbed, "claim", &["ps", "-a", "--filter", &claim(testbed)])?);
        let of_project = format!("label=com.docker.compose.project={}", testbed.project());
        for kind in ["volume", "network"] {
            lines.extend(listed(testbed, kind, &[kind, "ls", "--filter", &of_project])?);
        }
        lines.extend(processes_of_ours(&processes, product)?);
        let server = subject.traces(testbed).context("looking into the server")?;
        lines.extend(server.lines().map(|line| format!("server: {line}")));
        Ok(Self(lines))
    }

    /// What is there now and was not, and the other way round.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let gone = self.0.difference(&now.0).map(|line| format!("- {line}"));
        let new = now.0.difference(&self.0).map(|line| format!("+ {line}"));
        gone.chain(new).collect()
    }
}

fn claim(testbed: &Testbed) -> String {
    format!("name=^/stillpoint-{}$", testbed.project())
}

fn listed(testbed: &Testbed, what: &str, list: &[&str]) -> Result<Vec<String>> {
    let name = if list[0] == "ps" { "{{.Names}}" } else { "{{.Name}}" };
    let names = testbed.docker(&[list, &["--format", name]].concat())?;
    Ok(names.lines().map(|name| format!("{what} {name}")).collect())
}

/// Their numbers on this host.
fn processes_in(testbed: &Testbed, container: &str) -> Result<Vec<String>> {
    let table = testbed.docker(&["top", container, "-eo", "pid"])?;
    Ok(table.lines().skip(1).map(|line| line.trim().to_owned()).collect())
}

/// Of a run in a container, by its mark; and of the product itself, by its state directory.
fn processes_of_ours(in_containers: &[String], product: &Product) -> Result<Vec<String>> {
    let mark = format!("{RUN_VARIABLE}=");
    let own = format!("STILLPOINT_STATE_DIR={}", product.state.display());
    let mut ours = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // What has ended meanwhile has nothing to read any more.
        let environment = fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let is_ours = variables.any(|variable| {
            variable == own.as_bytes() || variable.starts_with(mark.as_bytes()) && in_containers.contains(&name)
        });
        if is_ours {
            let words = fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
            ours.push(format!(
                "process {name}: {}",
                String::from_utf8_lossy(&words).replace('\0', " ")
            ));
        }
    }
    Ok(ours)
}
