//! The history as tables of the ledger.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, params_from_iter};
use stillpoint_core::names::RunId;
use stillpoint_core::ports::History;
use stillpoint_core::ports::history::{
    Fact, FactFilter, HistoryError, HistoryLimits, RunFilter, RunRecord, ScheduleNote, Weight,
};
use stillpoint_core::ports::journal::JournalError;

use super::{HISTORY, Ledger};

/// An `INSERT … ON CONFLICT` would use up a number each time.
const NOTE_AGAIN: &str = "UPDATE runs SET asked_at = ?2, is_over = ?3, record = ?4 WHERE run = ?1";
const NOTE: &str = "INSERT INTO runs (run, asked_at, is_over, record) VALUES (?1, ?2, ?3, ?4)";

const TELL: &str = "INSERT OR IGNORE INTO facts (number, seq, event) SELECT number, ?2, ?3 FROM runs WHERE run = ?1";

/// What is older, and of the rest what is beyond the number that stays.
const PRUNE: &str = "DELETE FROM runs WHERE is_over = 1 AND (asked_at < ?1 OR number NOT IN
    (SELECT number FROM runs ORDER BY number DESC LIMIT ?2))";

const SWITCH: &str = "INSERT INTO schedules (job, is_on, switched_by, switched_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (job) DO UPDATE SET
        is_on = excluded.is_on, switched_by = excluded.switched_by, switched_at = excluded.switched_at";

const HANDLED: &str = "INSERT INTO schedules (job, known_since, handled) VALUES (?1, ?2, ?2)
    ON CONFLICT (job) DO UPDATE SET
        known_since = coalesce(schedules.known_since, excluded.known_since), handled = excluded.handled";

/// A run as it is stored.
type Stored = (u64, String);

/// The history in a state directory's ledger. Opened at the first use: a command that only looks makes no file.
#[derive(Clone)]
pub struct LedgerHistory {
    ledger: Ledger,
}

impl LedgerHistory {
    /// The history in this directory.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            ledger: Ledger::used(folder.into(), HISTORY),
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, HistoryError> {
        self.ledger.with("written", act).await.map_err(into_history)
    }

    /// What a question finds; nothing where there is no ledger.
    async fn read<T: Default + Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, HistoryError> {
        if !self.ledger.path().exists() {
            return Ok(T::default());
        }
        self.ledger.with("read", act).await.map_err(into_history)
    }

    fn unusable(&self, doing: &'static str, error: &serde_json::Error) -> HistoryError {
        HistoryError {
            place: self.place(),
            doing,
            cause: error.to_string(),
        }
    }

    fn record(&self, (number, record): Stored) -> Result<RunRecord, HistoryError> {
        let record: RunRecord = serde_json::from_str(&record).map_err(|error| self.unusable("read", &error))?;
        Ok(RunRecord {
            number: Some(number),
            ..record
        })
    }

    fn told(&self, stored: Vec<Stored>) -> Result<Vec<Fact>, HistoryError> {
        let facts = stored.into_iter().map(|(seq, event)| {
            let event = serde_json::from_str(&event).map_err(|error| self.unusable("read", &error))?;
            Ok(Fact { seq, event })
        });
        facts.collect()
    }

    fn records(&self, stored: Vec<Stored>) -> Result<Vec<RunRecord>, HistoryError> {
        stored.into_iter().map(|stored| self.record(stored)).collect()
    }
}

#[async_trait]
impl History for LedgerHistory {
    fn place(&self) -> String {
        self.ledger.path().display().to_string()
    }

    async fn note(&self, record: &RunRecord) -> Result<(), HistoryError> {
        let text = serde_json::to_string(record).map_err(|error| self.unusable("written", &error))?;
        let run = record.run.to_string();
        let values = (run, record.asked_at.as_millisecond(), record.state.is_over(), text);
        self.write(move |ledger| {
            let all = Transaction::new_unchecked(ledger, TransactionBehavior::Immediate)?;
            if all.execute(NOTE_AGAIN, values.clone())? == 0 {
                all.execute(NOTE, values)?;
            }
            all.commit()
        })
        .await
    }

