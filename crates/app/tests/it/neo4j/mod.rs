//! Neo4j by the program, on its real engine: what a pause, a load and a change of names or passwords could break. A start of
//! Java is dear: what needs the same server or the same backup stands in one test, case by case.

mod scene;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillpoint_testkit::testbed::Status;

use crate::common::{is_back, standing, until};
use crate::page::commands;
use scene::{Graph, PASSWORD, SERVICE, on_graph, on_slow_graph};

#[test]
fn a_restore_that_is_refused_or_dies_replaces_nothing() -> Result<()> {
    on_graph("n4none", |graph| {
        graph.fill("backup")?;
        let backup = warnings_of_the_entry_point_never_come_into_a_dump(graph)?;
        let loaded = graph.truth()?;
        graph.ask("CREATE (:A {i: 4711})")?;
        let (present, started) = (graph.truth()?, graph.testbed.state(SERVICE)?.started_at);
        a_dump_that_is_not_whole_is_refused_even_if_its_hash_is_right(graph, &backup)?;
        a_dump_of_a_newer_server_is_refused(graph, &backup)?;
        assert_eq!(graph.testbed.state(SERVICE)?.started_at, started, "it was stopped");
        assert_eq!(graph.truth()?, present);
        a_load_that_dies_half_way_is_undone_by_one_command(graph, &backup, &present)?;
        // What the kill has left in the way is replaced.
        graph.restore(&backup, &["--discard-old"])?.must_end_with(0)?;
        assert_eq!(graph.truth()?, loaded);
        graph.is_clean()
    })
}

/// Others' folders in the volume make the official entry point print warnings on standard output, in front of whatever its
/// command writes.
fn warnings_of_the_entry_point_never_come_into_a_dump(graph: &Graph) -> Result<String> {
    let foreign = "mkdir -p /data/databases/lost+found && chmod 700 /data/databases/lost+found";
    graph
        .testbed
        .docker(&["exec", "--user=0", &graph.id, "sh", "-c", foreign])?;
    let backup = graph.product.backup()?;
    for dump in ["graph.dump", "graph-system.dump"] {
        let bytes = fs::read(graph.product.repository.join(&backup).join(dump))?;
        assert_eq!(&bytes[..4], b"DZV1", "{dump}");
    }
    graph.product.run(&["verify", &backup])?.must_end_with(0)?;
    graph.is_clean()?;
    Ok(backup)
}

fn a_dump_that_is_not_whole_is_refused_even_if_its_hash_is_right(graph: &Graph, backup: &str) -> Result<()> {
    let whole = fs::read(graph.product.repository.join(backup).join("graph.dump"))?;
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    let spoken = [b"Warning: Folder mounted to \"/data\"\n", &whole[..]].concat();
    for (bytes, words) in [
        (&whole[..whole.len() / 2], "stops before the end"),
        (&flipped[..], "damaged"),
        (b"", "empty"),
        (&spoken[..], "begins with `Warning"),
    ] {
        graph.falsify(backup, "graph.dump", bytes)?;
        graph.product.run(&["verify", backup])?.must_end_with(15)?;
        graph.restore(backup, &[])?.must_end_with(13)?.must_say(words)?;
    }
    graph.falsify(backup, "graph.dump", &whole)
}

fn a_dump_of_a_newer_server_is_refused(graph: &Graph, backup: &str) -> Result<()> {
    let says = |version: &Value| {
        graph.forge(backup, |store| {
            store["version"] = version.clone();
            Ok(())
        })
    };
    let told =
        graph.ask("CALL dbms.components() YIELD name, versions WHERE name = 'Neo4j Kernel' RETURN versions[0]")?;
    let here = told[0][0].as_str().context("no version")?.to_owned();
    says(&"2099.12.1".into())?;
    graph
        .restore(backup, &[])?
        .must_end_with(13)?
        .must_say("the backup is of Neo4j 2099.12.1")?
        .must_say(&format!("the server is the older {here}"))?
        .must_say("use an image of Neo4j 2099.12.1 or newer")?;
    says(&here.into())
}

