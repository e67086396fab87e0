//! The scripts on real files: whole runs, and runs that die before every single command.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use super::*;

const NEW: &str = "new data";

fn undo(server: &Server) -> Vec<String> {
    Scripts(&server.store).put_back(&server.layout.folder)
}

struct Server {
    folder: tempfile::TempDir,
    store: StoreName,
    layout: Layout,
}

/// What a start of the server would read: append-only files first, if it keeps them.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    dump: Option<String>,
    aof: Option<Vec<(String, String)>>,
}

impl Server {
    fn with(dump: Option<&str>, aof: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        if let Some(text) = dump {
            fs::write(at.join("dump.rdb"), text).unwrap();
            fs::set_permissions(at.join("dump.rdb"), fs::Permissions::from_mode(0o600)).unwrap();
        }
        if let Some(text) = aof {
            fs::create_dir(at.join("aof")).unwrap();
            fs::set_permissions(at.join("aof"), fs::Permissions::from_mode(0o700)).unwrap();
            fs::write(at.join("aof/log.3.incr.aof"), text).unwrap();
            fs::write(at.join("aof/log.manifest"), "file log.3.incr.aof seq 3 type i\n").unwrap();
        }
        let layout = Layout {
            folder: at.display().to_string(),
            dump: "dump.rdb".into(),
            aof_folder: "aof".into(),
            aof_name: "log".into(),
            aof: aof.is_some(),
            databases: 16,
        };
        Self {
            folder,
            store: StoreName::new("cache"),
            layout,
        }
    }

