//! Upkeep of Dagster's database on a real PostgreSQL: which rows go and which stay, what a dead run leaves, and a clear word where
//! something is not as it is to be.

use anyhow::{Result, ensure};
use serde_json::Value;
use stillpoint_testkit::dagster::TABLES;
use stillpoint_testkit::lone_postgres::{self, Server};

use crate::common::{PROGRAM, until};

/// Rows of Dagster, one for each rule.
const ROWS: &str = include_str!("maintenance.sql");

const CLEANUP: [&str; 2] = ["maintenance", "cleanup"];

fn on_dagster(name: &str, test: impl FnOnce(&Server) -> Result<()>) -> Result<()> {
    lone_postgres::on_server(PROGRAM, name, "POSTGRES", |server| {
        server.psql("create database dagster")?;
        fill(server)?;
        test(server)
    })
}

fn fill(server: &Server) -> Result<()> {
    sql(server, TABLES)?;
    sql(server, ROWS).map(drop)
}

fn sql(server: &Server, script: &str) -> Result<String> {
    server.psql(&format!("\\set ON_ERROR_STOP 1\n\\connect dagster\n{script}"))
}

fn json(server: &Server, arguments: &[&str]) -> Result<Value> {
    let all = [&["--json"], arguments].concat();
    server.product.run(&all)?.must_end_with(0)?.summary()
}

/// Marks of rows, in their order.
fn marks(server: &Server) -> Result<Vec<String>> {
    let marks = sql(
        server,
        "select substring(event from '#([a-z0-9-]+)#') from event_logs order by id",
    )?;
    Ok(marks.lines().map(str::to_owned).collect())
}

fn is_gone(mark: &str) -> bool {
    mark.starts_with("go-")
}

#[test]
fn what_is_old_goes_and_what_a_page_or_a_rerun_needs_stays() -> Result<()> {
    on_dagster("mclean", |server| {
        let before = marks(server)?;
        let kept: Vec<&String> = before.iter().filter(|mark| !is_gone(mark)).collect();
        ensure!(kept.len() < before.len() && kept.len() > 20, "{before:?}");

        let counted = json(server, &["maintenance", "cleanup", "--dry-run"])?;
        ensure!(marks(server)? == before, "a dry run has deleted");
        let rows = |document: &Value, handler: usize| document["databases"][0]["handlers"][handler]["rows"].clone();
        for (handler, number) in [(0, 2), (1, 1), (2, 1), (3, 6)] {
            ensure!(rows(&counted, handler) == number, "{counted:#}");
        }
        ensure!(counted["databases"][0]["version"] == "7e2f3204cf8e", "{counted:#}");

        let cleaned = json(server, &CLEANUP)?;
        let after = marks(server)?;
        ensure!(after.iter().eq(kept), "{after:#?}");
        for handler in 0..4 {
            let handled = &cleaned["databases"][0]["handlers"][handler];
            ensure!(handled["rows"] == rows(&counted, handler), "{handled:#}");
            ensure!(handled["left"] == 0 && handled["ticks_to_drained"] == 0, "{handled:#}");
            ensure!(handled["wal_bytes"].as_u64() > Some(0), "{handled:#}");
        }

        // A second one finds nothing to do, and changes no setting again.
        let again = server.product.run(&CLEANUP)?.must_end_with(0)?;
        ensure!(
            !again.out.contains("is built") && !again.out.contains("is set"),
            "{}",
            again.out
        );
        ensure!(marks(server)? == after);
        let runs = server.product.run(&["runs", "ls"])?.must_end_with(0)?;
        runs.must_print("dagster_cleanup_job")?;
        the_windows_and_the_limit_count(server)
    })
}

/// Everything is old now: the limit caps a handler for one run, and what is left is told.
fn the_windows_and_the_limit_count(server: &Server) -> Result<()> {
    sql(
        server,
        "insert into event_logs (run_id, event, timestamp) select 'done', \
         '{\"level\": 10, \"user_message\": \"#go-more#\"}', timestamp '2020-01-01' from generate_series(1, 25)",
    )?;
    let limited = server.product.clone().with("DAGSTER_CLEANUP_BATCH_LIMIT", "10");
    let tick = limited
        .run(&["--json", "maintenance", "cleanup"])?
        .must_end_with(0)?
        .summary()?;
    let handled = &tick["databases"][0]["handlers"][0];
    ensure!(handled["rows"] == 10 && handled["left"] == 15, "{handled:#}");
    ensure!(handled["ticks_to_drained"] == 2, "{handled:#}");
    limited
        .run(&["maintenance", "cleanup", "--until-drained"])?
        .must_end_with(0)?;
    let left = sql(server, "select count(*) from event_logs where event like '%#go-more#%'")?;
    ensure!(left == "0", "{left} are left");

    let disabled = server.product.clone().with("MAINTENANCE_DISABLED", "true");
    for verb in ["cleanup", "repack"] {
        disabled
            .run(&["maintenance", verb])?
            .must_end_with(0)?
            .must_print("switched off")?;
    }
    Ok(())
}

