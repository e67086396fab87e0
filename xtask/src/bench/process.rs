//! Processes as `/proc` shows them (proc(5)). A process that ends while it is looked at counts as nothing, never as an error.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The process and all its descendants that run now.
pub(super) fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&process) = found.get(next) {
        found.extend(children(process));
        next += 1;
    }
    found
}

fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let lists = threads.into_iter().flatten().flatten();
    let texts = lists.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    texts
        .flat_map(|text| text.split_whitespace().map(str::parse).collect::<Vec<_>>())
        .flatten()
        .collect()
}

/// Resident bytes: now, and the most that it ever were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) now: u64,
    pub(super) peak: u64,
}

pub(super) fn memory(process: u32) -> Memory {
    fs::read_to_string(format!("/proc/{process}/status")).map_or(Memory::default(), |text| of_status(&text))
}

fn of_status(text: &str) -> Memory {
    let kilobytes = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        let number = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0) * 1024
    };
    Memory {
        now: kilobytes("VmRSS:"),
        peak: kilobytes("VmHWM:"),
    }
}

/// How long a processor worked for it, in its own code and in the kernel's.
pub(super) fn processor_time(process: u32) -> Duration {
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(Duration::ZERO, |text| of_stat(&text))
}

/// Fields 14 and 15, in hundredths of a second on every common machine. The name before may hold anything.
fn of_stat(text: &str) -> Duration {
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// How long the machine's processors have worked since it was started, whoever for.
pub(super) fn machine_time() -> Duration {
    fs::read_to_string("/proc/stat").map_or(Duration::ZERO, |text| of_machine(&text))
}

/// All kinds of work, in hundredths of a second; not the times without any (idle, iowait), nor those of guests, which
/// the first ones hold already.
fn of_machine(text: &str) -> Duration {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or("");
    let fields: Vec<u64> = all.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let work = fields.iter().take(7).enumerate().filter(|(i, _)| ![3, 4].contains(i));
    Duration::from_millis(work.map(|(_, ticks)| ticks).sum::<u64>() * 10)
}

/// Bytes on disk of files that these processes have open and that no directory shows any more.
pub(super) fn unlinked(processes: &[u32]) -> u64 {
    let mut files = BTreeMap::new();
    for process in processes {
        let open = fs::read_dir(format!("/proc/{process}/fd"));
        for file in open.into_iter().flatten().flatten() {
            let gone = fs::read_link(file.path()).is_ok_and(|path| is_unlinked(&path.to_string_lossy()));
            if let (true, Ok(about)) = (gone, fs::metadata(file.path())) {
                files.insert((about.dev(), about.ino()), about.blocks() * 512);
            }
        }
    }
    files.values().sum()
}

/// What stands in memory alone is counted as memory.
fn is_unlinked(link: &str) -> bool {
    let in_memory = link.starts_with("/memfd:") || link.starts_with("/dev/");
    link.starts_with('/') && link.ends_with(" (deleted)") && !in_memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read() {
        let text = "Name:\tx\nVmPeak:\t  9000 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(
            of_status(text),
            Memory {
                now: 1 << 20,
                peak: 2 << 20
            }
        );
        // A zombie's.
        assert_eq!(of_status("Name:\tx\nState:\tZ\n"), Memory::default());
    }

    #[test]
    fn the_time_on_a_processor_is_read() {
        let text = "7 (a) name) S 1 7 7 0 -1 4194304 90 0 0 0 150 25 3 4 20 0 1 0 100";
        assert_eq!(of_stat(text), Duration::from_millis(1_750));
        assert_eq!(of_stat(""), Duration::ZERO);
    }

    #[test]
    fn the_machine_s_work_is_read_without_its_rest() {
        let text = "cpu  100 20 30 9000 800 5 7 9 40 50\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(of_machine(text), Duration::from_millis(1_620));
        assert_eq!(of_machine(""), Duration::ZERO);
    }

    #[test]
    fn a_child_is_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = tree(std::process::id());
        let memory = memory(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id()));
        assert!(memory.now > 0 && memory.peak >= memory.now);
    }

    #[test]
    fn a_file_without_a_name_is_seen() {
        let path = std::env::temp_dir().join(format!("bench-unlinked-{}", std::process::id()));
        let file = fs::File::create_new(&path).unwrap();
        fs::write(&path, vec![7; 100_000]).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(unlinked(&[std::process::id()]) >= 100_000);
        drop(file);
        assert!(!is_unlinked("/memfd:x (deleted)") && !is_unlinked("/tmp/x") && !is_unlinked("socket:[1]"));
    }
}
