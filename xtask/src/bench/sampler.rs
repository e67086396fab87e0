//! Looks at a running tool from a thread of its own, until it is told to stop. Ends a tool that runs beyond the limit, and nothing else.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::usage::{Looks, Usage};

const EVERY: Duration = Duration::from_millis(20);
/// No run at the scales that a machine with two cores is measured at takes longer, unless it hangs.
const LIMIT: Duration = Duration::from_hours(1);

pub(super) struct Sampler {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Usage>,
}

impl Sampler {
    pub(super) fn start(process: u32, mut looks: Looks) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            while !seen.load(Ordering::Relaxed) {
                looks.look(process);
                if begun.elapsed() > LIMIT {
                    end(process);
                }
                sleep(EVERY);
            }
            looks.end()
        });
        Self { ended, thread }
    }

    /// To be called when the tool has ended.
    pub(super) fn stop(self) -> Result<Usage> {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the sampler panicked"))
    }
}

/// Its exit by a signal is what the caller then reports.
fn end(process: u32) {
    drop(Command::new("kill").args(["-s", "KILL", &process.to_string()]).status());
}