#[test]
fn dagster_can_store_a_nul_and_the_published_index_is_dropped_on_a_word_alone() -> Result<()> {
    on_dagster("mnul", |server| {
        sql(
            server,
            "create index idx_clear on event_logs ((event::jsonb ->> 'level'), timestamp) where dagster_event_type is null",
        )?;
        let nul = "insert into event_logs (run_id, event, timestamp) values ('done', \
            '{\"level\": 20, \"user_message\": \"a\\u0000b\"}', now())";
        ensure!(sql(server, nul).is_err(), "the published index takes a NUL");
        let told = server.product.run(&CLEANUP)?.must_end_with(0)?;
        told.must_print("index idx_clear reads the event as JSON")?;
        ensure!(
            sql(server, nul).is_err(),
            "an index was dropped that nobody has given up"
        );
        server
            .product
            .run(&["maintenance", "cleanup", "--drop-published-index"])?
            .must_end_with(0)?;
        let ours = "select count(*) from pg_index i join pg_class c on c.oid = indexrelid \
            where indisvalid and relname in ('stillpoint_logs', 'stillpoint_events')";
        ensure!(sql(server, ours)? == "2");
        sql(server, nul)?;
        server.product.run(&CLEANUP)?.must_end_with(0).map(drop)
    })
}

#[test]
fn an_index_that_a_dead_run_has_left_unfinished_is_built_anew() -> Result<()> {
    on_dagster("mindex", |server| {
        // What a build that failed leaves.
        sql(
            server,
            "insert into event_logs (run_id, event, timestamp) select 'done', 'x', now() from generate_series(1, 2)",
        )?;
        let build = "create unique index concurrently stillpoint_logs on event_logs (event)";
        ensure!(sql(server, build).is_err(), "the index was built");
        let valid = "select indisvalid from pg_index where indexrelid = 'stillpoint_logs'::regclass";
        ensure!(sql(server, valid)? == "f");
        let healed = server.product.run(&CLEANUP)?.must_end_with(0)?;
        healed
            .must_print("index stillpoint_logs was left unfinished by a run that died: dropped")?
            .must_print("index stillpoint_logs is built")?;
        ensure!(sql(server, valid)? == "t");
        let status = json(server, &["maintenance", "status"])?;
        let indexes = status["databases"][0]["indexes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        ensure!(
            indexes.len() == 2 && indexes.iter().all(|index| index["usable"] == true),
            "{status:#}"
        );
        Ok(())
    })
}

#[test]
fn what_is_not_as_it_is_to_be_is_said_and_nothing_is_deleted() -> Result<()> {
    on_dagster("mrefuse", |server| {
        let before = marks(server)?;
        let product = &server.product;
        let elsewhere = product.clone().with("DAGSTER_DB", "dagsterr");
        elsewhere
            .run(&CLEANUP)?
            .must_end_with(1)?
            .must_say("there is no database `dagsterr`")?;
        let wrong = product.clone().with("STILLPOINT_DB_PASSWORD", "wrong");
        wrong
            .run(&CLEANUP)?
            .must_end_with(1)?
            .must_say("set STILLPOINT_DB_PASSWORD")?;

        // A Dagster of tomorrow: a deletion would reach further, or the moment is another.
        sql(
            server,
            "create table of_tomorrow (event_id bigint references event_logs (id) on delete cascade)",
        )?;
        product
            .run(&CLEANUP)?
            .must_end_with(1)?
            .must_say("of_tomorrow refers to its rows")?;
        sql(
            server,
            "drop table of_tomorrow; alter table event_logs alter timestamp type timestamptz",
        )?;
        product
            .run(&CLEANUP)?
            .must_end_with(1)?
            .must_say("event_logs.timestamp is of type timestamp with time zone")?;
        sql(
            server,
            "alter table event_logs alter timestamp type timestamp, drop partition",
        )?;
        product
            .run(&CLEANUP)?
            .must_end_with(1)?
            .must_say("event_logs has no column partition")?;
        ensure!(marks(server)? == before, "something was deleted");
        Ok(())
    })
}