    /// Runs a script; with `steps`, it dies before the command after so many.
    fn run(argv: &[String], input: &str, steps: Option<usize>) -> (bool, String) {
        let mut argv = argv.to_vec();
        // A host on which much is written takes its time for it, and nothing here outlives the host.
        argv[2] = format!("sync() {{ :; }}\n{}", argv[2]);
        if let Some(steps) = steps {
            argv[2] = dying(&argv[2], steps);
        }
        let mut command = Command::new(&argv[0]);
        command
            .args(&argv[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    fn must(argv: &[String], input: &str) -> String {
        let (well, said) = Self::run(argv, input, None);
        assert!(well, "{said}");
        said
    }

    fn load(&self) {
        Server::must(&Scripts(&self.store).take(&self.layout), NEW);
        Server::must(&Scripts(&self.store).place(&self.layout, NEW.len() as u64), "");
    }

    fn undo(&self) {
        Server::must(&undo(self), "");
    }

    /// What a server does: it starts with its append-only files, if it is to keep them, else with its dump; it
    /// starts empty where there is nothing; when it stops it saves. Returns the data it had.
    fn start_and_save(&self) -> String {
        let at = self.folder.path();
        let read = |name: &str| fs::read_to_string(at.join(name)).ok();
        let data = if self.layout.aof {
            let manifest = read("aof/log.manifest");
            let file = manifest.as_deref().and_then(|line| line.split(' ').nth(1));
            let data = file.and_then(|file| read(&format!("aof/{file}")));
            if data.is_none() {
                fs::create_dir_all(at.join("aof")).unwrap();
                fs::write(at.join("aof/log.1.base.rdb"), "").unwrap();
                fs::write(at.join("aof/log.manifest"), "file log.1.base.rdb seq 1 type b\n").unwrap();
            }
            data
        } else {
            read("dump.rdb")
        };
        let data = data.unwrap_or_default();
        let _ = fs::remove_file(at.join("dump.rdb"));
        fs::write(at.join("dump.rdb"), &data).unwrap();
        data
    }

    fn files(&self) -> Files {
        let at = self.folder.path();
        let aof = fs::read_dir(at.join("aof")).ok().map(|entries| {
            let mut files: Vec<(String, String)> = entries
                .map(|entry| {
                    let path = entry.unwrap().path();
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    (name, fs::read_to_string(path).unwrap())
                })
                .collect();
            files.sort();
            files
        });
        Files {
            dump: fs::read_to_string(at.join("dump.rdb")).ok(),
            aof,
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.folder.path().join(name)).unwrap().mode() & 0o7777
    }
}

/// A script whose every changing command counts first, and in which nothing happens after `steps` of them.
fn dying(script: &str, steps: usize) -> String {
    let mut shadows = format!("left={steps}\nstep() {{ [ \"$left\" -gt 0 ] || exit 77; left=$((left - 1)); }}\n");
    for tool in ["mv", "rm", "mkdir", "chown", "chmod", "ln", "cp", "cat"] {
        let _ = writeln!(shadows, "{tool}() {{ step; command {tool} \"$@\"; }}");
    }
    format!("{shadows}{script}")
}

fn loaded(aof: bool) -> Files {
    let base = ("log.1.base.rdb".to_owned(), NEW.to_owned());
    let manifest = (
        "log.manifest".to_owned(),
        "file log.1.base.rdb seq 1 type b\n".to_owned(),
    );
    Files {
        dump: Some(NEW.to_owned()),
        aof: aof.then(|| vec![base, manifest]),
    }
}

/// Every state of a server before a load.
const STATES: [(Option<&str>, Option<&str>); 4] = [
    (Some("old dump"), Some("old log")),
    (Some("old dump"), None),
    (None, Some("old log")),
    (None, None),
];

#[test]
fn a_load_replaces_all_that_a_start_reads() {
    for (dump, aof) in STATES {
        let server = Server::with(dump, aof);
        server.load();
        assert_eq!(server.files(), loaded(aof.is_some()), "{dump:?} {aof:?}");
        Server::must(&Scripts(&server.store).free(&server.layout.folder), "");
        let names: Vec<&str> = if aof.is_some() {
            vec!["aof", "dump.rdb"]
        } else {
            vec!["dump.rdb"]
        };
        assert_eq!(server.names(), names, "something of ours is left");
    }
}

#[test]
fn modes_are_as_before_and_owners_those_of_the_old_files() {
    let server = Server::with(Some("old"), Some("log"));
    server.load();
    assert_eq!((server.mode("dump.rdb"), server.mode("aof")), (0o600, 0o700));
    let fresh = Server::with(None, None);
    fresh.load();
    assert_eq!(fresh.mode("dump.rdb"), 0o644);
    let owner = |name: &str| fs::metadata(fresh.folder.path().join(name)).unwrap().uid();
    assert_eq!(owner("dump.rdb"), owner("."));
}

#[test]
fn undo_brings_back_what_was_there() {
    for (dump, aof) in STATES {
        let server = Server::with(dump, aof);
        let before = server.files();
        server.load();
        server.load();
        server.undo();
        assert_eq!(server.files(), before, "{dump:?} {aof:?}");
        // There is nothing to bring back any more.
        server.undo();
        assert_eq!(server.files(), before, "{dump:?} {aof:?}");
        assert!(
            !server.names().iter().any(|name| name.starts_with("sp_")),
            "{:?}",
            server.names()
        );
    }
}

#[test]
fn a_death_before_any_command_can_be_finished_or_undone() {
    for (dump, aof) in STATES {
        let mut deaths = 0;
        loop {
            let server = Server::with(dump, aof);
            let before = server.files();
            Server::must(&Scripts(&server.store).take(&server.layout), NEW);
            let place = Scripts(&server.store).place(&server.layout, NEW.len() as u64);
            if Server::run(&place, "", Some(deaths)).0 {
                break;
            }
            let undone = Server::with(dump, aof);
            Server::must(&Scripts(&undone.store).take(&undone.layout), NEW);
            Server::run(&place_of(&undone), "", Some(deaths));
            undone.undo();
            assert_eq!(
                undone.files(),
                before,
                "undone after {deaths} commands, {dump:?} {aof:?}"
            );
            server.load();
            assert_eq!(
                server.files(),
                loaded(aof.is_some()),
                "finished after {deaths} commands"
            );
            server.undo();
            assert_eq!(server.files(), before, "finished and undone after {deaths} commands");
            deaths += 1;
        }
        assert!(deaths > 6, "only {deaths} deaths: the commands are not counted");
    }
}

#[test]
fn a_start_after_a_death_harms_nothing() {
    for (dump, aof) in STATES {
        let old = aof.or(dump).unwrap_or_default();
        for deaths in 0.. {
            let mut died = false;
            let [undone, loaded] = [(); 2].map(|()| {
                let server = Server::with(dump, aof);
                Server::must(&Scripts(&server.store).take(&server.layout), NEW);
                died = !Server::run(&place_of(&server), "", Some(deaths)).0;
                server.start_and_save();
                server
            });
            undone.undo();
            assert_eq!(
                undone.start_and_save(),
                old,
                "undone after {deaths} commands, {dump:?} {aof:?}"
            );
            loaded.load();
            assert_eq!(
                loaded.start_and_save(),
                NEW,
                "loaded after {deaths} commands, {dump:?} {aof:?}"
            );
            loaded.undo();
            assert_eq!(
                loaded.start_and_save(),
                old,
                "loaded and undone after {deaths} commands, {dump:?} {aof:?}"
            );
            if !died {
                break;
            }
        }
    }
}

#[test]
fn a_death_inside_undo_can_be_undone_again_or_loaded_again() {
    let mut deaths = 0;
    loop {
        let [undone, again] = [(); 2].map(|()| {
            let server = Server::with(Some("old dump"), Some("old log"));
            server.load();
            server
        });
        let before = Server::with(Some("old dump"), Some("old log")).files();
        let died = |server: &Server| !Server::run(&undo(server), "", Some(deaths)).0;
        if !died(&undone) {
            break;
        }
        undone.undo();
        assert_eq!(undone.files(), before, "after {deaths} commands");
        died(&again);
        again.load();
        assert_eq!(again.files(), loaded(true), "after {deaths} commands");
        again.undo();
        assert_eq!(
            again.files(),
            before,
            "loaded again and undone, after {deaths} commands"
        );
        deaths += 1;
    }
    assert!(deaths > 4, "only {deaths} deaths");
}

fn place_of(server: &Server) -> Vec<String> {
    Scripts(&server.store).place(&server.layout, NEW.len() as u64)
}

#[test]
fn a_dump_that_did_not_arrive_whole_replaces_nothing() {
    let server = Server::with(Some("old dump"), None);
    Server::must(&Scripts(&server.store).take(&server.layout), "new");
    let (well, said) = Server::run(&place_of(&server), "", None);
    assert!(!well && said.contains("did not arrive whole"), "{said}");
    assert_eq!(server.files().dump.as_deref(), Some("old dump"));
}

#[test]
fn what_was_set_aside_under_other_names_is_left_alone() {
    let mut server = Server::with(Some("old dump"), None);
    server.load();
    server.layout.dump = "other.rdb".into();
    Server::must(&Scripts(&server.store).take(&server.layout), NEW);
    let (well, said) = Server::run(&place_of(&server), "", None);
    assert!(!well && said.contains("other names"), "{said}");
}