fn a_load_that_dies_half_way_is_undone_by_one_command(graph: &Graph, backup: &str, present: &[String]) -> Result<()> {
    let before = standing(graph.testbed)?;
    let project = graph.testbed.project();
    let began = |said: &Value| said["event"] == "step_began" && said["step"] == "load";
    for way_out in [&["containers", "start"][..], &["restore", "undo", "--confirm", project]] {
        let mut running = graph
            .product
            .start(&["restore", backup, "--confirm", backup, "--json"])?;
        running.until("the load", began)?;
        until("a dump is being loaded", || {
            let siblings = graph.testbed.siblings()?;
            let Some(beside) = siblings.first() else {
                return Ok(false);
            };
            let processes = graph
                .testbed
                .docker(&["top", beside, "-eo", "pid,args"])
                .unwrap_or_default();
            Ok(processes.contains("database load"))
        })?;
        running.kill_all()?;
        graph.product.run(&["containers", "recover"])?.must_end_with(14)?;
        graph.product.run(way_out)?.must_end_with(0)?;
        graph.answers()?;
        is_back(graph.testbed, &before)?;
        assert_eq!(graph.truth()?, present, "{way_out:?}");
        graph.is_clean().with_context(|| format!("{way_out:?}"))?;
    }
    Ok(())
}

/// From the pause to the moment that it goes on, and in the middle of what happens beside it.
#[test]
fn a_backup_that_is_killed_anywhere_leaves_a_server_that_serves_and_no_copy() -> Result<()> {
    on_graph("n4kill", |graph| {
        graph.fill("x")?;
        let (truth, before) = (graph.truth()?, standing(graph.testbed)?);
        let started = graph.testbed.state(SERVICE)?.started_at;
        let mut running = graph.product.start(&["backup", "--json"])?;
        until("the server is paused", || {
            ensure!(running.has_ended()?.is_none(), "the run has ended");
            Ok(graph.testbed.state(SERVICE)?.status == Status::Paused)
        })?;
        running.kill_all()?;
        let ran = graph.product.run(&["containers", "recover"])?.must_end_with(0)?;
        ensure!(!ran.err.contains("left something behind"), "{}", ran.err);
        graph.answers()?;
        is_back(graph.testbed, &before)?;
        graph.is_clean()?;

        let mut running = graph.product.start(&["backup", "--json"])?;
        let named = Cell::new(0);
        running.until("the room that the copy needs", |said| {
            named.set(said["bytes"].as_u64().unwrap_or(0) >> 10);
            said["event"] == "spools"
        })?;
        running.until("the first bytes of the dump", |said| {
            said["event"] == "progress" && said["artifact"] == "graph.dump"
        })?;
        // Logs are made in their full size: the copy takes a part of that, and what was named before.
        let (copy, logs) = (
            graph.kibibytes("/data/.stillpoint-*")?,
            graph.kibibytes("/data/transactions")?,
        );
        ensure!(
            copy <= named.get() && named.get() < logs / 2,
            "{copy} of {} KiB, logs of {logs}",
            named.get()
        );
        running.kill_all()?;
        graph.product.run(&["containers", "recover"])?.must_end_with(0)?;
        is_back(graph.testbed, &before)?;
        graph.is_clean()?;
        assert_eq!(graph.testbed.state(SERVICE)?.started_at, started, "it was stopped");
        assert_eq!(graph.truth()?, truth);
        Ok(())
    })
}

