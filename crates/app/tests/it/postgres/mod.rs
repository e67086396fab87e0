//! PostgreSQL on its real engine: at least one object of every class, on the newest server and on an older one, over
//! what is there and on an empty server.

mod awkward;
mod gaps;
mod grammar;
mod known;
mod owned;
mod standby;
mod timescale;
mod undoing;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::lone_postgres::{self, Known, Server, differences};
use stillpoint_testkit::testbed::Status;

use crate::common::PROGRAM;

const EVERY_CLASS: &str = include_str!("every_class.sql");

fn on_server(name: &str, image: &str, test: impl FnOnce(&Server) -> Result<()>) -> Result<()> {
    lone_postgres::on_server(PROGRAM, name, image, test)
}

#[test]
fn every_class_of_object_comes_back() -> Result<()> {
    on_server("every", "POSTGRES", |server| {
        round_trip(server, "POSTGRES", &|act: Act| act(), &[])
    })
}

#[test]
fn every_class_of_object_comes_back_on_15_and_moves_to_17() -> Result<()> {
    on_server("every15", "POSTGRES15", |server| {
        let shut = |act: Act| {
            server.let_in_peers_only()?;
            act()?;
            server.let_in_by_password()
        };
        round_trip(server, "POSTGRES", &shut, known::FROM_15_TO_17)?;
        there_is_no_way_down(server)
    })
}

/// The tools of 15 do not read what those of 17 have written: that is no damage, and no restore.
fn there_is_no_way_down(server: &Server) -> Result<()> {
    let id = server.product.backup()?;
    server.replace_by("POSTGRES15")?;
    let verified = server.product.run(&["verify", &id])?.must_end_with(0)?;
    verified.must_say("and need a pg_restore of that version or a newer one")?;
    refused(server, &id, "the server is the older 15")
}

/// A server that has lost its `pg_cron` has no setting to put back: the mark that says what it was hinders nothing.
#[test]
fn a_mark_of_held_off_jobs_that_no_pg_cron_knows_is_forgotten() -> Result<()> {
    on_server("mark", "POSTGRES15", |server| {
        server.psql("create database app;\n\\connect app\ncreate table kept (n integer)")?;
        let id = server.product.backup()?;
        let mark = || server.psql("alter database template1 set stillpoint.jobs_held_off to 'unsaid'");
        let marks = || {
            server.psql(
                "select count(*) from pg_db_role_setting, unnest(setconfig) c where c like 'stillpoint.jobs_held_off%'",
            )
        };
        mark()?;
        let planned = server
            .product
            .run(&["containers", "plan", "--json"])?
            .must_end_with(0)?;
        assert!(!planned.out.contains("pg_cron"), "{planned:?}");
        for act in [
            &["restore", &id, "--confirm", &id][..],
            &["restore", "undo", "--confirm", server.testbed.project()],
        ] {
            mark()?;
            server.product.run(act)?.must_end_with(0)?;
            assert_eq!(marks()?.trim(), "0", "{act:?}");
        }
        Ok(())
    })
}

/// A run of the product.
type Act<'a> = &'a mut dyn FnMut() -> Result<()>;

/// Over what is there, then on an empty server of another image. On the first server runs are `within` something.
fn round_trip(server: &Server, to: &str, within: &dyn Fn(Act) -> Result<()>, moved: &[Known]) -> Result<()> {
    assert_eq!(commands_without_example(server)?, Vec::<String>::new());
    server.make_folder()?;
    server.psql(EVERY_CLASS)?;
    let before = server.facts()?;
    within(&mut || backup(server))?;
    let id = server.product.backups()?.pop().context("there is no backup")?;
    server.psql(include_str!("wreck.sql"))?;
    server.psql(
        "\\connect boss\ncreate table in_the_way (n integer);\n\
         begin; lock table in_the_way in access exclusive mode; prepare transaction 'forgotten'",
    )?;
    let words = "in_the_way of database `boss` is locked by the prepared transaction `forgotten` of ";
    server.product.run(&["backup"])?.must_end_with(12)?.must_say(words)?;
    server.psql("\\connect boss\nrollback prepared 'forgotten'; drop table in_the_way")?;
    server.psql("\\connect boss\nbegin; create table half_done (n integer); prepare transaction 'half done'")?;
    refused(server, &id, "database `boss` has prepared transactions")?;
    server.psql("\\connect boss\nrollback prepared 'half done'")?;
    within(&mut || restore(server, &id))?;
    is_settled(server)?;
    assert_eq!(
        differences(&before, &server.facts()?, known::ALWAYS),
        Vec::<String>::new()
    );

    server.replace_by(to)?;
    refused(
        server,
        &id,
        "the folder of tablespace `fast disk` is not there: /srv/fast disk",
    )?;
    server.make_folder()?;
    restore(server, &id)?;
    is_settled(server)?;
    let moved: Vec<&Known> = known::ALWAYS.iter().chain(known::ELSEWHERE).chain(moved).collect();
    assert_eq!(differences(&before, &server.facts()?, moved), Vec::<String>::new());
    Ok(())
}

