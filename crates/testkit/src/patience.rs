//! Waiting for what comes in its own time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Waits until `there` holds, for a minute.
pub fn until(what: &str, there: impl FnMut() -> Result<bool>) -> Result<()> {
    until_within(Duration::from_mins(1), what, there)
}

/// Waits until `there` holds, at most so long. What may take long is asked for less often.
pub fn until_within(limit: Duration, what: &str, mut there: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if there()? {
            return Ok(());
        }
        std::thread::sleep(limit / 1200);
    }
    bail!("{what}: not within {} s", limit.as_secs())
}
