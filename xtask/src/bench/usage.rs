//! What a tool takes of the machine beside time that passes: collected look by look, by the sampler.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process;

/// The places in which a tool could put something aside.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Its `TMPDIR`: everything in it is temporary.
    pub(super) temporary: PathBuf,
    /// Where it keeps what it needs between runs: only what is gone in the end was temporary.
    pub(super) state: Option<PathBuf>,
    /// What the store's container writes outside its volumes; it is not empty at the beginning.
    pub(super) layer: Option<PathBuf>,
}

/// Peaks of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Resident bytes of the tool and all its descendants at one moment.
    pub(super) memory: u64,
    /// Bytes in files that are gone afterwards, the ledger's own excepted.
    pub(super) disk: u64,
    /// Bytes of the ledger with its write-ahead log: what a run intends, on disk before it is done. Nobody's data.
    pub(super) ledger: u64,
    /// How long the machine's processors worked meanwhile, for whomever: dumps are made in the stores' containers, and
    /// the engine carries them.
    pub(super) processors: Duration,
}

/// The beginning of the names of the ledger's files in the state directory.
const LEDGER: &str = "ledger.sqlite";

/// The looks of one run so far.
pub(super) struct Looks {
    places: Places,
    layer_before: u64,
    memory: u64,
    temporary: u64,
    state: u64,
    ledger: u64,
    layer: u64,
    worked_before: Duration,
}

impl Looks {
    pub(super) fn new(places: Places) -> Self {
        let layer_before = places.layer.as_deref().map_or(0, on_disk);
        Self {
            places,
            layer_before,
            memory: 0,
            temporary: 0,
            state: 0,
            ledger: 0,
            layer: layer_before,
            worked_before: process::machine_time(),
        }
    }

    pub(super) fn look(&mut self, root: u32) {
        let processes = process::tree(root);
        let memory: Vec<_> = processes.iter().map(|p| process::memory(*p)).collect();
        let together = memory.iter().map(|m| m.now).sum();
        // A peak between two looks shows in the process's own high-water mark.
        let alone = memory.iter().map(|m| m.peak).max().unwrap_or(0);
        self.memory = self.memory.max(together).max(alone);
        let temporary = on_disk(&self.places.temporary) + process::unlinked(&processes);
        self.temporary = self.temporary.max(temporary);
        self.state = self.state.max(self.state_now(false));
        self.ledger = self.ledger.max(self.state_now(true));
        self.layer = self.layer.max(self.places.layer.as_deref().map_or(0, on_disk));
    }

    /// What is in the state directory: the ledger's files, or all others.
    fn state_now(&self, ledger: bool) -> u64 {
        let wanted = |name: &str, about: &fs::Metadata| {
            let counts = name.starts_with(LEDGER) == ledger;
            if counts { about.blocks() * 512 } else { 0 }
        };
        self.places.state.as_deref().map_or(0, |folder| sum(folder, &wanted))
    }

    pub(super) fn end(self) -> Usage {
        let state = self.state.saturating_sub(self.state_now(false));
        let layer = self.layer.saturating_sub(self.layer_before);
        Usage {
            memory: self.memory,
            disk: self.temporary + state + layer,
            ledger: self.ledger,
            processors: process::machine_time().saturating_sub(self.worked_before),
        }
    }
}

/// Bytes that the files below a folder occupy; the folders themselves are not counted.
pub(super) fn on_disk(folder: &Path) -> u64 {
    sum(folder, &|_, about| about.blocks() * 512)
}

/// Bytes in the files below a folder.
pub(super) fn content(folder: &Path) -> u64 {
    sum(folder, &|_, about| about.len())
}

/// What vanishes while it is being looked at counts as nothing.
fn sum(folder: &Path, of: &impl Fn(&str, &fs::Metadata) -> u64) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let about = entry.metadata().ok()?;
        Some(if about.is_dir() {
            sum(&entry.path(), of)
        } else {
            of(&entry.file_name().to_string_lossy(), &about)
        })
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bench-{name}-{}", std::process::id()));
            for place in ["temporary", "state", "layer"] {
                fs::create_dir_all(path.join(place)).unwrap();
            }
            Self(path)
        }

        fn put(&self, file: &str, bytes: usize) {
            fs::write(self.0.join(file), vec![7; bytes]).unwrap();
        }

        fn looks(&self) -> Looks {
            Looks::new(Places {
                temporary: self.0.join("temporary"),
                state: Some(self.0.join("state")),
                layer: Some(self.0.join("layer")),
            })
        }
    }

    #[test]
    fn what_was_there_for_a_moment_is_seen() {
        let folder = Folder::new("moment");
        let mut looks = folder.looks();
        folder.put("temporary/x", 65_536);
        looks.look(std::process::id());
        fs::remove_file(folder.0.join("temporary/x")).unwrap();
        looks.look(std::process::id());
        let usage = looks.end();
        assert!(usage.disk >= 65_536 && usage.memory > 0, "{usage:?}");
        fs::remove_dir_all(&folder.0).unwrap();
    }

    #[test]
    fn what_vanishes_from_the_state_directory_was_temporary() {
        let folder = Folder::new("vanishes");
        let mut looks = folder.looks();
        folder.put("state/spool", 65_536);
        looks.look(std::process::id());
        fs::remove_file(folder.0.join("state/spool")).unwrap();
        assert!(looks.end().disk >= 65_536);
        fs::remove_dir_all(&folder.0).unwrap();
    }

    #[test]
    fn what_stays_and_what_was_there_before_is_not_temporary() {
        let folder = Folder::new("stays");
        folder.put("layer/old", 65_536);
        let mut looks = folder.looks();
        folder.put("state/kept", 65_536);
        folder.put("state/ledger.sqlite-wal", 131_072);
        looks.look(std::process::id());
        fs::remove_file(folder.0.join("state/ledger.sqlite-wal")).unwrap();
        // Files without a name may be another test's.
        let usage = looks.end();
        assert_eq!((usage.disk / 65_536, usage.ledger / 131_072), (0, 1), "{usage:?}");
        fs::remove_dir_all(&folder.0).unwrap();
    }
}
