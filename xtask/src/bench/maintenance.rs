//! Maintenance of a database of Dagster with three million rows: how fast a cleanup deletes and what WAL that makes, beside the recipe
//! of Dagster's documentation on a copy of the same database; what somebody who writes feels of it; which plans its statements take;
//! and what a plain VACUUM and a repack give back.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::dagster::TABLES;
use stillpoint_testkit::lone_postgres::{self, SUPERUSER, Server};

use super::{report, say};

/// Runs, each with a hundred rows.
const RUNS: u64 = 30_000;

/// So many runs are written at once.
const AT_ONCE: u64 = 2_500;

/// What the cleanup may write in a minute, where nothing else is set.
const BUDGET: u64 = 1 << 30;

/// Somebody writes so often in a second, for so many seconds by turns: beside a cleanup, and while it is stopped. What else a machine does
/// meanwhile falls on both.
const WRITES: u32 = 100;
const WRITING: u32 = 5;
const TURNS: usize = 6;

/// In that time a cleanup that is stopped has ended what its server was at.
const SETTLES: Duration = Duration::from_millis(500);

/// A writer's slowest hundredth may take so much longer while rows are deleted.
const SLOWER: f64 = 2.0;

/// Rows of a second against the recipe's, at least; WAL of a row against the recipe's, at most. Below and above that it is no noise.
const SPEED: f64 = 0.9;
const WAL: f64 = 1.1;

const ROWS: &str = include_str!("maintenance/rows.sql");
const RECIPE: &str = include_str!("maintenance/recipe.sql");

/// What deleting took.
#[derive(Default)]
struct Deleted {
    rows: u64,
    took: Duration,
    wal: u64,
}

impl Deleted {
    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.took += other.took;
        self.wal += other.wal;
    }

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
    // Three of them take a lot of a disk.
    server.psql("drop database recipe")?;
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

fn cleaned(server: &Server, database: &str, settings: &[(&str, &str)]) -> Result<Deleted> {
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
    Ok(Deleted {
        rows: sum("rows"),
        took: Duration::from_millis(sum("millis")),
        wal: sum("wal_bytes"),
    })
}

/// The windows of the handlers that have work while one statement of the recipe has its turn; the others find nothing.
const WINDOWS: [[&str; 4]; 3] = [
    ["7", NEVER, NEVER, NEVER],
    [NEVER, "60", "60", NEVER],
    [NEVER, NEVER, NEVER, "30"],
];
const NEVER: &str = "36500";

