//! Where the server keeps its data, as it tells itself: a folder, the dump in it, and the folder of
//! its append-only files. Nothing of it is assumed, and what this store cannot restore is refused here.

use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};

use super::access::server;
use super::info::Info;
use super::session::Session;
use super::{CAT, ValkeyStore};
use crate::toolbox::{Doing, collect, mount_of, room};

/// Files of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The folder (`dir`), without links: the server tells where it stands.
    pub(super) folder: String,
    /// The dump's name in it (`dbfilename`).
    pub(super) dump: String,
    /// The name in it of the folder of append-only files (`appenddirname`); empty before version 7.
    pub(super) aof_folder: String,
    /// How the append-only files' names begin (`appendfilename`).
    pub(super) aof_name: String,
    /// It keeps append-only files now.
    pub(super) aof: bool,
    /// How many databases it can have.
    pub(super) databases: u64,
}

impl Layout {
    pub(super) async fn ask(session: &Session) -> Result<Self, StoreError> {
        let ask = async |name: &str| {
            let setting = session.setting(name).await;
            setting.map_err(|trouble| server(format!("asking for the server's setting `{name}`"), trouble))
        };
        let (folder, dump) = (ask("dir").await?, ask("dbfilename").await?);
        if !folder.starts_with('/') || dump.is_empty() {
            return Err(StoreError::Server {
                doing: "asking for the server's settings `dir` and `dbfilename`".to_owned(),
                cause: "it does not tell where it keeps its data".into(),
            });
        }
        Ok(Self {
            folder,
            dump,
            aof_folder: ask("appenddirname").await?,
            aof_name: ask("appendfilename").await?,
            aof: ask("appendonly").await? == "yes",
            databases: ask("databases").await?.parse().unwrap_or(u64::MAX),
        })
    }

    /// The dump's path.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.folder.trim_end_matches('/'), self.dump)
    }

    /// Why its append-only files could not be made anew.
    pub(super) fn unrestorable(&self) -> Option<&'static str> {
        if !self.aof {
            None
        } else if self.aof_folder.is_empty() {
            Some("the server keeps an append-only file as versions before 7 do, which cannot be restored")
        } else if self
            .aof_name
            .contains(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '\\'))
        {
            // The manifest of append-only files would need quoting.
            Some("the name of the server's append-only files holds white space or quotes")
        } else {
            None
        }
    }
}

/// Why a server of this kind is not backed up, however well it answers.
pub(super) fn unsupported(info: &Info) -> Option<String> {
    if info.flag("cluster_enabled") {
        return Some("it is a node of a cluster, and clusters are not supported".to_owned());
    }
    if matches!(info.text("role"), "slave" | "replica") {
        return Some(format!(
            "it is a replica of {}:{}, and replicas are not supported: back up that server, and label this one \
             stillpoint.kind=none",
            info.text("master_host"),
            info.text("master_port")
        ));
    }
    None
}

/// Whether a stop of this server loses what was written since its last save.
pub(super) async fn loses_data_on_stop(session: &Session) -> Result<bool, StoreError> {
    let mut settings = Vec::new();
    for name in ["appendonly", "save", "shutdown-on-sigterm"] {
        let setting = session.setting(name).await;
        settings.push(setting.map_err(|trouble| server(format!("asking for the server's setting `{name}`"), trouble))?);
    }
    Ok(matches!(&settings[..], [aof, save, at_stop] if !outlives_a_stop(aof, save, at_stop)))
}

/// Manual: SHUTDOWN, and `shutdown-on-sigterm` in `valkey.conf`. Servers before version 7 know only the default.
fn outlives_a_stop(aof: &str, save: &str, at_stop: &str) -> bool {
    let words: Vec<&str> = at_stop.split(' ').collect();
    let saves = words.contains(&"save") || (!save.is_empty() && !words.contains(&"nosave"));
    aof == "yes" || saves
}

/// Why files could not be put into the folder while the container is stopped; none if they can.
fn out_of_reach(mounts: &str, folder: &str) -> Option<String> {
    let mount = mount_of(mounts, folder)?;
    if mount.place == "/" {
        Some(format!(
            "its folder {folder} lies on no volume: it cannot be reached while the container is stopped"
        ))
    } else if mount.is_memory() {
        Some(format!(
            "its folder {folder} lies in memory: it is empty after every stop"
        ))
    } else {
        None
    }
}