#[test]
fn a_role_that_is_no_superuser_cleans_what_is_its_own_and_repacks_nothing() -> Result<()> {
    on_dagster("mrole", |server| {
        sql(
            server,
            "create role dagster login password 'd'; grant all on schema public to dagster; alter table event_logs owner to dagster;\n\
             alter table runs owner to dagster; alter table job_ticks owner to dagster; create extension pg_repack",
        )?;
        let of_dagster = server.product.clone();
        let of_dagster = of_dagster
            .with("STILLPOINT_DB_USER", "dagster")
            .with("STILLPOINT_DB_PASSWORD", "d");
        of_dagster.run(&CLEANUP)?.must_end_with(0)?;
        ensure!(!marks(server)?.iter().any(|mark| is_gone(mark)));
        let repack = of_dagster.run(&["maintenance", "repack"])?.must_end_with(1)?;
        repack
            .must_say("pg_repack needs a superuser, and `dagster` is none")
            .map(drop)
    })
}

#[test]
fn a_lock_that_is_held_for_ever_is_told_with_its_holder() -> Result<()> {
    on_dagster("mlock", |server| {
        let before = marks(server)?;
        let holds = "psql -U boss -h 127.0.0.1 -d dagster -c \"set application_name = 'holder'\" \
            -c 'begin; lock table event_logs in share mode; select pg_sleep(1000)'";
        let container = server.testbed.container("db")?;
        let holder = [
            "exec",
            "--detach",
            "--env=PGPASSWORD=s3 'cret",
            &container,
            "sh",
            "-c",
            holds,
        ];
        server.testbed.docker(&holder)?;
        let is_held =
            "select count(*) from pg_locks where relation = 'event_logs'::regclass and mode = 'ShareLock' and granted";
        until("the lock is held", || Ok(sql(server, is_held)? == "1"))?;
        let refused = server.product.run(&CLEANUP)?.must_end_with(1)?;
        for what in [
            "debug logs: deleting debug logs",
            "framework events: deleting framework events",
        ] {
            ensure!(refused.err.contains(what), "{}", refused.err);
        }
        refused
            .must_say("it is held by process")?
            .must_say("(holder, active)")?;
        ensure!(marks(server)? == before, "something was deleted");
        sql(
            server,
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holder'",
        )?;
        server.product.run(&CLEANUP)?.must_end_with(0)?;
        ensure!(!marks(server)?.iter().any(|mark| is_gone(mark)));
        Ok(())
    })
}

#[test]
fn each_of_several_databases_is_done_by_itself_and_a_name_that_is_nowhere_is_a_failure() -> Result<()> {
    on_dagster("mtwo", |server| {
        server.psql("create database second template dagster; create database third template dagster")?;
        let in_second = |script: &str| server.psql(&format!("\\set ON_ERROR_STOP 1\n\\connect second\n{script}"));
        // The first of them cannot be done, and the others have their turn all the same.
        sql(server, "alter table event_logs drop partition")?;
        let named = |names: &str| server.product.clone().with("DAGSTER_DB", names);
        let cleaned = named("dagster,second").run(&CLEANUP)?.must_end_with(1)?;
        cleaned.must_say("db, database `dagster`: ")?;
        let gone = "select count(*) from event_logs where event like '%#go-%'";
        ensure!(in_second(gone)? == "0", "the second was not done");
        ensure!(sql(server, gone)? != "0", "the first was done");
        // None is done that nobody has named.
        let third = server.psql(&format!("\\connect third\n{gone}"))?;
        ensure!(third != "0", "a database was done that nobody has named");
        let status = named("second,third").run(&["--json", "maintenance", "status"])?;
        let status = status.must_end_with(0)?.summary()?;
        let both = [0, 1].map(|at| status["databases"][at]["database"].clone());
        ensure!(both == ["second", "third"], "{status:#}");

        let mistyped = named("second,thirrd").run(&CLEANUP)?.must_end_with(1)?;
        mistyped
            .must_say("there is no database `thirrd` (DAGSTER_DB names it")
            .map(drop)
    })
}