/// All that is old, without a budget, by turns with the recipe: what else the machine does falls on both.
fn speed(server: &Server, broken: &mut Vec<String>) -> Result<String> {
    let (index, delete) = RECIPE
        .split_once("-- delete\n")
        .context("the recipe has no second half")?;
    sql(server, "recipe", index)?;
    // Its indexes are built by a first run that deletes nothing.
    let no_rows = [("DAGSTER_CLEANUP_BATCH_LIMIT", "1")];
    cleaned(server, "ours", &no_rows)?;
    let statements: Vec<&str> = delete.split_inclusive(";\n").collect();
    ensure!(
        statements.len() == WINDOWS.len(),
        "the recipe has {} statements",
        statements.len()
    );
    let (mut recipe, mut ours) = (Deleted::default(), Deleted::default());
    for (statement, windows) in statements.into_iter().zip(WINDOWS) {
        sql(server, "recipe", "checkpoint")?;
        let (before, begun) = (wal(server)?, Instant::now());
        let said = sql(server, "recipe", statement)?;
        recipe.add(&Deleted {
            took: begun.elapsed(),
            wal: wal(server)? - before,
            rows: said.trim().parse()?,
        });
        let [debug, info, warning, events] = windows;
        let all = [
            ("DAGSTER_DEBUG_LOG_RETENTION_DAYS", debug),
            ("DAGSTER_INFO_LOG_RETENTION_DAYS", info),
            ("DAGSTER_WARNING_LOG_RETENTION_DAYS", warning),
            ("DAGSTER_UNIMPORTANT_EVENT_RETENTION_DAYS", events),
            ("DAGSTER_CLEANUP_BATCH_LIMIT", "100000000"),
            ("DAGSTER_CLEANUP_WAL_BYTES_PER_MINUTE", "0"),
        ];
        sql(server, "ours", "checkpoint")?;
        ours.add(&cleaned(server, "ours", &all)?);
    }
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

/// How long inserts took.
#[derive(Clone, Copy, Default)]
struct Inserts {
    median: Duration,
    /// The slowest hundredth took longer.
    slowest: Duration,
}

/// One run as it is by itself, with its budget, beside somebody who writes. Its plans are told by the server.
fn beside_a_writer(server: &Server, broken: &mut Vec<String>) -> Result<String> {
    // The first run builds indexes, which is once.
    let no_rows = [("DAGSTER_CLEANUP_BATCH_LIMIT", "1")];
    cleaned(server, "paced", &no_rows)?;
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "\"auto_explain.log_min_duration\" = 0",
        "\"auto_explain.sample_rate\" = 0.1",
    ] {
        server.psql(&format!("alter database paced set {setting}"))?;
    }
    sql(server, "paced", "checkpoint")?;
    let product = server.product.clone().with("DAGSTER_DB", "paced");
    let (begun, mut stopped) = (Instant::now(), Duration::ZERO);
    let mut cleanup = product.start(&["--json", "maintenance", "cleanup"])?;
    cleanup.until("rows go", |event| event["event"] == "rows_deleted")?;
    let (mut beside, mut alone) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        beside.push(writer(server, "beside")?);
        ensure!(
            cleanup.is_at_work()?,
            "the cleanup was over before turn {turn} was: more rows"
        );
        let rests = Instant::now();
        cleanup.signal("STOP")?;
        thread::sleep(SETTLES);
        alone.push(writer(server, "alone")?);
        cleanup.signal("CONT")?;
        stopped += rests.elapsed();
    }
    let document = cleanup.end()?.must_end_with(0)?.summary()?;
    let took = begun.elapsed().saturating_sub(stopped);
    let handlers = document["databases"][0]["handlers"].as_array().context("no handler")?;
    let sum = |field: &str| -> u64 { handlers.iter().filter_map(|handler| handler[field].as_u64()).sum() };
    let (rows, written) = (sum("rows"), sum("wal_bytes"));
    ensure!(rows >= 1_000_000, "a run took only {rows} rows");
    let per_minute = share(written, took.as_secs_f64() / 60.0);
    if per_minute > share(BUDGET, 1.0) * WAL {
        broken.push(format!("a run writes {per_minute:.0} bytes of WAL a minute"));
    }
    let (beside, alone) = (median(&beside), median(&alone));
    let slower = beside.slowest.as_secs_f64() / alone.slowest.as_secs_f64();
    if slower > SLOWER {
        broken.push(format!("a writer's slowest hundredth takes {slower:.1} times as long"));
    }
    let plans = plans(server, broken)?;
    let millis = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1000.0);
    Ok(format!(
        "One run by its defaults, beside {WRITES} inserts a second: {rows} rows in {}, {} of WAL. An insert takes {} beside it and {} alone, \
         the slowest hundredth {} and {} ({slower:.2} times; medians of {TURNS} turns of {WRITING} s). {plans}",
        report::seconds(took),
        report::bytes(written),
        millis(beside.median),
        millis(alone.median),
        millis(beside.slowest),
        millis(alone.slowest),
    ))
}

/// Which plans the server has told, of the statements that a cleanup has deleted by.
fn plans(server: &Server, broken: &mut Vec<String>) -> Result<String> {
    let count = |what: &str| -> Result<u64> {
        let script = format!("cat /var/lib/postgresql/data/told/* | grep -c '{what}' || true");
        Ok(server.exec(&["sh", "-c", &script])?.trim().parse()?)
    };
    let (scans, plans) = (count("Seq Scan on event_logs")?, count("Index.*Scan.*stillpoint_")?);
    let runs = count("Seq Scan on runs")?;
    ensure!(plans > 0, "the server has told no plan");
    if scans > 0 {
        broken.push(format!("{scans} plans of a cleanup read all of event_logs"));
    }
    Ok(format!(
        "Of the plans that the server told, {plans} use its indexes, {scans} read all of `event_logs`, {runs} all of `runs`."
    ))
}

/// The median of each figure.
fn median(turns: &[Inserts]) -> Inserts {
    let of = |figure: fn(&Inserts) -> Duration| {
        let mut all: Vec<Duration> = turns.iter().map(figure).collect();
        all.sort();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    Inserts {
        median: of(|one| one.median),
        slowest: of(|one| one.slowest),
    }
}

/// Inserts, by pgbench.
fn writer(server: &Server, name: &str) -> Result<Inserts> {
    let script = format!(
        "cd /tmp && rm -f {name}.* && cat >insert.sql <<'END'\n\
         insert into event_logs (run_id, event, timestamp) values ('writer', '{{\"level\": 20}}', now() at time zone 'utc');\nEND\n\
         pgbench -h /var/run/postgresql -U {SUPERUSER} -n -f insert.sql -R {WRITES} -T {WRITING} -l --log-prefix={name} paced >/dev/null 2>&1\n\
         cut -d' ' -f3 {name}.* | sort -n | awk '{{ took[NR] = $1 }} END {{ print took[int((NR + 1) / 2)], took[int(NR * 0.99)] }}'"
    );
    let told = server.exec(&["sh", "-euc", &script])?;
    let mut figures = told
        .split_whitespace()
        .map(str::parse)
        .map(|micros| micros.map(Duration::from_micros));
    let mut next = || anyhow::Ok(figures.next().context("pgbench tells nothing")??);
    Ok(Inserts {
        median: next()?,
        slowest: next()?,
    })
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