    async fn tell(&self, run: &RunId, facts: &[Fact]) -> Result<(), HistoryError> {
        let run = run.to_string();
        let row = |fact: &Fact| (sql(fact.seq), fact.event.to_string());
        let rows: Vec<(i64, String)> = facts.iter().map(row).collect();
        self.write(move |ledger| {
            let all = ledger.unchecked_transaction()?;
            for (seq, event) in rows {
                all.prepare_cached(TELL)?.execute(params![run, seq, event])?;
            }
            all.commit()
        })
        .await
    }

    async fn run(&self, name: &str) -> Result<Option<RunRecord>, HistoryError> {
        let name = name.to_owned();
        let number: Option<i64> = name.parse().ok();
        let question = "SELECT number, record FROM runs WHERE run = ?1 OR number = ?2";
        let found = self.read(move |ledger| ledger.query_row(question, params![name, number], stored).optional());
        let stored = found.await?;
        stored.map(|stored| self.record(stored)).transpose()
    }

    async fn find(&self, wanted: &RunFilter, limit: u32) -> Result<Vec<RunRecord>, HistoryError> {
        let (question, values) = question(wanted, limit);
        let rows = self.read(move |ledger| {
            let mut rows = ledger.prepare(&question)?;
            let rows = rows.query_map(params_from_iter(values), stored)?;
            rows.collect()
        });
        self.records(rows.await?)
    }

    async fn open_runs(&self) -> Result<Vec<RunRecord>, HistoryError> {
        let rows = self.read(|ledger| {
            let mut rows = ledger.prepare("SELECT number, record FROM runs WHERE is_over = 0 ORDER BY number")?;
            let rows = rows.query_map([], stored)?;
            rows.collect()
        });
        self.records(rows.await?)
    }

    async fn facts(&self, run: &RunId, after: u64, limit: u32) -> Result<Vec<Fact>, HistoryError> {
        let (run, after) = (run.to_string(), sql(after));
        let question = "SELECT seq, event FROM facts JOIN runs USING (number) WHERE run = ?1 AND seq > ?2
            ORDER BY seq LIMIT ?3";
        let rows = self.read(move |ledger| {
            let mut rows = ledger.prepare(question)?;
            let rows = rows.query_map(params![run, after, limit], stored)?;
            rows.collect::<rusqlite::Result<Vec<Stored>>>()
        });
        self.told(rows.await?)
    }

    async fn last_facts(&self, run: &RunId, wanted: &FactFilter, limit: u32) -> Result<Vec<Fact>, HistoryError> {
        let (question, values) = question_of_facts(run, wanted, limit);
        let rows = self.read(move |ledger| {
            let mut rows = ledger.prepare(&question)?;
            let rows = rows.query_map(params_from_iter(values), stored)?;
            rows.collect::<rusqlite::Result<Vec<Stored>>>()
        });
        let mut rows = rows.await?;
        rows.reverse();
        self.told(rows)
    }

    async fn schedules(&self) -> Result<Vec<ScheduleNote>, HistoryError> {
        let question = "SELECT job, is_on, switched_by, switched_at, known_since, handled FROM schedules ORDER BY job";
        self.read(move |ledger| {
            let mut rows = ledger.prepare(question)?;
            let rows = rows.query_map([], schedule)?;
            rows.collect()
        })
        .await
    }

    async fn switch(&self, job: &str, on: bool, by: &str, at: Timestamp) -> Result<(), HistoryError> {
        let values = (job.to_owned(), on, by.to_owned(), at.as_millisecond());
        self.write(move |ledger| ledger.execute(SWITCH, values).map(drop)).await
    }

    async fn handled(&self, job: &str, until: Timestamp) -> Result<(), HistoryError> {
        let values = (job.to_owned(), until.as_millisecond());
        self.write(move |ledger| ledger.execute(HANDLED, values).map(drop))
            .await
    }

    async fn prune(&self, limits: HistoryLimits, now: Timestamp) -> Result<u64, HistoryError> {
        let oldest = now.as_millisecond() - i64::from(limits.days) * 86_400_000;
        self.read(move |ledger| {
            let gone = ledger.execute(PRUNE, params![oldest, limits.runs])?;
            Ok(gone as u64)
        })
        .await
    }
}

