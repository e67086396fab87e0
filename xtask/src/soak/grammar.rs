//! Random servers, one after the other, as long as there is time. What one of them shows does not keep the others from being tried.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use stillpoint_testkit::lone_postgres::on_server;
use stillpoint_testkit::rounds::grammar::{Case, Ended, round};

use super::program;

pub(super) fn soak(time: Duration, seed: u64) -> Result<String> {
    let (program, begun) = (program()?, Instant::now());
    let (mut equal, mut refused, mut broken) = (0_u32, BTreeMap::new(), Vec::new());
    let mut kinds = std::collections::BTreeSet::new();
    for seed in seed.. {
        if begun.elapsed() >= time {
            break;
        }
        let mut ended = None;
        let tried = on_server(&program, &format!("grammar{seed}"), "POSTGRES", |server| {
            ended = Some(round(server, &Case::of(seed), seed % 2 == 0)?);
            Ok(())
        });
        match (tried, ended) {
            (Ok(()), Some(Ended::Equal { accepted })) => {
                equal += 1;
                kinds.extend(accepted);
                println!("grammar: seed {seed}: equal");
            }
            (Ok(()), Some(Ended::Refused(words))) => {
                println!("grammar: seed {seed}: refused: {words}");
                refused.insert(seed, words);
            }
            (tried, _) => {
                let error = tried.err().map_or_else(String::new, |error| format!("{error:#}"));
                println!("grammar: seed {seed}: BROKEN: {error}");
                broken.push(format!("seed {seed}: {error}"));
            }
        }
    }
    if !broken.is_empty() {
        bail!("{} servers did not come back:\n{}", broken.len(), broken.join("\n"));
    }
    Ok(format!(
        "`cargo xtask soak --only grammar` (from seed {seed}): in {} minutes {equal} random servers with {} kinds of things in them were \
         backed up and came back equal, every second one in an empty server, the others also after `restore undo`; {} were refused \
         before anything stopped.\n",
        time.as_secs() / 60,
        kinds.len(),
        refused.len()
    ))
}
