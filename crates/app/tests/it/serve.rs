//! The service on the real engine: schedules begin runs, commands beside it are done by it and look the same, runs line up,
//! and its death leaves what the death of a command leaves.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use stillpoint_testkit::dagster::TABLES;
use stillpoint_testkit::product::{Product, Ran, Running};
use stillpoint_testkit::testbed::Testbed;

use crate::common::{
    HOLD, half_way, hold_dumps, is_back, let_go, nothing_runs, on_mini, replace_tool, standing, stuck_in_a_dump, until,
};

const STOCK_DUMP: &str = "exec /usr/bin/pg_dump \"$@\"";

/// A service at work. The test ends it.
fn serve(product: &Product) -> Result<Running> {
    let mut service = product.start(&["serve"])?;
    until("the service answers", || {
        if let Some(said) = service.has_ended()? {
            anyhow::bail!("the service has ended: {said}");
        }
        Ok(!schedules(product)?["service"].is_null())
    })?;
    Ok(service)
}

/// Nothing begins by itself.
fn unscheduled(product: &Product) -> Product {
    product.clone().with("BACKUP_SCHEDULE", "off")
}

fn end(service: Running) -> Result<Ran> {
    service.signal("TERM")?;
    service.end()?.must_end_with(0)
}

fn json(product: &Product, command: &[&str]) -> Result<Value> {
    product
        .run(&[command, &["--json"]].concat())?
        .must_end_with(0)?
        .summary()
}

fn schedules(product: &Product) -> Result<Value> {
    json(product, &["schedules", "ls"])
}

/// The runs, the newest first.
fn runs(product: &Product) -> Result<Vec<Value>> {
    let listed = json(product, &["runs", "ls"])?;
    listed["runs"].as_array().cloned().context("`runs ls` lists no runs")
}

fn state(product: &Product, number: &str) -> Result<String> {
    let run = json(product, &["runs", "show", number])?;
    run["state"]
        .as_str()
        .map(ToOwned::to_owned)
        .context("a run has no state")
}

/// Waits until a run has this state.
fn becomes(product: &Product, number: &str, wanted: &str) -> Result<()> {
    until(&format!("run {number} is {wanted}"), || {
        // A run that was only just asked for may not be noted yet.
        let is_it = |run: &&Value| run["number"].as_u64() == number.parse().ok();
        Ok(runs(product)?
            .iter()
            .find(is_it)
            .is_some_and(|run| run["state"] == wanted))
    })
}

/// A backup that waits in its dump until it is let go.
fn held_backup(testbed: &Testbed, product: &Product) -> Result<Running> {
    hold_dumps(testbed)?;
    let mut running = product.start(&HOLD)?;
    half_way(testbed, &mut running)?;
    Ok(running)
}

#[test]
fn a_schedule_begins_backups_until_it_is_switched_off() -> Result<()> {
    on_mini("schedule", |testbed, product| {
        let before = standing(testbed)?;
        let product = product.clone().with("BACKUP_SCHEDULE", "* * * * *");
        assert_eq!(schedules(&product)?["schedules"][0]["standing"], "never_heeded");
        let service = serve(&product)?;
        // The next minute may be a whole one away.
        let has_begun = || until("a minute has come", || Ok(!runs(&product)?.is_empty()));
        has_begun().or_else(|_| has_begun())?;
        becomes(&product, "1", "SUCCESS")?;
        let run = json(&product, &["runs", "show", "1"])?;
        assert_eq!(
            (&run["job"], &run["asked"]["way"]),
            (&"backup_job".into(), &"schedule".into())
        );
        assert_eq!(run["process"], service.id());
        assert!(!product.backups()?.is_empty());

        product
            .run(&["schedules", "off", "verify_everything"])?
            .must_end_with(2)?
            .must_say("backup_job")?;
        product.run(&["schedules", "off", "backup_job"])?.must_end_with(0)?;
        let row = &schedules(&product)?["schedules"][0];
        assert_eq!(
            (&row["on"], &row["standing"], &row["next"]),
            (&false.into(), &"off".into(), &Value::Array(vec![]))
        );
        assert!(
            row["switched_by"].is_string() && row["switched_at"].is_string(),
            "{row}"
        );
        end(service)?;
        is_back(testbed, &before)
    })
}

/// As a service would have left it that died so many hours ago.
fn handled(product: &Product, hours: i64) -> Result<()> {
    // Any run makes the ledger.
    product.run(&["verify", "2020-01-01_00-00-00"])?;
    let ledger = rusqlite::Connection::open(product.state.join("ledger.sqlite"))?;
    let then = Timestamp::now().as_millisecond() - hours * 3_600_000;
    let note = "INSERT INTO schedules (job, known_since, handled) VALUES ('backup_job', ?1, ?1)";
    ledger.execute(note, [then]).map(drop).context("cannot note the time")
}