#[test]
fn a_replica_that_lags_is_waited_for_and_a_standby_is_no_failure() -> Result<()> {
    on_dagster("mlag", |server| {
        let before = marks(server)?;
        let follower = server.followed()?;
        follower.psql("select pg_wal_replay_pause()")?;
        sql(
            server,
            "insert into event_logs (run_id, event) select 'done', '{\"level\": 20}' from generate_series(1, 1000)",
        )?;
        let bound = server.product.clone().with("DAGSTER_CLEANUP_MAX_LAG_BYTES", "1000");
        let mut waiting = bound.start(&["--json", "maintenance", "cleanup"])?;
        waiting.until("it waits for the replica", |event| {
            let message = event["message"].as_str().unwrap_or_default();
            event["event"] == "warning" && message.contains("a replica is more than 1000 bytes of WAL behind")
        })?;
        ensure!(marks(server)?.starts_with(&before), "something was deleted");
        follower.psql("select pg_wal_replay_resume()")?;
        let done = waiting.end()?.must_end_with(0)?.summary()?;
        ensure!(!marks(server)?.iter().any(|mark| is_gone(mark)), "it went on too early");
        let notes = done["notes"].to_string();
        ensure!(notes.contains("follower: it is a standby"), "{done:#}");
        ensure!(done["databases"].as_array().map(Vec::len) == Some(1), "{done:#}");

        // Its slot keeps WAL when it is gone.
        follower.remove()?;
        let free = "select count(*) from pg_replication_slots where not active";
        until("nobody is at the slot", || Ok(server.psql(free)? == "1"))?;
        sql(
            server,
            "insert into event_logs (run_id, event) select 'done', '{\"level\": 20}' from generate_series(1, 1000)",
        )?;
        let told = bound.run(&CLEANUP)?.must_end_with(0)?;
        told.must_print("nobody is connected to the replication slot `follower`")
            .map(drop)
    })
}

#[test]
fn on_a_full_disk_nothing_is_begun_and_with_room_the_next_one_does_it_all() -> Result<()> {
    let disk = ["--tmpfs=/small:size=1400m", "-e", "PGDATA=/small/data"];
    lone_postgres::on_server_with(PROGRAM, "mfull", "POSTGRES", &disk, |server| {
        server.psql("create database dagster")?;
        fill(server)?;
        sql(server, "create extension pg_repack")?;
        let before = marks(server)?;
        let fill = "left=$(df -Pk /small | awk 'NR == 2 { print int($4 / 1024) }'); fallocate -l $((left - 100))M /small/filler";
        server.exec(&["sh", "-euc", fill])?;
        let refused = server.product.run(&CLEANUP)?.must_end_with(1)?;
        refused.must_say("the disk of the server has ")?;
        ensure!(marks(server)? == before, "something was deleted");
        let ours = "select count(*) from pg_class where relname like 'stillpoint%'";
        ensure!(sql(server, ours)? == "0", "an index was begun");
        // Whoever looks can do that.
        server.product.run(&["maintenance", "status"])?.must_end_with(0)?;
        // To the last byte.
        server.exec(&["sh", "-c", "cat /dev/zero >/small/more 2>/dev/null; true"])?;
        for verb in ["cleanup", "repack"] {
            let refused = server.product.run(&["maintenance", verb])?.must_end_with(1)?;
            // Whoever says it first: it is not always that the server lets nobody in.
            let words = ["No space left on device", "bytes left", "bytes are free"];
            ensure!(words.iter().any(|words| refused.err.contains(words)), "{}", refused.err);
        }

        server.exec(&["rm", "/small/filler", "/small/more"])?;
        server.product.run(&CLEANUP)?.must_end_with(0)?;
        ensure!(!marks(server)?.iter().any(|mark| is_gone(mark)));
        server
            .product
            .run(&["maintenance", "repack"])?
            .must_end_with(0)
            .map(drop)
    })
}

/// 200,000 rows that go, and as many that stay.
const BLOAT: &str = "insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key) \
    select 'done', '{\"level\": 10, \"user_message\": \"' || repeat(md5(g::text), 8) || '\"}', \
    case when g % 2 = 0 then 'STEP_SUCCESS' end, timestamp '2020-01-01' + g * interval '1 s', 's' from generate_series(1, 400000) g";

