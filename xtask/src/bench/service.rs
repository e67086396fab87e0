//! The service with a long history: how long its pages take, what it holds in memory when nothing happens, and with many
//! listeners. Asked over its socket, so that what is measured is the service and not a browser.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stillpoint_adapters::ledger::LedgerHistory;
use stillpoint_core::events::{Event, EventKind};
use stillpoint_core::names::RunId;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{Asked, Ending, Fact, RunRecord, RunState, Way};
use stillpoint_testkit::product::{Product, Running};
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::{process, report, say};

/// The history: so many runs, with so many facts together, of which the newest run has this share.
const RUNS: u64 = 10_000;
const FACTS: u64 = 1_000_000;
const NEWEST: u64 = 100_000;

/// So many facts are written at once.
const BATCH: u64 = 5_000;

/// So often is each page asked for; the median counts.
const ASKED: usize = 21;

/// So many listen at once.
const LISTENERS: usize = 200;

/// So many backups there are in the repository.
const BACKUPS: usize = 5;

/// Page, what it is called, and the most that it may take at the median.
const PAGES: [(&str, &str, Duration); 4] = [
    ("/", "overview", Duration::from_millis(30)),
    ("/runs", "runs", Duration::from_millis(50)),
    (
        "/runs?job=verify_job&state=FAILURE",
        "runs, filtered",
        Duration::from_millis(50),
    ),
    ("/runs/NEWEST", "a run with 100,000 lines", Duration::from_millis(100)),
];

/// Resident bytes at most: when nothing happens, and while many listen.
const IDLE: u64 = 40 << 20;
const LISTENED: u64 = 100 << 20;

/// An event may take so long from where it happens to a page.
const TOLD: Duration = Duration::from_millis(300);

/// How long the service may take to answer at all.
const PATIENCE: Duration = Duration::from_mins(1);

/// The report, and in sentences what was broken of the limits.
pub(super) fn run(program: &Path, folder: &Path) -> Result<(String, Vec<String>)> {
    let mut measured = None;
    Testbed::for_test("service", Shape::Mini)?.auto().examined(|testbed| {
        say(&format!(
            "{}: up, {BACKUPS} backups, then a history of {RUNS} runs",
            testbed.project()
        ));
        testbed.up()?;
        let product = Product::of(&program.display().to_string(), &folder.join("work"), testbed)
            .with("BACKUP_HISTORY_RUNS", RUNS.to_string())
            .with("BACKUP_HISTORY_DAYS", "36500")
            .with("STILLPOINT_LISTEN", "off");
        for _ in 0..BACKUPS {
            product.backup()?;
        }
        let newest = fill(&product)?;
        measured = Some(measure(&product, newest)?);
        Ok(())
    })?;
    measured.context("nothing was measured")
}

fn measure(product: &Product, newest: u64) -> Result<(String, Vec<String>)> {
    let socket = product.state.join("service.sock");
    let service = product.start(&["serve"])?;
    until_it_answers(&socket)?;
    let idle = process::memory(service.id()).now;
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    let mut row = |what: &str, value: String, limit: String| rows.push(vec![what.to_owned(), value, limit]);
    for (page, what, limit) in PAGES {
        let page = page.replace("NEWEST", &newest.to_string());
        let took = median(&socket, &page)?;
        row(what, millis(took), millis(limit));
        if took > limit {
            broken.push(format!(
                "page {what} takes {}, more than {}",
                millis(took),
                millis(limit)
            ));
        }
    }
    row("resident, idle", report::bytes(idle), report::bytes(IDLE));
    if idle > IDLE {
        broken.push(format!("the idle service holds {}", report::bytes(idle)));
    }
    let told = latest(product, &socket)?;
    row("an event, at the latest", millis(told), millis(TOLD));
    if told > TOLD {
        broken.push(format!("an event takes {}, more than {}", millis(told), millis(TOLD)));
    }
    let listeners = listen(&socket)?;
    let listened = process::memory(service.id()).now;
    drop(listeners);
    row(
        "resident, 200 listeners",
        report::bytes(listened),
        report::bytes(LISTENED),
    );
    if listened > LISTENED {
        broken.push(format!(
            "with {LISTENERS} listeners it holds {}",
            report::bytes(listened)
        ));
    }
    end(service)?;
    let table = report::table(&["what", "measured", "limit"], &rows);
    let text = format!(
        "## The service\n\n{RUNS} runs with {FACTS} facts in the history, {BACKUPS} backups in a directory; each page {ASKED} times \
         over the socket, whole answer, the median.\n\n{table}"
    );
    Ok((text, broken))
}