/// What finds runs, with its values. Only what is looked for stands in it: so each has an index that gives the order too.
fn question(wanted: &RunFilter, limit: u32) -> (String, Vec<Value>) {
    let text = |text: &str| vec![Value::from(text.to_owned())];
    let conditions = [
        wanted
            .before
            .map(|before| ("number < ?", vec![Value::from(sql(before))])),
        wanted.job.as_deref().map(|job| ("job = ?", text(job))),
        wanted.state.map(|state| ("state = ?", text(state.name()))),
    ];
    let order = "ORDER BY number DESC";
    put_together("SELECT number, record FROM runs WHERE true", conditions, order, limit)
}

/// What finds facts. The index of the marks leaves out what there may be a hundred thousand of.
fn question_of_facts(run: &RunId, wanted: &FactFilter, limit: u32) -> (String, Vec<Value>) {
    const MARK: &str = "event ->> '$.event' <> 'artifact_done'";
    const WARNING: &str = "event ->> '$.event' <> 'artifact_done'
        AND (event ->> '$.event' = 'warning' OR event ->> '$.ok' = 0)";
    let text = |text: &str| Value::from(text.to_owned());
    let is_of = "(event ->> '$.store' = ? OR instr(event ->> '$.message', ?) > 0)";
    let conditions = [
        Some((
            "number = (SELECT number FROM runs WHERE run = ?)",
            vec![text(run.as_str())],
        )),
        wanted.before.map(|before| ("seq < ?", vec![Value::from(sql(before))])),
        match wanted.weight {
            Weight::Any => None,
            Weight::Mark => Some((MARK, Vec::new())),
            Weight::Warning => Some((WARNING, Vec::new())),
        },
        wanted.store.as_deref().map(|store| (is_of, vec![text(store); 2])),
    ];
    // Left to itself, SQLite takes the table, which gives the order too.
    let what = match wanted.weight {
        Weight::Any => "SELECT seq, event FROM facts WHERE true",
        Weight::Mark | Weight::Warning => "SELECT seq, event FROM facts INDEXED BY facts_that_mark WHERE true",
    };
    put_together(what, conditions, "ORDER BY seq DESC", limit)
}

