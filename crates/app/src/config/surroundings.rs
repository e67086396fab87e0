//! What the configuration is read from, taken once: later changes of our environment change nothing,
//! and tests have surroundings of their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::key::Key;
use crate::failure::Failure;

/// The process's surroundings.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// Our environment.
    pub(super) environment: BTreeMap<OsString, OsString>,
    /// Where `stillpoint.toml` is looked for if none is named.
    pub(super) files: Vec<PathBuf>,
    /// Whether we are root.
    pub(super) root: bool,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_process() -> Self {
        Self {
            environment: std::env::vars_os().collect(),
            files: vec!["stillpoint.toml".into(), "/etc/stillpoint/stillpoint.toml".into()],
            root: is_root(),
        }
    }

    /// `/var/lib/stillpoint/<leaf>` for root; below the user's own directories for anybody else.
    pub(super) fn home(&self, variable: &str, below_home: &str, leaf: &str, instead: &Key) -> Result<PathBuf, Failure> {
        if self.root {
            return Ok(Path::new("/var/lib/stillpoint").join(leaf));
        }
        let set = |name: &str| {
            let value = self.environment.get(std::ffi::OsStr::new(name));
            value.filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let base = set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)));
        base.map(|base| base.join("stillpoint").join(leaf)).ok_or_else(|| {
            Failure::usage(
                format!("neither {variable} nor HOME is set"),
                format!("set one, or {}", instead.variable),
            )
        })
    }
}

/// Whether this process is root's: its own entry in `/proc` belongs to it.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