#[test]
fn a_cleanup_that_is_killed_is_finished_by_the_next_while_dagster_goes_on_writing() -> Result<()> {
    on_dagster("mkill", |server| {
        sql(server, BLOAT)?;
        let writing = "while echo \"insert into event_logs (run_id, event, timestamp) values ('live', '{}', now());\"; do sleep 0.05; done \
            | psql -U boss -h 127.0.0.1 -qd dagster";
        let container = server.testbed.container("db")?;
        let writer = [
            "exec",
            "--detach",
            "--env=PGPASSWORD=s3 'cret",
            &container,
            "sh",
            "-c",
            writing,
        ];
        server.testbed.docker(&writer)?;
        let written = || -> Result<u64> {
            Ok(sql(
                server,
                "select count(*) from event_logs where run_id = 'live' and event = '{}'",
            )?
            .parse()?)
        };
        let mut running = server.product.start(&["--json", "maintenance", "cleanup"])?;
        running.until("a batch", |event| event["event"] == "rows_deleted")?;
        running.kill()?;
        let old = "select count(*) from event_logs where dagster_event_type is null and run_id = 'done'";
        let left: u64 = sql(server, old)?.parse()?;
        ensure!(left > 0 && left < 200_003, "{left} are left");
        let (before, staying) = (
            written()?,
            "select count(*) from event_logs where dagster_event_type = 'STEP_SUCCESS'",
        );
        let stays = sql(server, staying)?;
        let again = json(server, &CLEANUP)?;
        ensure!(again["databases"][0]["handlers"][0]["left"] == 0, "{again:#}");
        ensure!(sql(server, staying)? == stays, "what stays was deleted");
        until("Dagster goes on writing", || Ok(written()? > before + 5))?;
        let runs = server.product.run(&["runs", "ls"])?.must_end_with(0)?;
        runs.must_print("dagster_cleanup_job").map(drop)
    })
}

#[test]
fn a_repack_gives_room_back_and_heals_what_a_killed_one_has_left() -> Result<()> {
    on_dagster("mrepack", |server| {
        let product = &server.product;
        let repack = ["maintenance", "repack"];
        product
            .run(&repack)?
            .must_end_with(0)?
            .must_print("skipped, the extension pg_repack is not in this database")?;
        sql(server, &format!("create extension pg_repack; {BLOAT}"))?;
        product.run(&CLEANUP)?.must_end_with(0)?;
        killed_half_way(server)?;

        let looked = product.run(&["maintenance", "repack", "--dry-run"])?.must_end_with(0)?;
        looked.must_print("a pg_repack that was killed has left")?;
        let rows = "select count(*), sum(hashtext(event)) from event_logs";
        let before = sql(server, rows)?;
        let repacked = json(server, &repack)?;
        ensure!(sql(server, rows)? == before, "rows were lost");
        let table = &repacked["databases"][0]["tables"][0];
        ensure!(table["table"] == "event_logs", "{repacked:#}");
        let (was, is) = (
            table["before"].as_u64().unwrap_or(0),
            table["after"].as_u64().unwrap_or(u64::MAX),
        );
        ensure!(is < was * 3 / 4, "{repacked:#}");
        ensure!(repacked.to_string().contains("removed"), "{repacked:#}");
        let left = "select (select count(*) from pg_trigger where tgname like '%repack%') + (select count(*) from pg_class c \
            join pg_namespace n on n.oid = relnamespace where nspname = 'repack' and relkind = 'r')";
        ensure!(sql(server, left)? == "0", "something is left of a repack");
        sql(
            server,
            "insert into event_logs (run_id, event, timestamp) values ('live', '{}', now())",
        )
        .map(drop)
    })
}

/// Everything of a run is killed at once, the tool in the container too.
fn killed_half_way(server: &Server) -> Result<()> {
    let container = server.testbed.container("db")?;
    let holds = "psql -U boss -h 127.0.0.1 -d dagster -c \"set application_name = 'holder'\" \
        -c 'begin; select count(*) from runs; select pg_sleep(1000)'";
    server.testbed.docker(&[
        "exec",
        "--detach",
        "--env=PGPASSWORD=s3 'cret",
        &container,
        "sh",
        "-c",
        holds,
    ])?;
    let held = "select count(*) from pg_stat_activity where application_name = 'holder' and xact_start is not null";
    until("a transaction is open", || Ok(sql(server, held)? == "1"))?;
    let running = server.product.start(&["--json", "maintenance", "repack"])?;
    let there = "select count(*) from pg_stat_activity where application_name like 'stillpoint repack%'";
    until("pg_repack is at work", || Ok(sql(server, there)? != "0"))?;
    let trigger = "select count(*) from pg_trigger where tgname = 'repack_trigger'";
    until("it has its trigger", || Ok(sql(server, trigger)? != "0"))?;
    running.kill()?;
    let kill = "for one in /proc/[0-9]*; do if grep -qs ^pg_repack $one/comm; then kill -9 ${one#/proc/}; fi; done";
    server.testbed.docker(&["exec", &container, "sh", "-c", kill])?;
    until("its sessions are gone", || Ok(sql(server, there)? == "0"))?;
    ensure!(sql(server, trigger)? == "1", "the repack was over before it was killed");
    sql(
        server,
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holder'",
    )
    .map(drop)
}
