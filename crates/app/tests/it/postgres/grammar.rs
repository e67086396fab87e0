//! Random servers from a grammar of the awkward. The soak has many more of them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::rounds::grammar::{Case, Ended, round};

use super::on_server;

/// Seeds whose servers have everything of the grammar in them, together.
const SEEDS: [u64; 2] = [1, 2];

#[test]
fn whatever_a_server_holds_comes_back_or_is_refused_by_name() -> Result<()> {
    let mut seen = BTreeSet::new();
    for (at, seed) in SEEDS.into_iter().enumerate() {
        on_server(&format!("grammar{seed}"), "POSTGRES", |server| {
            let ended = round(server, &Case::of(seed), at % 2 == 1).with_context(|| format!("seed {seed}"))?;
            let Ended::Equal { accepted } = ended else {
                anyhow::bail!("seed {seed}: {ended:?}");
            };
            seen.extend(accepted);
            Ok(())
        })?;
    }
    ensure!(seen.len() > 20, "only {} kinds of block: {seen:?}", seen.len());
    Ok(())
}
