//! One point in time, as a user's clients meet it: the witness ticks by itself, backups come at any moment, and each of them holds one
//! and the same tick in every store. And what would be seen if it did not.

use anyhow::{Context, Result};
use stillpoint_testkit::rounds::{Random, moments};
use stillpoint_testkit::testbed::{Event, Shape, Testbed};

use crate::common::{on, until};

const STORES: [&str; 4] = ["postgres-main", "postgres-ferretdb", "valkey", "nats"];

#[test]
fn backups_at_random_moments_hold_one_tick_in_every_store() -> Result<()> {
    are_one("pin", 5)
}

#[test]
fn so_do_backups_that_hold_the_clients() -> Result<()> {
    are_one("hold", 2)
}

/// So many backups in a row, each of which is restored and read.
fn are_one(mode: &str, backups: u32) -> Result<()> {
    on(&format!("moments-{mode}"), Shape::Stores, |testbed, product| {
        let mut random = Random::by_the_clock();
        let seed = random.seed();
        let all = (0..backups).map(|_| moments::back_up(testbed, product, mode, &mut random));
        let all = all
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("seed {seed}"))?;
        let mut wrong = Vec::new();
        for moment in &all {
            if let Err(error) = moments::must_be_one(testbed, product, moment) {
                wrong.push(format!("{error:#}"));
            }
        }
        assert!(wrong.is_empty(), "seed {seed}: {all:?}\n{}", wrong.join("\n"));
        Ok(())
    })
}

/// Half a tick is made for certain: PostgreSQL lets no row in, while Valkey and NATS have theirs. Stopped in this very moment, the client
/// finishes its tick, if its stores run. Stores that are stopped with it leave the tick torn, and every look at them says so.
#[test]
fn stores_that_are_stopped_with_their_clients_would_be_caught() -> Result<()> {
    on("torn", Shape::Stores, |testbed, product| {
        let mut events = testbed.events_recorder()?;
        half_a_tick(testbed)?;
        let running = product.start(&["backup", "--json"])?;
        until("the witness is told to stop", || {
            let told = |event: &Event| event.service == "witness" && event.action == "kill";
            Ok(events.so_far()?.iter().any(told))
        })?;
        let_in(testbed)?;
        events.stop()?;
        let id = running.end()?.must_end_with(0)?.summary()?["manifest"]["id"]
            .as_str()
            .context("no backup")?
            .to_owned();
        let stop = *testbed.witness_stops()?.last().context("it was never stopped")?;
        assert!(stop.inside, "the stop came between two ticks: {stop:?}");
        moments::must_be_one(testbed, product, &moments::Moment { id, stop })?;

        testbed.go_on()?;
        half_a_tick(testbed)?;
        stop_all_together(testbed)?;
        let torn = testbed.one_tick().unwrap_err().to_string();
        assert!(torn.starts_with("not one point in time: "), "{torn}");
        testbed.docker(&["start", &testbed.container("witness")?])?;
        until("the witness refuses to go on", || {
            Ok(testbed
                .witness_log()?
                .contains("refused: the stores do not show the same tick"))
        })
    })
}

/// Holds a database's table until [`let_in`], and returns when a tick is in every other store and waits here.
fn half_a_tick(testbed: &Testbed) -> Result<()> {
    let store = testbed.container("postgres-main")?;
    let hold =
        "begin; set application_name = 'holder'; lock table public.witness in exclusive mode; select pg_sleep(60)";
    testbed.docker(&[
        "exec", "-d", "-u", "postgres", &store, "psql", "-XqAtc", hold, "langfuse",
    ])?;
    let waits = "select count(*) from pg_stat_activity where datname = 'langfuse' and wait_event_type = 'Lock'";
    until("a tick waits", || {
        let waits = testbed.psql("postgres", waits)? == "1";
        Ok(waits && others_are_ahead(testbed)?)
    })
}

fn others_are_ahead(testbed: &Testbed) -> Result<bool> {
    let states = testbed.witness()?;
    let last = |place: &str| states.get(place).map(|state| state.last);
    let here = last("postgres-main/langfuse");
    Ok(["postgres-ferretdb/postgres", "valkey/0", "nats/APP", "nats/OTHER"]
        .iter()
        .all(|place| last(place) > here))
}

fn let_in(testbed: &Testbed) -> Result<()> {
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'holder'";
    testbed.psql("postgres", end).map(drop)
}

/// As a script would that takes a store for a container like any other.
fn stop_all_together(testbed: &Testbed) -> Result<()> {
    let all = ["witness"].into_iter().chain(STORES);
    let all = all
        .map(|service| testbed.container(service))
        .collect::<Result<Vec<_>>>()?;
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    testbed.docker(&[&["stop"], &all[..]].concat())?;
    testbed.docker(&[&["start"], &all[1..]].concat())?;
    until("the stores are back", || Ok(testbed.witness().is_ok()))
}
