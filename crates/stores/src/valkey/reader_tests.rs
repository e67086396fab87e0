//! The script on real files, with a child of this test in the part of the server's.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::HOLD;

struct Holding {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Holding {
    fn begin(folder: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", HOLD, "sh"]).arg(folder).arg("dump.rdb");
        command.arg(std::process::id().to_string()).env("PATH", "/usr/bin:/bin");
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = piped.spawn().unwrap();
        let (input, output) = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        Self { child, input, output }
    }

    fn ask(&mut self, word: &str) -> String {
        writeln!(self.input, "{word}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn bytes(mut self) -> String {
        writeln!(self.input, "go").unwrap();
        let mut all = String::new();
        self.output.read_to_string(&mut all).unwrap();
        self.child.wait().unwrap();
        all
    }
}

/// What writes a dump: it ends when its input does.
fn writer() -> Child {
    Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn what_a_child_of_the_server_writes_is_held_whoever_saves_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.rdb");
    let mut writer = writer();
    let ours = folder.path().join(format!("temp-{}.rdb", writer.id()));
    fs::write(&dump, "old").unwrap();
    // Of a process that is no child of the server, of none at all, and no number.
    for name in ["temp-1.rdb", "temp-4194304000.rdb", "temp-x.rdb", "temp-.rdb"] {
        fs::write(folder.path().join(name), "another").unwrap();
    }
    let mut holding = Holding::begin(folder.path());
    assert_eq!(holding.ask("look"), "dump", "it writes nothing yet");
    fs::write(&ours, "ours").unwrap();
    assert_eq!(holding.ask("look"), "temp");
    assert_eq!(holding.ask("written"), "no");
    fs::rename(&ours, &dump).unwrap();
    assert_eq!(holding.ask("written"), "yes");
    let next = folder.path().join("temp-9.rdb");
    fs::write(&next, "next").unwrap();
    fs::rename(&next, &dump).unwrap();
    assert_eq!(holding.bytes(), "ours");
    writer.kill().unwrap();
    writer.wait().unwrap();
}

#[test]
fn a_dump_is_held_by_its_file_and_looked_for_again_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.rdb");
    let mut holding = Holding::begin(folder.path());
    assert_eq!(holding.ask("look"), "none");
    fs::write(&dump, "first").unwrap();
    assert_eq!(holding.ask("look"), "dump");
    let next = folder.path().join("next");
    fs::write(&next, "second").unwrap();
    fs::rename(&next, &dump).unwrap();
    assert_eq!(holding.ask("look"), "dump");
    fs::remove_file(&dump).unwrap();
    assert_eq!(holding.ask("written"), "yes");
    assert_eq!(holding.bytes(), "second");
}

#[test]
fn a_writer_that_dies_is_done_and_without_input_nothing_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer();
    fs::write(folder.path().join(format!("temp-{}.rdb", writer.id())), "half").unwrap();
    let mut holding = Holding::begin(folder.path());
    assert_eq!(holding.ask("look"), "temp");
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(holding.ask("written"), "yes");
    drop(holding.input);
    assert!(!holding.child.wait().unwrap().success());
}