#[test]
fn what_was_missed_is_made_up_for_once() -> Result<()> {
    on_mini("missed", |testbed, product| {
        let before = standing(testbed)?;
        // Every hour, half an hour ago for the last time.
        let hourly = format!("{} * * * *", (Timestamp::now().as_second() / 60 + 30) % 60);
        let product = &product.clone().with("BACKUP_SCHEDULE", hourly);
        handled(product, 3)?;
        let service = serve(product)?;
        becomes(product, "2", "SUCCESS")?;
        assert_eq!(product.backups()?.len(), 1, "three were missed, one is owed");
        assert_eq!(schedules(product)?["schedules"][0]["standing"], "on_time");
        end(service)?;
        // And not again.
        let service = serve(product)?;
        assert_eq!(runs(product)?.len(), 2);
        end(service)?;
        is_back(testbed, &before)
    })
}

#[test]
fn what_cannot_be_made_up_for_is_overdue_until_a_run_succeeds() -> Result<()> {
    on_mini("overdue", |_, product| {
        let two_hours_ago = Timestamp::now().as_second() - 7200;
        let (hour, minute) = (two_hours_ago / 3600 % 24, two_hours_ago / 60 % 60);
        let daily = format!("{minute} {hour} * * *");
        let late = product
            .clone()
            .with("BACKUP_SCHEDULE", daily)
            .with("BACKUP_TIMEZONE", "UTC");
        let late = &late.with("BACKUP_CATCH_UP_SECONDS", "60");
        handled(late, 3)?;
        let service = serve(late)?;
        let row = &schedules(late)?["schedules"][0];
        assert_eq!(row["standing"], "overdue", "{row}");
        let reason = row["reason"].as_str().context("no reason")?;
        assert!(reason.contains("it has never succeeded"), "{reason}");
        late.run(&["schedules", "ls"])?
            .must_end_with(0)?
            .must_print("is OVERDUE since")?;
        assert_eq!(late.backups()?, Vec::<String>::new());
        late.backup()?;
        assert_eq!(schedules(late)?["schedules"][0]["standing"], "on_time");
        end(service)?.must_say("too late to make up for it").map(drop)
    })
}

#[test]
fn a_command_beside_the_service_is_done_by_it_and_looks_the_same() -> Result<()> {
    on_mini("beside", |testbed, product| {
        let before = standing(testbed)?;
        let product = &unscheduled(product);
        let service = serve(product)?;
        let ran = product.run(&["backup", "--json"])?.must_end_with(0)?;
        let backup = ran.summary()?["manifest"]["id"].as_str().context("no id")?.to_owned();
        let run = json(product, &["runs", "show", "1"])?;
        assert_eq!(
            (&run["process"], &run["asked"]["way"]),
            (&service.id().into(), &"cli".into())
        );
        assert_eq!(run["ending"]["result"], ran.summary()?);
        assert!(ran.out.contains("\"event\":\"clients_go_down\""), "{}", ran.out);
        product
            .run(&["verify", &backup])?
            .must_end_with(0)?
            .must_print("is whole")?;
        let refused = product.run(&["verify", "2020-01-01_00-00-00"])?.must_end_with(10)?;
        refused.must_say("error: ")?.must_say(" help: ")?;
        product
            .run(&["restore", &backup, "--confirm", &backup, "--discard-old"])?
            .must_end_with(0)?;

        let again = product.run(&["runs", "retry", "3"])?.must_end_with(10)?;
        again.must_say("2020-01-01_00-00-00")?;
        assert_eq!(runs(product)?[0]["options"], runs(product)?[2]["options"]);
        let restore = product.run(&["runs", "retry", "4"])?.must_end_with(2)?;
        restore.must_say("(full_restore_job) replaces data")?;

        let second = product.run(&["serve"])?.must_end_with(11)?;
        second.must_say(&format!("process {}", service.id()))?;
        // Another repository is another's work.
        let folder = tempfile::tempdir()?;
        let elsewhere = product.clone().keeping_backups_in(folder.path());
        let ran = elsewhere.run(&["backup"])?.must_end_with(0)?;
        ran.must_say("this command does it by itself")?;
        assert_ne!(runs(product)?[0]["process"], service.id());

        end(service)?;
        let alone = product.run(&["backup", "--detach"])?.must_end_with(2)?;
        alone.must_say("stillpoint serve")?;
        is_back(testbed, &before)
    })
}

#[test]
fn runs_line_up_and_each_can_be_cancelled() -> Result<()> {
    on_mini("queue", |testbed, product| {
        let before = standing(testbed)?;
        let product = &unscheduled(product);
        let service = serve(product)?;
        let first = held_backup(testbed, product)?;
        let second = product.start(&["backup", "--json"])?;
        becomes(product, "2", "QUEUED")?;
        let third = product.run(&["backup", "--detach"])?.must_end_with(0)?;
        third.must_print("run 3")?;

        // One that waits never begins.
        product.run(&["runs", "cancel", "2"])?.must_end_with(0)?;
        let ended = second.end()?.must_end_with(130)?;
        ended
            .must_say("waits for run 1, backup_job (STARTED)")?
            .must_print("cancelled before it began")?;
        // Ctrl-C at the command that asked for it undoes what is at work.
        first.signal("INT")?;
        first.end()?.must_end_with(130)?;
        assert_eq!(state(product, "1")?, "CANCELED");
        // Then it is the next one's turn.
        let_go(testbed)?;
        becomes(product, "3", "SUCCESS")?;
        product
            .run(&["runs", "cancel", "3"])?
            .must_end_with(11)?
            .must_say("it is over")?;
        is_back(testbed, &before)?;
        assert_eq!(product.backups()?.len(), 1);
        end(service)?;
        Ok(())
    })
}