fn put_together(
    what: &str,
    conditions: impl IntoIterator<Item = Option<(&'static str, Vec<Value>)>>,
    order: &str,
    limit: u32,
) -> (String, Vec<Value>) {
    let mut question = what.to_owned();
    let mut values = Vec::new();
    for (condition, of_it) in conditions.into_iter().flatten() {
        question.push_str(" AND ");
        question.push_str(condition);
        values.extend(of_it);
    }
    values.push(Value::from(limit));
    (format!("{question} {order} LIMIT ?"), values)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let number: i64 = row.get(0)?;
    Ok((number.unsigned_abs(), row.get(1)?))
}

fn schedule(row: &Row<'_>) -> rusqlite::Result<ScheduleNote> {
    let moment = |column: usize| -> rusqlite::Result<Option<Timestamp>> {
        let millis: Option<i64> = row.get(column)?;
        Ok(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    };
    Ok(ScheduleNote {
        job: row.get(0)?,
        is_on: row.get(1)?,
        switched_by: row.get(2)?,
        switched_at: moment(3)?,
        known_since: moment(4)?,
        handled: moment(5)?,
    })
}

/// SQLite's numbers have a sign.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn into_history(error: JournalError) -> HistoryError {
    HistoryError {
        place: error.path,
        doing: error.doing,
        cause: error.cause,
    }
}

#[cfg(test)]
mod tests {
    use stillpoint_core::ports::history::RunState;

    use super::*;
    use crate::ledger::schema::migrate;

    const RUNS: u32 = 10_000;

    /// A ledger with many runs: of each job and state some.
    fn full() -> Connection {
        let mut ledger = Connection::open_in_memory().unwrap();
        migrate(&mut ledger).unwrap();
        let all = ledger.transaction().unwrap();
        for number in 0..RUNS {
            let job = ["backup_job", "verify_job", "prune_job"][(number % 3) as usize];
            let state = if number % 100 == 0 { "FAILURE" } else { "SUCCESS" };
            let record = serde_json::json!({ "job": job, "state": state }).to_string();
            all.execute(NOTE, params![number.to_string(), number, true, record])
                .unwrap();
        }
        all.commit().unwrap();
        ledger
    }

    /// How SQLite finds them, and the numbers of what it finds.
    fn found(ledger: &Connection, (question, values): (String, Vec<Value>)) -> (String, Vec<i64>) {
        let plan = format!("EXPLAIN QUERY PLAN {question}");
        let mut plan = ledger.prepare(&plan).unwrap();
        let plan = plan.query_map(params_from_iter(values.clone()), |row| row.get::<_, String>(3));
        let plan: rusqlite::Result<Vec<String>> = plan.unwrap().collect();
        let mut rows = ledger.prepare(&question).unwrap();
        let rows = rows.query_map(params_from_iter(values), |row| row.get(0));
        let rows: rusqlite::Result<Vec<i64>> = rows.unwrap().collect();
        (plan.unwrap().join("; "), rows.unwrap())
    }

    #[test]
    fn whatever_is_looked_for_among_ten_thousand_runs_is_found_by_an_index_that_gives_the_order() {
        let ledger = full();
        let job = Some("backup_job".to_owned());
        let state = Some(RunState::Failure);
        let before = Some(5000);
        let wanted = |before, job, state| RunFilter { before, job, state };
        let cases = [
            (wanted(before, None, None), "INTEGER PRIMARY KEY"),
            (wanted(None, job.clone(), None), "runs_of_job"),
            (wanted(before, job.clone(), None), "runs_of_job"),
            (wanted(None, None, state), "runs_in_state"),
            (wanted(before, None, state), "runs_in_state"),
            (wanted(before, job, state), "runs_of_job_in_state"),
        ];
        for (wanted, index) in cases {
            let (plan, rows) = found(&ledger, question(&wanted, 50));
            assert!(plan.starts_with("SEARCH") && plan.contains(index), "{wanted:?}: {plan}");
            assert!(!plan.contains("B-TREE"), "{wanted:?} is sorted: {plan}");
            assert!(
                !rows.is_empty() && rows.is_sorted_by(|one, next| one > next),
                "{rows:?}"
            );
            let bound = wanted.before.map_or(i64::MAX, sql);
            assert!(rows.iter().all(|number| *number < bound));
        }
    }

    #[test]
    fn what_marks_a_run_is_found_among_many_artifacts_without_reading_them() {
        let mut ledger = full();
        let all = ledger.transaction().unwrap();
        for seq in 1..=20_000 {
            let event = match seq % 5000 {
                1 => serde_json::json!({ "event": "step_began", "step": "drain" }),
                2 => serde_json::json!({ "event": "warning", "message": "db is slow" }),
                _ => serde_json::json!({ "event": "artifact_done", "store": "db" }),
            };
            all.execute(TELL, params!["7", seq, event.to_string()]).unwrap();
        }
        all.commit().unwrap();
        let filter = |weight| FactFilter {
            weight,
            ..FactFilter::default()
        };
        let ask = |weight| found(&ledger, question_of_facts(&RunId::new("7"), &filter(weight), 500));
        let (plan, rows) = ask(Weight::Mark);
        assert!(plan.contains("facts_that_mark") && !plan.contains("B-TREE"), "{plan}");
        assert_eq!(rows.len(), 8);
        let (plan, rows) = ask(Weight::Warning);
        assert!(plan.contains("facts_that_mark") && !plan.contains("B-TREE"), "{plan}");
        assert_eq!(rows, [15_002, 10_002, 5002, 2]);
        let (plan, rows) = ask(Weight::Any);
        assert!(
            plan.contains("SEARCH facts USING PRIMARY KEY") && !plan.contains("B-TREE"),
            "{plan}"
        );
        assert_eq!((rows.len(), rows[0]), (500, 20_000));
    }
}