#[test]
fn by_hand_and_on_servers_of_another_password_and_name() -> Result<()> {
    on_graph("n4hand", |graph| {
        graph.fill("x")?;
        let create = "CREATE USER bob SET PASSWORD 'bobs-secret' CHANGE NOT REQUIRED";
        graph.ask_in("system", ("neo4j", PASSWORD), create)?;
        let (backup, truth) = (graph.product.backup()?, graph.truth()?);
        let graph = the_page_alone_restores_it(graph, &backup, &truth)?;
        let graph = graph.anew("second-secret", "films")?;
        graph.restore(&backup, &[])?.must_end_with(0)?;
        assert_eq!(graph.truth()?, truth);
        // The platform's password holds, and others come with the backup.
        graph.ask_in("films", ("bob", "bobs-secret"), "RETURN 1")?;
        assert!(graph.ask_in("films", ("neo4j", PASSWORD), "RETURN 1").is_err());
        let undo = ["restore", "undo", "--confirm", graph.testbed.project()];
        graph.product.run(&undo)?.must_end_with(0)?;
        graph.answers()?;
        assert_eq!(graph.ask("MATCH (n) RETURN count(n)")?[0][0], 0);
        assert!(graph.ask_in("films", ("bob", "bobs-secret"), "RETURN 1").is_err());
        graph.is_clean()
    })
}

/// The commands of `docs/operating/by-hand.md`, as they stand there, on an empty server. The passwords are the backup's.
fn the_page_alone_restores_it<'a>(graph: &Graph<'a>, backup: &str, truth: &[String]) -> Result<Graph<'a>> {
    let blocks = commands("Neo4j")?;
    let (check, load) = match &blocks[..] {
        [check, load] => (*check, *load),
        blocks => anyhow::bail!("the page has other commands: {blocks:?}"),
    };
    let folder = graph.product.repository.join(backup);
    let graph = graph.anew(PASSWORD, "neo4j")?;
    assert_eq!(graph.ask("MATCH (n) RETURN count(n)")?[0][0], 0);
    assert!(graph.ask_in("neo4j", ("bob", "bobs-secret"), "RETURN 1").is_err());
    graph.testbed.docker(&["stop", &graph.id])?;
    assert_eq!(by_hand(check, &folder, &graph.id)?, "");
    by_hand(load, &folder, &graph.id)?;
    graph.testbed.docker(&["start", &graph.id])?;
    graph.answers()?;
    assert_eq!(graph.truth()?, truth);
    graph.ask_in("neo4j", ("bob", "bobs-secret"), "RETURN 1")?;
    // The check finds what a load would not.
    let copy = tempfile::tempdir()?;
    let mut flipped = fs::read(folder.join("graph.dump"))?;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    fs::write(copy.path().join("graph.dump"), flipped)?;
    fs::copy(folder.join("graph-system.dump"), copy.path().join("graph-system.dump"))?;
    assert_eq!(by_hand(check, copy.path(), &graph.id)?, "graph.dump is damaged\n");
    Ok(graph)
}

fn by_hand(block: &str, folder: &Path, container: &str) -> Result<String> {
    let ran = Command::new("sh")
        .args(["-euc", block])
        .current_dir(folder)
        .envs([("STORE", SERVICE), ("DATABASE", "neo4j"), ("CONTAINER", container)])
        .output()?;
    let told = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "by hand:\n{block}\n{told}");
    Ok(String::from_utf8(ran.stdout)?)
}

#[test]
fn a_server_without_room_for_a_copy_is_dumped_while_it_is_stopped() -> Result<()> {
    on_slow_graph("n4stop", |graph| {
        graph.fill("x")?;
        let (truth, before) = (graph.truth()?, standing(graph.testbed)?);
        let started = graph.testbed.state(SERVICE)?.started_at;
        let product = graph.product.clone().with("STILLPOINT_GRAPH_PIN", "stop");
        let backup = product.backup()?;
        graph.answers()?;
        is_back(graph.testbed, &before)?;
        ensure!(
            graph.testbed.state(SERVICE)?.started_at != started,
            "it was not stopped"
        );
        graph.wreck()?;
        graph.restore(&backup, &["--discard-old"])?.must_end_with(0)?;
        assert_eq!(graph.truth()?, truth);
        graph.is_clean()
    })
}
