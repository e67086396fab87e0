//! Maintenance of a database of Dagster with three million rows: how fast a cleanup deletes and what WAL that makes, beside the recipe
//! of Dagster's documentation on a copy of the same database; what somebody who writes feels of it; which plans its statements take;
//! and what a plain VACUUM and a repack give back.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillpoint_testkit::lone_postgres::{self, SUPERUSER, Server};

use super::{report, say};

/// Runs, each with a hundred rows.
const RUNS: u64 = 30_000;

/// So many runs are written at once.
const AT_ONCE: u64 = 2_500;

/// No budget.
const UNBOUNDED: &str = "1099511627776";

/// What the cleanup may write in a minute, where nothing else is set.
const BUDGET: u64 = 1 << 30;

/// Somebody writes so often in a second, for so many seconds.
const WRITES: u32 = 100;
const WRITING: u32 = 30;

/// A writer's slowest hundredth may take so much longer while rows are deleted.
const SLOWER: f64 = 2.0;

/// Rows of a second against the recipe's, at least; WAL of a row against the recipe's, at most. Below and above that it is no noise.
const SPEED: f64 = 0.9;
const WAL: f64 = 1.1;

const TABLES: &str = include_str!("maintenance/tables.sql");
const ROWS: &str = include_str!("maintenance/rows.sql");
const RECIPE: &str = include_str!("maintenance/recipe.sql");

/// What deleting took.
struct Deleted {
    rows: u64,
    took: Duration,
    wal: u64,
}

impl Deleted {
    fn speed(&self) -> f64 {
        share(self.rows, self.took.as_secs_f64())
    }

    /// WAL of a row.
    fn wal_of_row(&self) -> f64 {
        share(self.wal, share(self.rows, 1.0))
    }