impl ValkeyStore {
    /// Whether a restore of so many bytes can put its files there.
    pub(super) async fn must_take(&self, cx: &Cx, layout: &Layout, bytes: u64) -> Result<(), StoreError> {
        let refused = |why: String| StoreError::Unfit(format!("{}: {why}", self.name));
        let mounts = self
            .run(cx, "reading the container's mounts", &[CAT, "/proc/mounts"])
            .await?;
        if let Some(why) = out_of_reach(&mounts, &layout.folder) {
            return Err(refused(why));
        }
        match room(cx, &self.workload, &layout.folder).await? {
            Some(room) if room < bytes => Err(refused(format!(
                "{} has room for {room} bytes, the backup needs {bytes} beside the present data",
                layout.folder
            ))),
            _ => Ok(()),
        }
    }

    /// Runs a small program in the store's container and returns what it says.
    pub(super) async fn run(&self, cx: &Cx, what: &str, argv: &[&str]) -> Result<String, StoreError> {
        let command = Command::new(argv.iter().copied());
        let tool = argv.first().copied().unwrap_or_default();
        let process = cx.shell.exec(&self.workload, command).await?;
        collect(cx, Doing { what, tool }, process).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "overlay / overlay rw,relatime 0 0\nproc /proc proc rw 0 0\n\
        /dev/vda1 /data ext4 rw 0 0\ntmpfs /data/fast tmpfs rw 0 0\n/dev/vda1 /my\\040data ext4 rw 0 0\n";

    #[test]
    fn a_folder_that_no_volume_holds_is_out_of_reach() {
        for folder in ["/data", "/data/deep", "/my data/x"] {
            assert_eq!(out_of_reach(MOUNTS, folder), None, "{folder}");
        }
        assert!(out_of_reach(MOUNTS, "/database").unwrap().contains("no volume"));
        assert!(out_of_reach(MOUNTS, "/data/fast").unwrap().contains("in memory"));
    }

    #[test]
    fn a_server_that_keeps_nothing_is_told_from_one_that_saves_when_it_stops() {
        for (aof, save, at_stop, keeps) in [
            ("no", "3600 1 300 100", "default", true),
            ("no", "3600 1", "", true),
            ("no", "", "default", false),
            ("no", "", "", false),
            ("yes", "", "default", true),
            ("no", "", "save force", true),
            ("no", "3600 1", "nosave now", false),
        ] {
            assert_eq!(outlives_a_stop(aof, save, at_stop), keeps, "{aof}, {save}, {at_stop}");
        }
    }

    #[test]
    fn replicas_and_nodes_of_clusters_are_told_clearly() {
        let why = |text: &str| unsupported(&Info::parse(text));
        assert_eq!(why("role:master\r\ncluster_enabled:0\r\n"), None);
        assert!(why("role:master\r\ncluster_enabled:1\r\n").unwrap().contains("cluster"));
        let replica = why("role:slave\r\nmaster_host:cache\r\nmaster_port:6379\r\n").unwrap();
        assert!(
            replica.contains("replica of cache:6379") && replica.contains("stillpoint.kind=none"),
            "{replica}"
        );
    }

    #[test]
    fn append_only_files_that_cannot_be_made_anew_are_refused() {
        let old = Layout {
            folder: "/data".into(),
            dump: "dump.rdb".into(),
            aof_folder: String::new(),
            aof_name: "appendonly.aof".into(),
            aof: true,
            databases: 16,
        };
        assert!(old.unrestorable().unwrap().contains("before 7"));
        let off = Layout {
            aof: false,
            ..old.clone()
        };
        assert_eq!(off.unrestorable(), None);
        let new = Layout {
            aof_folder: "appendonlydir".into(),
            ..old
        };
        assert_eq!(new.unrestorable(), None);
        let quoted = Layout {
            aof_name: "append only".into(),
            ..new
        };
        assert!(quoted.unrestorable().unwrap().contains("white space"));
    }
}
