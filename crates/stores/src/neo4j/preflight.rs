//! Looking, while the platform runs, whether a backup or a restore can succeed. Writes nothing.

use stillpoint_core::stores::{AtRest, Cx, InVolume, Preflight, Reasons, Source, StoreError};

use super::layout::{self, Layout};
use super::session::{SYSTEM, Session};
use super::{Neo4jStore, Pin, inventory, versions};
use crate::toolbox::{is_read_only, mount_of, mounts, room};

/// Names what of the programs that a backup needs is not there.
const MISSING: &str = r#"for tool in bash cat chown cp du grep mkdir mv neo4j neo4j-admin readlink rm sleep stat; do
  command -v "$tool" >/dev/null 2>&1 || printf '%s ' "$tool"
done"#;

/// What a copy of both folders takes, in KiB: what `du` says, and, as negative numbers, what of that a copy leaves out. The
/// newest log of a database is made in its full size (256 MiB) before anything is in it, and a copy that makes holes drops the
/// zeros behind what was written. Where those begin is found by halving: each byte is read once at most, until the first that is
/// not zero. Older logs are full. Whatever a tool or a copy cannot do here counts as written. Arguments: data, logs.
const SIZES: &str = r#"du -sk -- "$1/databases" "$2" 2>/dev/null || :
cp --help 2>&1 | grep -q -e --sparse || exit 0
for folder in "$2"/*/; do
  newest= highest=-1
  for log in "$folder"neostore.transaction.db.*; do
    number=${log##*.}
    case $number in '' | *[!0-9]*) continue ;; esac
    if [ "$number" -gt "$highest" ]; then newest=$log highest=$number; fi
  done
  [ -f "$newest" ] || continue
  bytes=$(stat -c %s -- "$newest") taken=$(du -k -- "$newest" | cut -f1)
  low=0 high=$(((bytes + 1048575) / 1048576)) end=$bytes
  while [ "$low" -lt "$high" ]; do
    middle=$(((low + high) / 2)) begin=$(((low + high) / 2 * 1048576))
    if dd if="$newest" bs=1048576 skip="$middle" count=$((high - middle)) 2>/dev/null | cmp -s -n $((end - begin)) - /dev/zero; then
      high=$middle end=$begin
    else
      low=$((middle + 1))
    fi
  done
  if [ "$taken" -gt $((high * 1024)) ]; then printf '%s\t%s\n' $((high * 1024 - taken)) "$newest"; fi
done"#;

/// Names what is in the folder of databases.
const DATABASES: &str = r#"ls -- "$1/databases""#;

/// What a server that recovers the copy may add to it: a checkpoint, new logs.
const GROWTH: u64 = 20;
const AT_LEAST: u64 = 64 << 20;

/// A copy is told to take its time where it may take longer than this. Disks of small servers write so much in a second.
const SECONDS_TOLD: u64 = 10;
const WRITTEN_IN_A_SECOND: u64 = 200 << 20;

impl Neo4jStore {
    pub(super) async fn look_at_server(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        let (layout, session) = self.must_be_supported(cx).await?;
        inventory::count(&session, &layout.database)
            .await
            .map_err(|trouble| self.failed("counting what is in it", trouble))?;
        self.must_have_tools(cx).await?;
        self.must_be_in_a_volume(cx, &layout).await?;
        let bytes = self.size(cx, &layout).await?;
        let mut warnings = self.warnings(cx, &layout).await?;
        let mut in_volume = None;
        match self.pin {
            Pin::Stop => {}
            Pin::Copy => {
                let needed = bytes + (bytes / GROWTH).max(AT_LEAST);
                self.must_take_copy(cx, &layout, needed).await?;
                let seconds = bytes / WRITTEN_IN_A_SECOND;
                if seconds >= SECONDS_TOLD {
                    warnings.push(format!(
                        "{}: it is paused for a copy of its {} MiB; where its file system cannot share blocks (ext4) that may \
                         take {seconds} s",
                        self.name,
                        bytes >> 20
                    ));
                }
                in_volume = Some(InVolume {
                    place: layout.data.clone(),
                    bytes: needed,
                });
            }
        }
        Ok(Preflight {
            version: session.about.version.clone(),
            bytes,
            spool: if self.pin == Pin::Stop { bytes } else { 0 },
            in_volume,
            warnings,
        })
    }

    /// What the server is, and where its data lies; an error if it is what this store cannot back up. The first statement
    /// shows whether we are let in.
    async fn must_be_supported<'a>(&'a self, cx: &'a Cx) -> Result<(Layout, Session<'a>), StoreError> {
        let session = self.open(cx).await?;
        if let Some(why) = versions::unsupported(&session.about.version, &session.about.edition) {
            return Err(self.unfit(&why));
        }
        let layout = self.learn(cx, &self.workload).await?;
        self.must_let_in(&session).await?;
        self.must_be_so(cx, &session, &layout).await?;
        self.mark(&session, &layout.database).await?;
        Ok((layout, session))
    }

    async fn must_have_tools(&self, cx: &Cx) -> Result<(), StoreError> {
        let missing = layout::run(cx, &self.workload, "looking for tools", MISSING, &[]).await?;
        match missing.trim() {
            "" => Ok(()),
            missing => Err(self.unfit(&format!("its container has no {missing}"))),
        }
    }

    async fn size(&self, cx: &Cx, layout: &Layout) -> Result<u64, StoreError> {
        let arguments = [&*layout.data, &layout.logs];
        let said = layout::run(cx, &self.workload, "asking for its size", SIZES, &arguments).await?;
        Ok(kibibytes(&said) << 10)
    }

    /// Another container sees volumes, and nothing of the container's own layer.
    async fn must_be_in_a_volume(&self, cx: &Cx, layout: &Layout) -> Result<(), StoreError> {
        let mounts = mounts(cx, &self.workload).await?.unwrap_or_default();
        for folder in [&layout.data, &layout.logs] {
            if mount_of(&mounts, folder).is_some_and(|mount| mount.place == "/") {
                return Err(self.unfit(&format!(
                    "its folder {folder} lies on no volume: no other container can copy or dump what is in it"
                )));
            }
        }
        Ok(())
    }

    async fn must_take_copy(&self, cx: &Cx, layout: &Layout, needed: u64) -> Result<(), StoreError> {
        const WAY_OUT: &str = "set `pin` of the store to `stop`: then it is stopped and dumped while the clients wait";
        let mounts = mounts(cx, &self.workload).await?.unwrap_or_default();
        if is_read_only(&mounts, &layout.data) {
            return Err(self.unfit(&format!("its folder {} is mounted read-only: {WAY_OUT}", layout.data)));
        }
        match room(cx, &self.workload, &layout.data).await? {
            Some(room) if room < needed => Err(self.unfit(&format!(
                "{} has room for {room} bytes, and the copy that a backup makes there needs {needed}: make room, or {WAY_OUT}",
                layout.data
            ))),
            _ => Ok(()),
        }
    }

    async fn warnings(&self, cx: &Cx, layout: &Layout) -> Result<Vec<String>, StoreError> {
        let mut warnings = Vec::new();
        if let Some(folder) = self.set_aside(cx, layout).await? {
            warnings.push(format!(
                "{}: {folder}, its data as it was before a restore, is not backed up (`stillpoint restore discard-old` frees it)",
                self.name
            ));
        }
        let databases = layout::run(cx, &self.workload, "listing its databases", DATABASES, &[&layout.data]).await?;
        for other in others(&databases, &layout.database) {
            warnings.push(format!(
                "{}: {}/{other} is no database of this server any more and is not backed up: its database is called {}",
                self.name,
                layout.databases(),
                layout.database
            ));
        }
        Ok(warnings)
    }

    /// Whether the source can be put in the place of this server's data. All of it is read.
    pub(super) async fn fits(&self, cx: &Cx, source: &Source) -> Result<(), StoreError> {
        let (layout, session) = self.must_be_supported(cx).await?;
        let mut reasons = Reasons::default();
        reasons.note(self.must_be_new_enough(&session.about.version, &source.record))?;
        reasons.note(self.must_have_tools(cx).await)?;
        match self.must_be_sound(cx, source).await {
            Ok(bytes) => reasons.note(self.must_take(cx, &layout, bytes).await)?,
            Err(error) => reasons.note(Err(error))?,
        }
        reasons.into_result()
    }

    async fn must_take(&self, cx: &Cx, layout: &Layout, bytes: u64) -> Result<(), StoreError> {
        let mounts = mounts(cx, &self.workload).await?.unwrap_or_default();
        if let Some(why) = out_of_reach(&mounts, layout) {
            return Err(self.unfit(&why));
        }
        let needed = bytes + AT_LEAST;
        match room(cx, &self.workload, &layout.data).await? {
            Some(room) if room < needed => Err(self.unfit(&format!(
                "{} has room for {room} bytes, the backup needs {needed} beside the present data",
                layout.data
            ))),
            _ => Ok(()),
        }
    }

    /// What a stop would leave: everything, for a commit is on disk before it is answered.
    pub(super) async fn left_by_a_stop(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        let layout = self.learn(cx, &self.workload).await?;
        Ok(AtRest {
            folders: vec![layout.data, layout.logs],
            ..AtRest::default()
        })
    }
}

/// The sum of what [`SIZES`] says, line by line.
fn kibibytes(said: &str) -> u64 {
    let sizes = said
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse::<i64>().ok());
    u64::try_from(sizes.sum::<i64>()).unwrap_or(0)
}

/// Databases that are there and are not served. Community serves one, and `system`.
fn others<'a>(listed: &'a str, database: &str) -> Vec<&'a str> {
    let ours = ["", database, SYSTEM, "store_lock"];
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    let others = listed.lines().filter(|name| !ours.contains(name) && is_name(name));
    others.collect()
}

/// Why data could not be exchanged by renames while the container is stopped; none if it can.
fn out_of_reach(mounts: &str, layout: &Layout) -> Option<String> {
    let (data, logs) = (mount_of(mounts, &layout.data)?, mount_of(mounts, &layout.logs)?);
    if data.place == "/" {
        Some(format!(
            "its folder {} lies on no volume: it cannot be reached while the container is stopped",
            layout.data
        ))
    } else if data.is_memory() {
        Some(format!(
            "its folder {} lies in memory: it is empty after every stop",
            layout.data
        ))
    } else if data.place != logs.place {
        Some(format!(
            "its transaction logs ({}) lie on another volume than its data ({}): the two cannot be exchanged together, and a \
             restore into such a server is not supported",
            layout.logs, layout.data
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const MOUNTS: &str = "overlay / overlay rw,relatime 0 0\n/dev/vda1 /data ext4 rw 0 0\n/dev/vdb1 /tx ext4 rw 0 0\n\
                          tmpfs /memory tmpfs rw 0 0\n";

    fn layout(data: &str, logs: &str) -> Layout {
        Layout {
            data: data.into(),
            logs: logs.into(),
            database: "neo4j".into(),
            owner: "7474:7474".into(),
            jvm: Vec::new(),
        }
    }

    #[test]
    fn data_that_cannot_be_exchanged_by_a_rename_is_out_of_reach() {
        let why = |data: &str, logs: &str| out_of_reach(MOUNTS, &layout(data, logs));
        assert_eq!(why("/data", "/data/transactions"), None);
        assert_eq!(why("/data/deep", "/data/tx"), None);
        assert!(why("/data", "/tx").unwrap().contains("another volume"));
        assert!(why("/graph", "/graph/transactions").unwrap().contains("no volume"));
        assert!(why("/memory", "/memory/transactions").unwrap().contains("in memory"));
    }

    /// What the script says of a folder, in MiB.
    fn size_of(data: &Path) -> u64 {
        let text = data.to_str().unwrap();
        let words = ["-euc", SIZES, "sh", text, &format!("{text}/transactions")];
        let ran = Command::new("sh").args(words).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        kibibytes(std::str::from_utf8(&ran.stdout).unwrap()) >> 10
    }

    #[test]
    fn what_a_copy_of_the_newest_log_leaves_out_is_not_counted() {
        const MIB: usize = 1 << 20;
        for (written, counted) in [(0, 0), (1, 1), (3 * MIB, 3), (3 * MIB + 1, 4), (9 * MIB + 7, 9)] {
            let folder = tempfile::tempdir().unwrap();
            let logs = folder.path().join("transactions/neo4j");
            fs::create_dir_all(&logs).unwrap();
            fs::create_dir(folder.path().join("databases")).unwrap();
            // Zeros between what was written are no end of it.
            let mut content = vec![0; 9 * MIB + 7];
            if written > 0 {
                content[0] = 1;
                content[written - 1] = 1;
            }
            fs::write(logs.join("neostore.transaction.db.10"), &content).unwrap();
            assert_eq!(size_of(folder.path()), counted, "{written}");
            // An older one counts as it is.
            fs::write(logs.join("neostore.transaction.db.9"), vec![0; 2 * MIB]).unwrap();
            assert_eq!(size_of(folder.path()), counted + 2, "{written}");
        }
    }

    #[test]
    fn sizes_are_summed_and_former_databases_are_named() {
        assert_eq!(
            kibibytes(
                "2164\t/data/databases\n526348\t/data/transactions\n-262144\t/data/transactions/neo4j/neostore.transaction.db.0\n"
            ),
            266_368
        );
        assert_eq!(
            others("films\nlost+found\nneo4j\nstore_lock\nsystem\n", "films"),
            ["neo4j"]
        );
    }
}
