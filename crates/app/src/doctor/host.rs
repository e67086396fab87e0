//! What of this host matters to a platform: what begins when it starts, and its jobs that remove what does not run. Reads a few
//! files; runs nothing. Of a job that is found only its place and the words of the command are told: lines may hold secrets.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use stillpoint_core::doctor::{Boot, PruneJob};

/// Files of jobs, and folders of such.
const CRONTABS: [&str; 2] = ["etc/crontab", "etc/anacrontab"];
const FOLDERS: [&str; 8] = [
    "etc/cron.d",
    "etc/cron.hourly",
    "etc/cron.daily",
    "etc/cron.weekly",
    "etc/cron.monthly",
    "var/spool/cron",
    "var/spool/cron/crontabs",
    "etc/systemd/system",
];

/// There where systemd runs the host.
const SYSTEMD: &str = "run/systemd/system";

/// Where units are enabled.
const UNITS: &str = "etc/systemd/system";

/// What no job of a host is longer than.
const LONGEST: u64 = 256 << 10;

/// What a prune removes of a backup's: containers that are stopped, and networks that nobody is in.
const HARMFUL: [&str; 3] = ["system", "container", "network"];

/// File systems that are elsewhere.
const REMOTE: [&str; 11] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "nfs",
    "nfs4",
    "smb3",
];

/// What was seen.
pub(super) struct Seen {
    pub(super) boot: Option<Boot>,
    pub(super) prunes: Vec<PruneJob>,
    pub(super) unseen: Vec<String>,
}

