//! Waiting for what comes in its own time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Waits until `there` holds.
pub fn until(what: &str, mut there: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        if there()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("{what}: not within 60 s")
}
