//! One server of the grammar: filled, backed up, restored, compared. Whatever is in it, it comes back equal, or the run is refused
//! before anything stops, by name.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

use super::Case;
use super::owned::offer;
use crate::lone_postgres::{Facts, Server, differences};
use crate::product::Ran;

/// How a round ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything came back.
    Equal {
        /// The kinds of block that the server had accepted.
        accepted: BTreeSet<&'static str>,
    },
    /// The backup or the restore was refused before anything was stopped, in these words.
    Refused(String),
}

/// What every restore changes: its line is told by the manual's page under "What comes back otherwise".
const KNOWN: [(&str, &str); 3] = [
    ("state of", "subscription|"),
    ("state of", "invalid index|"),
    ("definitions of", "CREATE POLICY "),
];

/// Fills the empty server, backs it up, and restores it: over what is there, or (`anew`) into an empty one of the same image.
pub fn round(server: &Server, case: &Case, anew: bool) -> Result<Ended> {
    offer(server)?;
    let accepted = fill(server, case)?;
    let before = known(server.facts()?);
    let backup = server.product.run(&["backup"])?;
    if backup.code == Some(12) {
        return Ok(Ended::Refused(backup.err));
    }
    must_end_with_0(backup, "the backup")?;
    let id = server.product.backups()?.pop().context("there is no backup")?;
    if anew {
        server.replace_by("POSTGRES")?;
        offer(server)?;
    }
    let restore = server.product.run(&["restore", &id, "--confirm", &id])?;
    if restore.code == Some(13) {
        return Ok(Ended::Refused(restore.err));
    }
    must_end_with_0(restore, "the restore")?;
    must_be_equal(&before, server, "after the restore")?;
    if !anew {
        let undo = ["restore", "undo", "--confirm", server.testbed.project()];
        must_end_with_0(server.product.run(&undo)?, "the undoing")?;
        must_be_equal(&before, server, "after the undoing of the restore")?;
    }
    Ok(Ended::Equal { accepted })
}

fn must_end_with_0(ran: Ran, what: &str) -> Result<()> {
    ran.must_end_with(0).map(drop).with_context(|| what.to_owned())
}

fn must_be_equal(before: &Facts, server: &Server, when: &str) -> Result<()> {
    let found = differences(before, &known(server.facts()?), []);
    ensure!(found.is_empty(), "{when}:\n{}", found.join("\n"));
    Ok(())
}

/// Runs the script; what the server does not accept is not there.
fn fill(server: &Server, case: &Case) -> Result<BTreeSet<&'static str>> {
    let said = server.psql(&case.script())?;
    let numbers = said.lines().filter_map(|line| line.strip_prefix("accepted|"));
    let numbers: Vec<usize> = numbers.filter_map(|number| number.parse().ok()).collect();
    if numbers.len() * 2 < case.blocks.len() {
        bail!("only {} of {} blocks were accepted", numbers.len(), case.blocks.len());
    }
    Ok(numbers.into_iter().filter_map(|number| case.what(number)).collect())
}

fn known(mut facts: Facts) -> Facts {
    for (section, lines) in &mut facts {
        let mut known = KNOWN.iter().filter(|(of, _)| section.starts_with(of));
        lines.retain(|line| !known.by_ref().any(|(_, words)| line.starts_with(words)));
    }
    facts
}
