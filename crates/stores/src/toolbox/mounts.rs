//! What lies where in a store's container, as its own `/proc/mounts` says: also a volume may be made of memory.

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};

use super::{Doing, collect};

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is mounted.
    pub(crate) place: String,
    kind: String,
    read_only: bool,
}

impl Mount {
    /// Whether it is empty after every stop.
    pub(crate) fn is_memory(&self) -> bool {
        ["tmpfs", "ramfs"].contains(&self.kind.as_str())
    }
}

/// The mounts of a container, as it tells them; none where it has no `cat`.
pub(crate) async fn mounts(cx: &Cx, workload: &WorkloadId) -> Result<Option<String>, StoreError> {
    let process = cx.shell.exec(workload, Command::new(["cat", "/proc/mounts"])).await?;
    let doing = Doing {
        what: "reading the container's mounts",
        tool: "cat",
    };
    match collect(cx, doing, process).await {
        Ok(mounts) => Ok(Some(mounts)),
        Err(StoreError::Tool { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The mount on which a folder lies: the one whose place is the longest part of its path.
pub(crate) fn mount_of(mounts: &str, folder: &str) -> Option<Mount> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?.replace("\\040", " "), words.next()?.to_owned());
        let read_only = words.next()?.split(',').any(|option| option == "ro");
        Some(Mount { place, kind, read_only })
    });
    let above = |place: &str| place == "/" || folder == place || folder.starts_with(&format!("{place}/"));
    mounts
        .filter(|mount| above(&mount.place))
        .max_by_key(|mount| mount.place.len())
}

/// Whether nobody can write into the folder.
pub(crate) fn is_read_only(mounts: &str, folder: &str) -> bool {
    mount_of(mounts, folder).is_some_and(|mount| mount.read_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "overlay / overlay rw,relatime 0 0\nproc /proc proc rw 0 0\n\
        /dev/vda1 /data ext4 rw 0 0\ntmpfs /data/fast tmpfs rw 0 0\n/dev/vda1 /my\\040data ext4 rw 0 0\n";

    #[test]
    fn a_read_only_mount_is_told_from_one_that_is_written_to() {
        let mounts = format!("{MOUNTS}/dev/vda1 /data/fixed ext4 relatime,ro 0 0\n");
        assert!(is_read_only(&mounts, "/data/fixed") && is_read_only(&mounts, "/data/fixed/deep"));
        assert!(!is_read_only(&mounts, "/data") && !is_read_only(&mounts, "/elsewhere"));
    }
}