/// The CREATE commands of the newest client's own manual that `every_class.sql` never uses.
fn commands_without_example(server: &Server) -> Result<Vec<String>> {
    let help = server.beside("psql -h 127.0.0.1 -d postgres -Xc '\\h *'")?;
    let words = help.lines().filter_map(|line| line.strip_prefix("Command:"));
    let commands: Vec<&str> = words
        .map(str::trim)
        .filter(|command| command.starts_with("CREATE "))
        .collect();
    ensure!(commands.len() > 40, "psql knows too few commands: {commands:?}");
    // These never stand side by side.
    let spelled = |command: &str| match command {
        "CREATE TABLE AS" => "create table as_made as ".to_owned(),
        "CREATE CONVERSION" => "create default conversion ".to_owned(),
        "CREATE LANGUAGE" => "create trusted language ".to_owned(),
        other => format!("\n{} ", other.to_lowercase()),
    };
    let missing = commands
        .into_iter()
        .filter(|command| !EVERY_CLASS.contains(&spelled(command)));
    Ok(missing.map(str::to_owned).collect())
}

/// Names what it leaves out.
fn backup(server: &Server) -> Result<()> {
    let backup = server.product.run(&["backup"])?.must_end_with(0)?;
    backup
        .must_say("database `closed` takes no connections and is not backed up")?
        .must_say("database `own_template` is a template and is not backed up")?
        .must_say("database `broken` is left of an interrupted drop and is not backed up")?;
    Ok(())
}

/// Says what comes back in another version.
fn restore(server: &Server, id: &str) -> Result<()> {
    let restore = server
        .product
        .run(&["restore", id, "--confirm", id, "--discard-old"])?
        .must_end_with(0)?;
    restore.must_say("extension `pg_trgm` was in version 1.3, the server installs 1.6")?;
    Ok(())
}

/// Before anything stops.
fn refused(server: &Server, id: &str, words: &str) -> Result<()> {
    let restore = server
        .product
        .run(&["restore", id, "--confirm", id, "--discard-old"])?
        .must_end_with(13)?;
    restore.must_say(words)?;
    is_settled(server)
}

/// Clients run, and nothing that was set aside is left.
fn is_settled(server: &Server) -> Result<()> {
    let all = server.testbed.containers()?;
    assert!(all.iter().all(|one| one.status == Status::Running), "{all:?}");
    let aside = "select datname from pg_database where datname ~ '^sp_[0-9a-f]{8}$'";
    assert_eq!(server.psql(aside)?, "");
    Ok(())
}

/// Each difference that these tests know has its line, with the reason, in the manual's page.
#[test]
fn the_page_gives_the_reason_for_each_difference() -> Result<()> {
    let page = include_str!("../../../../../docs/stores/postgres.md");
    let table = page
        .split("### What comes back otherwise")
        .nth(1)
        .context("no such table")?;
    let lists = [known::ALWAYS, known::ELSEWHERE, known::FROM_15_TO_17];
    for Known { named, .. } in lists.into_iter().flatten() {
        assert!(
            table.contains(&format!("| {named} |")),
            "docs/stores/postgres.md lacks `{named}`"
        );
    }
    Ok(())
}
