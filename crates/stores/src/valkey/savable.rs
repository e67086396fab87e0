//! Whether the server can save, asked while the clients run: it forks for us only when they are down, and by then it
//! is late to learn that its folder cannot be written to.

use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};

use super::info::Info;
use super::layout::Layout;
use super::saves::STATUS;
use super::{CAT, ValkeyStore};
use crate::toolbox::{Doing, collect, is_read_only, room};

/// What a shell returns when there is no such program, or the engine when there is no shell.
const NO_PROGRAM: [i64; 2] = [126, 127];

/// Tells who a server is, and whose its folder is. Arguments: its pid, the folder.
const WHO: &str = r#"cat "/proc/$1/status"; echo "Folder: $(stat -c %g "$2")""#;

/// Arguments: the folder.
const IS_WRITABLE: &str = r#"[ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ]"#;

/// Of compressible data a dump may be much smaller than what it takes in memory.
const SMALLEST_SHARE: u64 = 20;

/// How much room for a dump there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Enough,
    /// It may not fit.
    Tight,
    /// It cannot fit.
    None,
}

impl ValkeyStore {
    /// What a dump is read with.
    pub(super) async fn must_have_tools(&self, cx: &Cx) -> Result<(), StoreError> {
        let asked = self.run(cx, "looking for tools", &["sh", "-c", "exec cat /dev/null"]);
        match asked.await {
            Err(StoreError::Tool { code, errors, .. }) if NO_PROGRAM.contains(&code) => Err(self.unfit(&format!(
                "its container has no `sh` or no `cat`, and the dump is read with them: {errors}"
            ))),
            other => other.map(drop),
        }
    }

    /// An error if a save is bound to fail; else what to warn of.
    pub(super) async fn must_be_able_to_save(
        &self,
        cx: &Cx,
        info: &Info,
        layout: &Layout,
    ) -> Result<Option<String>, StoreError> {
        let folder = &layout.folder;
        if info.text(STATUS) == "err" {
            return Err(self.unfit(
                "its last save failed: its log says why. Mend that, have it save (`BGSAVE`), and begin again when \
                 `rdb_last_bgsave_status` is `ok`",
            ));
        }
        let mounts = self
            .run(cx, "reading the container's mounts", &[CAT, "/proc/mounts"])
            .await?;
        if is_read_only(&mounts, folder) {
            return Err(self.unfit(&format!(
                "it cannot save: its folder {folder} is mounted read-only. Mount it writable, or set `dir`"
            )));
        }
        if !self.is_writable(cx, info, folder).await? {
            return Err(self.unfit(&format!(
                "it cannot save: its folder {folder} is not there, or its user may not write to it"
            )));
        }
        self.must_have_room(cx, info, layout).await
    }

    /// Whether the server's own user may write to the folder; true where nobody can tell.
    async fn is_writable(&self, cx: &Cx, info: &Info, folder: &str) -> Result<bool, StoreError> {
        let who = ["sh", "-c", WHO, "sh", info.text("process_id"), folder];
        let user = match self.run(cx, "asking who the server is", &who).await {
            Ok(told) => user(&told),
            Err(StoreError::Tool { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(user) = user else { return Ok(true) };
        let command = Command::new(["sh", "-c", IS_WRITABLE, "sh", folder]).user(Some(&user));
        let doing = Doing {
            what: "looking at the server's folder",
            tool: "sh",
        };
        match collect(cx, doing, cx.shell.exec(&self.workload, command).await?).await {
            Err(StoreError::Tool { code: 1, .. }) => Ok(false),
            Ok(_) | Err(StoreError::Tool { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn must_have_room(&self, cx: &Cx, info: &Info, layout: &Layout) -> Result<Option<String>, StoreError> {
        let Some(free) = room(cx, &self.workload, &layout.folder).await? else {
            return Ok(None);
        };
        let size = ["sh", "-c", r#"exec wc -c <"$1""#, "sh", &layout.path()];
        let last = match self.run(cx, "asking for the size of the dump", &size).await {
            Ok(bytes) => bytes.trim().parse().ok(),
            Err(StoreError::Tool { .. }) => None,
            Err(error) => return Err(error),
        };
        let (folder, used) = (&layout.folder, info.number("used_memory"));
        let of = format!("{folder} has room for {free} bytes, its data takes {used} in memory");
        match enough(free, used, last) {
            Room::Enough => Ok(None),
            Room::Tight => Ok(Some(format!("{}: a save may fail: {of}", self.name))),
            Room::None => Err(self.unfit(&format!("it cannot save beside its last dump: {of}. Make room there"))),
        }
    }
}

/// A dump is no larger than what it takes in memory. The last one tells how much smaller; but since then much may have
/// gone, or come.
fn enough(free: u64, used: u64, last: Option<u64>) -> Room {
    let last = last.filter(|last| *last > 0);
    let needed = last.map_or(used / SMALLEST_SHARE, |last| last.min(used) / 2);
    if free < needed {
        Room::None
    } else if free < last.unwrap_or(used) {
        Room::Tight
    } else {
        Room::Enough
    }
}

/// The user and group of a server, as an engine takes them: the folder's group where the server is in it.
fn user(told: &str) -> Option<String> {
    let field = |name: &str| {
        let values = told.lines().find_map(|line| line.strip_prefix(name))?;
        Some(values.split_whitespace().collect::<Vec<_>>())
    };
    // Real, effective, saved, of the file system.
    let effective = |name: &str| field(name).and_then(|ids| ids.get(1).copied());
    let (user, group) = (effective("Uid:")?, effective("Gid:")?);
    let folders = field("Folder:").and_then(|ids| ids.first().copied());
    let groups = field("Groups:").unwrap_or_default();
    let group = folders.filter(|folders| groups.contains(folders)).unwrap_or(group);
    Some(format!("{user}:{group}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_by_its_effective_user_and_the_folders_group() {
        let told = |groups: &str| {
            format!("Name:\tvalkey\nUid:\t0\t999\t0\t0\nGid:\t0\t998\t0\t0\nGroups:\t{groups}\nFolder: 50\n")
        };
        assert_eq!(user(&told("")), Some("999:998".to_owned()));
        assert_eq!(user(&told("7 50 ")), Some("999:50".to_owned()));
        assert_eq!(user("Folder: \n"), None);
    }

    #[test]
    fn only_what_cannot_fit_is_refused() {
        for (free, used, last, room) in [
            (1000, 900, None, Room::Enough),
            (500, 900, None, Room::Tight),
            (40, 900, None, Room::None),
            (500, 900, Some(400), Room::Enough),
            (300, 900, Some(400), Room::Tight),
            (199, 900, Some(400), Room::None),
            // Most of it has gone since the last save.
            (199, 300, Some(4000), Room::Tight),
            (0, 0, Some(0), Room::Enough),
        ] {
            assert_eq!(enough(free, used, last), room, "{free} {used} {last:?}");
        }
    }
}