/// A history as years make it. Returns the number of the run that has the most to tell.
fn fill(product: &Product) -> Result<u64> {
    let history = LedgerHistory::in_folder(&product.state);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Timestamp::now() - SignedDuration::from_hours(24 * 400);
    runtime.block_on(async {
        for number in 1..=RUNS {
            let at = begun + SignedDuration::from_mins(i64::try_from(number)? * 50);
            let record = record(number, at);
            history.note(&record).await?;
            let share = if number == RUNS {
                NEWEST
            } else {
                (FACTS - NEWEST) / (RUNS - 1)
            };
            let mut seq = 0;
            while seq < share {
                let batch: Vec<Fact> = (seq + 1..=(seq + BATCH).min(share))
                    .map(|seq| fact(&record, seq, at))
                    .collect();
                seq += batch.len() as u64;
                history.tell(&record.run, &batch).await?;
            }
        }
        let newest = history.run(record(RUNS, begun).run.as_str()).await?;
        newest
            .and_then(|run| run.number)
            .context("the newest run has no number")
    })
}

fn record(number: u64, at: Timestamp) -> RunRecord {
    let fails = number.is_multiple_of(50);
    let (state, exit) = if fails {
        (RunState::Failure, 1)
    } else {
        (RunState::Success, 0)
    };
    let job = if number.is_multiple_of(3) {
        "verify_job"
    } else {
        "backup_job"
    };
    RunRecord {
        number: None,
        run: RunId::new(format!("bench-{number}")),
        job: job.to_owned(),
        options: json!({"order": "backup", "mode": null}),
        platform: None,
        asked: Asked {
            way: Way::Schedule,
            by: "0 1 * * *".to_owned(),
        },
        host: "bench".to_owned(),
        process: 1,
        state,
        asked_at: at,
        started_at: Some(at),
        ended_at: Some(at + SignedDuration::from_secs(40)),
        ending: Some(Ending {
            exit: Some(exit),
            reason: fails.then(|| "the repository did not answer".to_owned()),
            ..Ending::default()
        }),
    }
}

fn fact(record: &RunRecord, seq: u64, at: Timestamp) -> Fact {
    let event = Event {
        seq,
        run: record.run.clone(),
        at,
        kind: EventKind::Warning {
            message: format!("line {seq} of what this run has to tell, about as long as such lines are"),
        },
    };
    Fact {
        seq,
        event: serde_json::to_value(event).unwrap_or_default(),
    }
}

fn median(socket: &Path, page: &str) -> Result<Duration> {
    let mut took = Vec::new();
    for _ in 0..ASKED {
        let begun = Instant::now();
        let answer = get(socket, page)?;
        took.push(begun.elapsed());
        ensure!(
            answer.starts_with("HTTP/1.1 200"),
            "{page}: {}",
            answer.lines().next().unwrap_or_default()
        );
    }
    took.sort();
    Ok(took[ASKED / 2])
}

fn asked(socket: &Path, page: &str) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

fn get(socket: &Path, page: &str) -> Result<String> {
    let mut answer = Vec::new();
    asked(socket, page)?.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Opens the streams, and returns when each has begun.
fn listen(socket: &Path) -> Result<Vec<UnixStream>> {
    let opened = (0..LISTENERS).map(|_| {
        let mut stream = asked(socket, "/api/v1/events")?;
        let mut begin = [0; 12];
        stream.read_exact(&mut begin)?;
        ensure!(begin == *b"HTTP/1.1 200", "a stream was refused");
        Ok(stream)
    });
    opened.collect()
}

/// How long the slowest event of a backup takes from where it happens to a stream as pages have it.
fn latest(product: &Product, socket: &Path) -> Result<Duration> {
    let stream = BufReader::new(asked(socket, "/api/v1/events")?);
    let backup = product.start(&["backup"])?;
    let mut took = Vec::new();
    for line in stream.lines() {
        let line = line?;
        let Some(told) = line.strip_prefix("data:") else {
            continue;
        };
        let told: Value = serde_json::from_str(told.trim())?;
        if let Some(at) = told["event"]["at"].as_str() {
            took.push(Timestamp::now().duration_since(at.parse()?).unsigned_abs());
        }
        if told["run"]["state"] == "SUCCESS" {
            break;
        }
    }
    backup.end()?.must_end_with(0)?;
    ensure!(took.len() > 10, "a backup tells only {} events", took.len());
    took.into_iter().max().context("nothing was told")
}

fn until_it_answers(socket: &Path) -> Result<()> {
    let begun = Instant::now();
    while get(socket, "/api/v1/service").is_err() {
        ensure!(begun.elapsed() < PATIENCE, "the service does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn end(service: Running) -> Result<()> {
    service.signal("TERM")?;
    service.end()?.must_end_with(0).map(drop)
}

fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}
