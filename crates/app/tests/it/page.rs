//! The commands of `docs/operating/by-hand.md`, taken from the page as they stand, so that what an operator
//! copies from there is what the tests have run.

use anyhow::{Context, Result, ensure};

const PAGE: &str = include_str!("../../../../docs/operating/by-hand.md");

/// The command blocks under a heading, up to the next heading of any level.
pub(crate) fn commands(heading: &str) -> Result<Vec<&'static str>> {
    let (_, rest) = PAGE
        .split_once(&format!("# {heading}\n"))
        .with_context(|| format!("the page has no heading `{heading}`"))?;
    let section = rest.split("\n#").next().unwrap_or(rest);
    let blocks = section.split("```sh\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|block| block.split("```").next()).collect();
    ensure!(!blocks.is_empty(), "there are no commands under `{heading}`");
    Ok(blocks)
}
