//! Whose a resource is: a label that names one living process, or none. A process that is gone cannot clean up; others may then.

use std::fs;

use anyhow::{Context, Result};

/// On every container, volume and network of a testbed.
pub(crate) const LABEL: &str = "stillpoint.testbed.owner";
/// Belongs to whoever sits at the terminal: only `down` removes it.
pub(super) const KEPT: &str = "kept";

/// The label's value for this process.
pub(crate) fn this_process() -> Result<String> {
    of(std::process::id())
}

/// The label's value for the process that runs the tests, of which each may be a process of its own: it ends after the last of them.
pub(crate) fn the_runner() -> Result<String> {
    of(std::os::unix::process::parent_id())
}

/// The pid and the start time, which together no later process has.
fn of(pid: u32) -> Result<String> {
    let started = start_time(pid).with_context(|| format!("cannot read the start time of process {pid} from /proc"))?;
    Ok(format!("{pid}-{started}"))
}

/// Whether the owner is still there. What nobody labelled, or labelled oddly, is not ours to judge: alive.
pub(super) fn is_alive(label: &str) -> bool {
    let Some((pid, started)) = label.split_once('-') else {
        return true;
    };
    let (Ok(pid), Ok(started)) = (pid.parse(), started.parse::<u64>()) else {
        return true;
    };
    start_time(pid) == Some(started)
}

/// Field 22 of `/proc/PID/stat` (proc(5)): clock ticks after boot. The command's name may hold blanks and brackets: it ends at the last one.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_an_earlier_one_with_its_pid_is_not() {
        let me = this_process().unwrap();
        assert!(is_alive(&me));
        let (pid, started) = me.split_once('-').unwrap();
        let earlier = started.parse::<u64>().unwrap() - 1;
        assert!(!is_alive(&format!("{pid}-{earlier}")));
    }

    #[test]
    fn what_is_kept_or_not_understood_is_left_alone() {
        assert!(is_alive(KEPT));
        assert!(is_alive("x-y"));
        assert!(is_alive(""));
    }
}