    fn row(&self, name: &str) -> Vec<String> {
        vec![
            name.to_owned(),
            self.rows.to_string(),
            report::seconds(self.took),
            format!("{:.0}", self.speed()),
            report::bytes(self.wal),
            report::bytes(per_100_000(self.wal, self.rows)),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn share(number: u64, of: f64) -> f64 {
    number as f64 / of.max(f64::MIN_POSITIVE)
}

fn per_100_000(bytes: u64, rows: u64) -> u64 {
    bytes.saturating_mul(100_000).checked_div(rows).unwrap_or(0)
}

/// The report, and in sentences what was broken of the limits.
pub(super) fn run(program: &Path) -> Result<(String, Vec<String>)> {
    let mut measured = None;
    lone_postgres::on_server(&program.display().to_string(), "upkeep", "POSTGRES", |server| {
        measured = Some(measure(server)?);
        Ok(())
    })?;
    measured.context("nothing was measured")
}

fn measure(server: &Server) -> Result<(String, Vec<String>)> {
    let settings = [
        "fsync = on",
        "shared_buffers = '512MB'",
        "max_wal_size = '4GB'",
        "logging_collector = on",
        "log_directory = '/var/lib/postgresql/data/told'",
        "autovacuum = off",
    ];
    server.restart_with(&settings)?;
    say(&format!("upkeep: {} rows", RUNS * 100));
    fill(server, "recipe")?;
    for copy in ["ours", "paced"] {
        server.psql(&format!("create database {copy} template recipe"))?;
    }
    let mut broken = Vec::new();
    let mut told = vec![speed(server, &mut broken)?];
    told.push(beside_a_writer(server, &mut broken)?);
    told.push(given_back(server)?);
    let text = format!(
        "## Maintenance of Dagster's database\n\n{} rows of {RUNS} runs over 120 days, autovacuum off, a checkpoint before each.\n\n{}",
        RUNS * 100,
        told.join("\n\n")
    );
    Ok((text, broken))
}

fn sql(server: &Server, database: &str, script: &str) -> Result<String> {
    server.psql(&format!("\\set ON_ERROR_STOP 1\n\\connect {database}\n{script}"))
}

fn fill(server: &Server, database: &str) -> Result<()> {
    server.psql(&format!("create database {database}"))?;
    sql(server, database, TABLES)?;
    for first in (1..=RUNS).step_by(usize::try_from(AT_ONCE)?) {
        let chunk = format!(
            "\\set first {first}\n\\set last {}\n\\set runs {RUNS}\n{ROWS}",
            first + AT_ONCE - 1
        );
        sql(server, database, &chunk)?;
    }
    sql(server, database, "vacuum analyze").map(drop)
}

fn wal(server: &Server) -> Result<u64> {
    Ok(server
        .psql("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")?
        .trim()
        .parse()?)
}

fn cleaned(server: &Server, database: &str, settings: &[(&str, &str)]) -> Result<(Deleted, Value)> {
    let product = server.product.clone().with("DAGSTER_DB", database);
    let product = settings
        .iter()
        .fold(product, |product, (name, value)| product.with(name, *value));
    // Started, not run: it may take longer than a test may.
    let cleanup = product.start(&["--json", "maintenance", "cleanup"])?;
    let document = cleanup.end()?.must_end_with(0)?.summary()?;
    let handlers = document["databases"][0]["handlers"]
        .as_array()
        .context("the cleanup tells of no handler")?;
    let sum = |field: &str| {
        handlers
            .iter()
            .filter_map(|handler| handler[field].as_u64())
            .sum::<u64>()
    };
    let deleted = Deleted {
        rows: sum("rows"),
        took: Duration::from_millis(sum("millis")),
        wal: sum("wal_bytes"),
    };
    Ok((deleted, document))
}

/// All that is old, without a budget, beside the recipe.
fn speed(server: &Server, broken: &mut Vec<String>) -> Result<String> {
    sql(server, "recipe", "checkpoint")?;
    let (index, delete) = RECIPE
        .split_once("-- delete")
        .context("the recipe has no second half")?;
    sql(server, "recipe", index)?;
    sql(server, "recipe", "checkpoint")?;
    let (before, begun) = (wal(server)?, Instant::now());
    let said = sql(server, "recipe", delete)?;
    let recipe = Deleted {
        took: begun.elapsed(),
        wal: wal(server)? - before,
        rows: said.lines().filter_map(|line| line.trim().parse::<u64>().ok()).sum(),
    };
    // Its indexes are built by a first run that deletes nothing.
    let no_rows = [("DAGSTER_CLEANUP_BATCH_LIMIT", "1")];
    cleaned(server, "ours", &no_rows)?;
    sql(server, "ours", "checkpoint")?;
    let all = [
        ("DAGSTER_CLEANUP_BATCH_LIMIT", "100000000"),
        ("DAGSTER_CLEANUP_WAL_BYTES_PER_MINUTE", UNBOUNDED),
    ];
    let (ours, _) = cleaned(server, "ours", &all)?;
    let (faster, more) = (ours.speed() / recipe.speed(), ours.wal_of_row() / recipe.wal_of_row());
    if faster < SPEED {
        broken.push(format!("a cleanup deletes at {faster:.2} of the recipe's speed"));
    }
    if more > WAL {
        broken.push(format!("a row deleted makes {more:.2} of the recipe's WAL"));
    }
    let rows = [recipe.row("published recipe"), ours.row("stillpoint, no budget")];
    let head = ["what", "rows", "took", "rows/s", "WAL", "WAL per 100,000 rows"];
    Ok(format!(
        "{}\nAgainst the recipe: {faster:.2} of its rows a second, {more:.2} of its WAL for a row.",
        report::table(&head, &rows)
    ))
}

/// One run as it is by itself, with its budget, beside somebody who writes. Its plans are told by the server.
fn beside_a_writer(server: &Server, broken: &mut Vec<String>) -> Result<String> {
    let alone = writer(server, "alone")?;
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "\"auto_explain.log_min_duration\" = 0",
    ] {
        server.psql(&format!("alter database paced set {setting}"))?;
    }
    sql(server, "paced", "checkpoint")?;
    let (begun, first) = (Instant::now(), wal(server)?);
    let cleanup = server
        .product
        .clone()
        .with("DAGSTER_DB", "paced")
        .start(&["--json", "maintenance", "cleanup"])?;
    let beside = writer(server, "beside")?;
    let document = cleanup.end()?.must_end_with(0)?.summary()?;
    let (took, written) = (begun.elapsed(), wal(server)? - first);
    let handlers = document["databases"][0]["handlers"].as_array().context("no handler")?;
    let rows: u64 = handlers.iter().filter_map(|handler| handler["rows"].as_u64()).sum();
    ensure!(rows >= 1_000_000, "a run took only {rows} rows");
    let per_minute = share(written, took.as_secs_f64() / 60.0);
    if took > Duration::from_mins(1) && per_minute > share(BUDGET, 1.0) * WAL {
        broken.push(format!("a run writes {per_minute:.0} bytes of WAL a minute"));
    }
    let slower = beside.as_secs_f64() / alone.as_secs_f64();
    if slower > SLOWER {
        broken.push(format!("a writer's slowest hundredth takes {slower:.1} times as long"));
    }
    let scans = server.exec(&[
        "sh",
        "-c",
        "cat /var/lib/postgresql/data/told/* | grep -c 'Seq Scan on event_logs' || true",
    ])?;
    let plans = server.exec(&[
        "sh",
        "-c",
        "cat /var/lib/postgresql/data/told/* | grep -c 'Index.*Scan.*stillpoint_' || true",
    ])?;
    let (scans, plans): (u64, u64) = (scans.trim().parse()?, plans.trim().parse()?);
    ensure!(plans > 0, "the server has told no plan");
    if scans > 0 {
        broken.push(format!("{scans} plans of a cleanup read all of event_logs"));
    }
    Ok(format!(
        "One run by its defaults, beside {WRITES} inserts a second: {rows} rows in {}, {} of WAL. The writer's 99th percentile: {:.1} ms \
         alone, {:.1} ms beside it ({slower:.2} times). Plans that use its indexes: {plans}; that read all of `event_logs`: {scans}.",
        report::seconds(took),
        report::bytes(written),
        alone.as_secs_f64() * 1000.0,
        beside.as_secs_f64() * 1000.0,
    ))
}

/// The 99th percentile of inserts, by pgbench.
fn writer(server: &Server, name: &str) -> Result<Duration> {
    let script = format!(
        "cd /tmp && rm -f {name}.* && cat >insert.sql <<'END'\n\
         insert into event_logs (run_id, event, timestamp) values ('writer', '{{\"level\": 20}}', now() at time zone 'utc');\nEND\n\
         pgbench -h /var/run/postgresql -U {SUPERUSER} -n -f insert.sql -R {WRITES} -T {WRITING} -l --log-prefix={name} paced >/dev/null 2>&1\n\
         cut -d' ' -f3 {name}.* | sort -n | awk '{{ took[NR] = $1 }} END {{ print took[int(NR * 0.99)] }}'"
    );
    let told = server.exec(&["sh", "-euc", &script])?;
    Ok(Duration::from_micros(
        told.trim().parse().context("pgbench tells nothing")?,
    ))
}

/// Sizes of the three tables after a plain VACUUM, and after a repack.
fn given_back(server: &Server) -> Result<String> {
    let bloat = "update runs set update_timestamp = now(); delete from job_ticks where id % 5 <> 0";
    sql(server, "ours", bloat)?;
    let sizes = |what: &str| -> Result<Vec<String>> {
        let mut row = vec![what.to_owned()];
        for table in ["event_logs", "runs", "job_ticks"] {
            let size = sql(server, "ours", &format!("select pg_total_relation_size('{table}')"))?;
            row.push(report::bytes(size.trim().parse()?));
        }
        Ok(row)
    };
    let mut rows = vec![sizes("before")?];
    sql(server, "ours", "vacuum event_logs, runs, job_ticks")?;
    rows.push(sizes("after a plain VACUUM")?);
    sql(server, "ours", "create extension pg_repack")?;
    let product = server.product.clone().with("DAGSTER_DB", "ours");
    product.start(&["maintenance", "repack"])?.end()?.must_end_with(0)?;
    rows.push(sizes("after a repack")?);
    Ok(report::table(
        &["tables with indexes", "event_logs", "runs", "job_ticks"],
        &rows,
    ))
}
