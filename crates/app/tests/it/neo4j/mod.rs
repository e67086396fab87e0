//! Neo4j by the program, on its real engine: what a pause, a load and a change of names or passwords could break.

mod scene;

use std::fs;

use anyhow::{Result, ensure};
use serde_json::Value;
use stillpoint_testkit::testbed::Status;

use crate::common::{is_back, standing, until};
use scene::{PASSWORD, SERVICE, on_graph};

/// Others' folders in the volume make the official entry point print warnings on standard output, in front of whatever its
/// command writes.
#[test]
fn warnings_of_the_entry_point_never_come_into_a_dump() -> Result<()> {
    on_graph("n4warn", |graph| {
        graph.fill("x")?;
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
        graph.is_clean()
    })
}

#[test]
fn a_dump_that_is_not_whole_is_refused_before_anything_stops_even_if_its_hash_is_right() -> Result<()> {
    on_graph("n4flaw", |graph| {
        graph.fill("x")?;
        let backup = graph.product.backup()?;
        let path = graph.product.repository.join(&backup).join("graph.dump");
        let (whole, truth) = (fs::read(&path)?, graph.truth()?);
        let started = graph.testbed.state(SERVICE)?.started_at;
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        let spoken = [b"Warning: Folder mounted to \"/data\"\n", &whole[..]].concat();
        for (bytes, words) in [
            (&whole[..whole.len() / 2], "stops before the end"),
            (&flipped[..], "damaged"),
            (b"", "empty"),
            (&spoken[..], "begins with `Warning"),
        ] {
            graph.falsify(&backup, "graph.dump", bytes)?;
            graph.product.run(&["verify", &backup])?.must_end_with(15)?;
            graph.restore(&backup, &[])?.must_end_with(13)?.must_say(words)?;
        }
        assert_eq!(graph.testbed.state(SERVICE)?.started_at, started, "it was stopped");
        assert_eq!(graph.truth()?, truth);
        graph.falsify(&backup, "graph.dump", &whole)?;
        graph.wreck()?;
        graph.restore(&backup, &["--discard-old"])?.must_end_with(0)?;
        assert_eq!(graph.truth()?, truth);
        graph.is_clean()
    })
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
        graph.product.run(&["containers", "recover"])?.must_end_with(0)?;
        graph.answers()?;
        is_back(graph.testbed, &before)?;
        graph.is_clean()?;

        let mut running = graph.product.start(&["backup", "--json"])?;
        running.until("the first bytes of the dump", |said| {
            said["event"] == "progress" && said["artifact"] == "graph.dump"
        })?;
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
fn a_load_that_dies_half_way_is_undone_by_one_command() -> Result<()> {
    on_graph("n4half", |graph| {
        graph.fill("backup")?;
        let (backup, loaded) = (graph.product.backup()?, graph.truth()?);
        graph.ask("CREATE (:A {i: 4711})")?;
        let (present, before) = (graph.truth()?, standing(graph.testbed)?);
        let project = graph.testbed.project();
        let began = |said: &Value| said["event"] == "step_began" && said["step"] == "load";
        for way_out in [&["containers", "start"][..], &["restore", "undo", "--confirm", project]] {
            let mut running = graph
                .product
                .start(&["restore", &backup, "--confirm", &backup, "--json"])?;
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
            graph
                .testbed
                .docker(&["exec", "--user=0", &graph.id, "sh", "-c", "! ls -d /data/.stillpoint*"])?;
        }
        // What the kill has left in the way is replaced.
        graph.restore(&backup, &["--discard-old"])?.must_end_with(0)?;
        assert_eq!(graph.truth()?, loaded);
        graph.is_clean()
    })
}

#[test]
fn the_platforms_password_holds_after_a_restore_and_others_come_with_the_backup() -> Result<()> {
    on_graph("n4auth", |graph| {
        graph.fill("x")?;
        let create = "CREATE USER bob SET PASSWORD 'bobs-secret' CHANGE NOT REQUIRED";
        graph.ask_in("system", ("neo4j", PASSWORD), create)?;
        let (backup, truth) = (graph.product.backup()?, graph.truth()?);
        // A disaster: the volume is new, and its password another.
        let graph = graph.anew("second-secret", "neo4j", true)?;
        graph.restore(&backup, &["--discard-old"])?.must_end_with(0)?;
        assert_eq!(graph.truth()?, truth);
        assert!(graph.ask_in("neo4j", ("bob", "bobs-secret"), "RETURN 1").is_ok());
        assert!(graph.ask_in("neo4j", ("neo4j", PASSWORD), "RETURN 1").is_err());
        graph.is_clean()
    })
}

#[test]
fn a_database_of_another_name_is_restored_under_the_servers() -> Result<()> {
    on_graph("n4name", |graph| {
        graph.fill("x")?;
        let (backup, truth) = (graph.product.backup()?, graph.truth()?);
        let graph = graph.anew(PASSWORD, "films", true)?;
        graph.restore(&backup, &[])?.must_end_with(0)?;
        assert_eq!(graph.truth()?, truth);
        let project = graph.testbed.project();
        graph
            .product
            .run(&["restore", "undo", "--confirm", project])?
            .must_end_with(0)?;
        graph.answers()?;
        assert_eq!(graph.ask("MATCH (n) RETURN count(n)")?[0][0], 0);
        graph.is_clean()
    })
}

#[test]
fn a_server_without_room_for_a_copy_is_dumped_while_it_is_stopped() -> Result<()> {
    on_graph("n4stop", |graph| {
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
