//! The watchdog: a small child that outlives a run that dies, and brings the platform back at once.
//! It hears of the death by the end of its standard input, which the operating system closes with
//! the process, however that ended. It then does what `containers recover` does, and waits a while
//! for the dead run's lock, which may go a moment later.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::config::Config;
use crate::display::print;

/// What a run that ended by itself says.
const DISMISSED: &[u8] = b"done";

/// The watchdog of this process.
pub(crate) struct Watchdog(Option<Child>);

impl Watchdog {
    /// Starts it. A run without a watchdog is told of, and goes on: the claim is there all the same.
    pub(crate) fn start(config: &Config) -> Self {
        match spawn(config) {
            Ok(child) => Self(Some(child)),
            Err(error) => {
                print::error(&format!(
                    "warning: no watchdog ({error}): if this process is killed, run `stillpoint containers recover`"
                ));
                Self(None)
            }
        }
    }

    /// The run has ended by itself, well or not: there is nothing to watch any more.
    pub(crate) fn dismiss(self) {
        let Some(mut child) = self.0 else { return };
        if let Some(mut input) = child.stdin.take() {
            // One that has died already needs no dismissal.
            let _ = input.write_all(DISMISSED);
        }
        let _ = child.wait();
    }
}

fn spawn(config: &Config) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["containers", "recover", "--watch"])
        .args(config.arguments());
    // A group of its own: a Ctrl-C at the terminal is for the run, which undoes by itself.
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
}

/// Waits for the end of standard input. True if the run said that it ended by itself.
pub(crate) fn was_dismissed() -> bool {
    let mut said = Vec::new();
    // A broken pipe is an end like any other.
    let _ = std::io::stdin().read_to_end(&mut said);
    if said == DISMISSED {
        return true;
    }
    print::error("watchdog: the run has died; what it left is looked after now");
    false
}