/// A database of Dagster in which a cleanup and a repack have something to do.
fn bring_dagster(testbed: &Testbed) -> Result<()> {
    testbed.psql("postgres", "create database lean")?;
    testbed.psql("lean", TABLES)?;
    let rows = "insert into event_logs (run_id, event, timestamp) select 'done', '{\"level\": 10}', timestamp '2020-01-01' \
        from generate_series(1, 5000); create extension pg_repack";
    testbed.psql("lean", rows).map(drop)
}

#[test]
fn maintenance_waits_for_a_backup_and_a_backup_for_maintenance() -> Result<()> {
    on_mini("mqueue", |testbed, product| {
        bring_dagster(testbed)?;
        // After its first rows a cleanup pauses for hours: its budget is a byte a minute.
        let product = unscheduled(product).with("DAGSTER_DB", "lean");
        let product = &product.with("DAGSTER_CLEANUP_WAL_BYTES_PER_MINUTE", "1");
        let left = || testbed.psql("lean", "select count(*) from event_logs");
        let service = serve(product)?;

        let backup = held_backup(testbed, product)?;
        let cleanup = product.start(&["--json", "maintenance", "cleanup"])?;
        becomes(product, "2", "QUEUED")?;
        let repack = product.start(&["--json", "maintenance", "repack"])?;
        becomes(product, "3", "QUEUED")?;
        assert_eq!(left()?, "5000", "rows go while a backup runs");
        let_go(testbed)?;
        backup.end()?.must_end_with(0)?;

        becomes(product, "2", "STARTED")?;
        until("rows go", || Ok(left()? != "5000"))?;
        let second = product.start(&["backup", "--json"])?;
        becomes(product, "4", "QUEUED")?;
        assert_eq!(state(product, "3")?, "QUEUED");
        // Its pause does not keep it from being cancelled: what went stays gone, and nothing more goes.
        product.run(&["runs", "cancel", "2"])?.must_end_with(0)?;
        cleanup.end()?.must_end_with(130)?;
        let stays = left()?;
        assert_ne!(stays, "0");
        repack.end()?.must_end_with(0)?;
        second.end()?.must_end_with(0)?;
        for (run, ended) in [("2", "CANCELED"), ("3", "SUCCESS"), ("4", "SUCCESS")] {
            assert_eq!(state(product, run)?, ended, "run {run}");
        }
        assert_eq!(left()?, stays);
        end(service).map(drop)
    })
}

#[test]
fn a_service_that_is_killed_in_a_standstill_leaves_nothing_down_and_goes_on_with_its_queue() -> Result<()> {
    on_mini("deadservice", |testbed, product| {
        let before = standing(testbed)?;
        let product = &unscheduled(product);
        let service = serve(product)?;
        let running = stuck_in_a_dump(testbed, product, &HOLD)?;
        product.run(&["backup", "--detach"])?.must_end_with(0)?;
        becomes(product, "2", "QUEUED")?;
        service.kill()?;
        running.end()?.must_end_with(16)?.must_say("the service has gone")?;
        until("the watchdog has brought the platform back", || {
            Ok(is_back(testbed, &before).is_ok())
        })?;
        nothing_runs(testbed)?;
        assert_eq!(state(product, "2")?, "QUEUED");

        replace_tool(testbed, "pg_dump", STOCK_DUMP)?;
        let service = serve(product)?;
        let dead = json(product, &["runs", "show", "1"])?;
        assert_eq!(dead["state"], "FAILURE");
        let why = dead["ending"]["reason"].as_str().context("no reason")?;
        assert!(why.contains("died before the run had ended"), "{why}");
        becomes(product, "2", "SUCCESS")?;
        end(service)?;
        is_back(testbed, &before)
    })
}

#[test]
fn a_service_that_is_told_to_end_undoes_what_has_no_time_left() -> Result<()> {
    on_mini("term", |testbed, product| {
        let before = standing(testbed)?;
        let product = &unscheduled(product).with("STILLPOINT_GRACE_SECONDS", "0");
        let service = serve(product)?;
        let running = stuck_in_a_dump(testbed, product, &HOLD)?;
        end(service)?.must_say("no run begins any more")?;
        running.end()?.must_end_with(130)?;
        assert_eq!(state(product, "1")?, "CANCELED");
        is_back(testbed, &before)?;
        nothing_runs(testbed)?;
        assert!(!product.state.join("service.sock").exists());
        replace_tool(testbed, "pg_dump", STOCK_DUMP)
    })
}