/// Looks at the host whose files are below `root`.
pub(super) fn look(root: &Path) -> Seen {
    let mut seen = Seen {
        boot: boot(root),
        prunes: Vec::new(),
        unseen: Vec::new(),
    };
    if seen.boot.is_none() {
        seen.unseen
            .push("what begins when the host starts: no systemd runs it".to_owned());
    }
    for file in CRONTABS {
        seen.read(&root.join(file));
    }
    for folder in FOLDERS {
        match files(&root.join(folder)) {
            Ok(files) => files.iter().for_each(|file| seen.read(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => seen.unseen.push(format!("the jobs in /{folder}: {error}")),
        }
    }
    seen
}

impl Seen {
    fn read(&mut self, file: &Path) {
        let mut text = Vec::new();
        let read = fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
        match read {
            Ok(_) => self
                .prunes
                .extend(prunes(&file.display().to_string(), &String::from_utf8_lossy(&text))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.unseen.push(format!("the jobs in {}: {error}", file.display())),
        }
    }
}

/// Its files, in order of their names; links are followed, folders are not.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

fn boot(root: &Path) -> Option<Boot> {
    if !root.join(SYSTEMD).is_dir() {
        return None;
    }
    let targets = fs::read_dir(root.join(UNITS)).into_iter().flatten();
    let targets: Vec<PathBuf> = targets.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // Links are enough: what they lead to may be out of sight.
    let is_wanted = |unit: &str| {
        targets
            .iter()
            .any(|target| target.join(unit).symlink_metadata().is_ok())
    };
    Some(Boot {
        service: is_wanted("stillpoint.service"),
        recover: is_wanted("stillpoint-recover.service"),
        timer: is_wanted("stillpoint-backup.timer"),
    })
}

fn prunes(place: &str, text: &str) -> Vec<PruneJob> {
    let lines = text.lines().enumerate();
    let found = lines.filter_map(|(at, line)| {
        Some(PruneJob {
            place: format!("{place}, line {}", at + 1),
            command: prune(line)?,
        })
    });
    found.collect()
}

/// The command in a line that removes what does not run, in its own words without options.
fn prune(line: &str) -> Option<String> {
    if line.trim_start().starts_with(['#', ';']) {
        return None;
    }
    let words: Vec<&str> = line
        .split(|sign: char| sign.is_whitespace() || ";&|()\"'`=".contains(sign))
        .filter(|word| !word.is_empty())
        .collect();
    let mut starts = words
        .iter()
        .enumerate()
        .filter(|(_, word)| word.rsplit('/').next() == Some("docker"));
    starts.find_map(|(at, _)| {
        let mut rest = words[at + 1..].iter().filter(|word| !word.starts_with('-'));
        let object = rest.find(|word| HARMFUL.contains(word) || **word == "prune")?;
        let is_prune = HARMFUL.contains(object) && rest.next() == Some(&"prune");
        is_prune.then(|| format!("docker {object} prune"))
    })
}

/// Whether a directory is on a file system that is elsewhere.
pub(super) fn is_remote(directory: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    // One that is not made yet will be where its nearest folder is.
    let there = directory.ancestors().find_map(|folder| folder.canonicalize().ok());
    is_on_remote(&there.unwrap_or_else(|| directory.to_owned()), &mounts)
}

fn is_on_remote(directory: &Path, mounts: &str) -> bool {
    let rows = mounts.lines().filter_map(|line| {
        let mut columns = line.split(' ').skip(1);
        Some((columns.next()?.replace("\\040", " "), columns.next()?))
    });
    let above = rows.filter(|(at, _)| directory.starts_with(at));
    // Of several on one place the last is seen.
    let nearest = above.max_by_key(|(at, _)| at.len());
    nearest.is_some_and(|(_, kind)| REMOTE.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn only_what_removes_stopped_containers_or_networks_is_told() {
        for (line, found) in [
            ("0 4 * * * root docker system prune -af", Some("docker system prune")),
            (
                "@daily /usr/bin/docker --host unix:///x container prune -f",
                Some("docker container prune"),
            ),
            (
                "ExecStart=/usr/bin/docker network prune --force",
                Some("docker network prune"),
            ),
            (
                "0 4 * * * root PASSWORD=x sh -c 'docker system prune -f'",
                Some("docker system prune"),
            ),
            ("0 4 * * * root docker image prune -af", None),
            ("0 4 * * * root docker volume prune -f", None),
            ("# 0 4 * * * root docker system prune -af", None),
            ("0 4 * * * root docker system df", None),
            ("0 4 * * * root prune system", None),
            ("0 4 * * * root docker", None),
        ] {
            assert_eq!(prune(line).as_deref(), found, "{line}");
        }
    }

    #[test]
    fn jobs_are_found_wherever_a_host_keeps_them_and_no_line_of_them_is_told() {
        let root = tempfile::tempdir().unwrap();
        let job = "# tidy\n0 4 * * * root TOKEN=planted docker system prune -f\n";
        for file in ["etc/crontab", "etc/cron.d/tidy", "var/spool/cron/crontabs/root"] {
            write(root.path(), file, job);
        }
        write(
            root.path(),
            "etc/cron.daily/tidy",
            "#!/bin/sh\ndocker container prune -f\n",
        );
        write(
            root.path(),
            "etc/systemd/system/tidy.service",
            "[Service]\nExecStart=docker network prune -f\n",
        );
        let seen = look(root.path());
        assert_eq!(seen.prunes.len(), 5, "{:?}", seen.prunes);
        assert!(
            seen.prunes[0].place.ends_with("etc/crontab, line 2"),
            "{:?}",
            seen.prunes
        );
        assert!(!format!("{:?}", seen.prunes).contains("planted"));
        assert_eq!((seen.boot, seen.unseen.len()), (None, 1));
    }

    #[test]
    fn what_is_enabled_begins_when_the_host_starts() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        assert_eq!(look(root.path()).boot, Some(Boot::default()));
        let wants = root.path().join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        std::os::unix::fs::symlink("/nowhere/stillpoint.service", wants.join("stillpoint.service")).unwrap();
        write(
            root.path(),
            "etc/systemd/system/timers.target.wants/stillpoint-backup.timer",
            "",
        );
        // Installed is not enabled.
        write(root.path(), "etc/systemd/system/stillpoint-recover.service", "");
        let boot = look(root.path()).boot.unwrap();
        assert_eq!((boot.service, boot.recover, boot.timer), (true, false, true));
    }

    #[test]
    fn a_directory_on_a_file_system_elsewhere_is_no_copy_on_this_host() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\nnas:/backups /srv/nas nfs4 rw 0 0\n/dev/sdb1 /srv/nas/local ext4 rw 0 0\n\
            nas:/b /srv/two\\040words cifs rw 0 0\n";
        for (directory, is_remote) in [
            ("/srv/nas", true),
            ("/srv/nas/acme", true),
            ("/srv/nas/local/acme", false),
            ("/srv/nasty", false),
            ("/srv/two words/acme", true),
            ("/var/lib/stillpoint", false),
        ] {
            assert_eq!(is_on_remote(Path::new(directory), mounts), is_remote, "{directory}");
        }
    }
}
