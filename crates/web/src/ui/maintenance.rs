//! Maintenance: how Dagster's databases stand, what the next cleanup takes, and what the last runs have done.

use askama::Template;
use axum::extract::State;
use jiff::Timestamp;
use serde_json::Value;
use stillpoint_core::maintenance::{DatabaseStatus, Handled, Status};
use stillpoint_core::ports::history::{RunRecord, RunState};

use super::frame::{Frame, Page, shown};
use super::words;
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::RunsWanted;

/// The jobs whose runs are shown.
const JOBS: [&str; 2] = ["dagster_cleanup_job", "postgres_repack_job"];

/// So many runs of each.
const RUNS: u32 = 8;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/maintenance", Role::Viewer, maintenance)
}

#[derive(Template)]
#[template(path = "maintenance.html")]
struct MaintenancePage<'a> {
    frame: &'a Frame,
    status: Status,
    runs: Vec<Done>,
    may_act: bool,
}

/// A run of maintenance, and what it has brought.
struct Done {
    name: String,
    job: String,
    state: RunState,
    at: Timestamp,
    brought: String,
    /// Bytes of Dagster's tables afterwards, of all its databases.
    then: Option<u64>,
}

#[expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "the template calls them on its page, and hands over references"
)]
impl MaintenancePage<'_> {
    /// Rows past their windows, of all handlers.
    fn past(&self, database: &DatabaseStatus) -> String {
        let handlers = database.counted.handlers.iter();
        grouped(handlers.map(|handler| handler.rows + handler.left.unwrap_or(0)).sum())
    }

    fn grouped(&self, number: &u64) -> String {
        grouped(*number)
    }

    fn ticks(&self, handler: &Handled) -> String {
        match handler.ticks_to_drained {
            Some(ticks) => (ticks + u64::from(handler.rows > 0)).to_string(),
            None => "unknown".to_owned(),
        }
    }
}

/// With a narrow space between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let tail = tail.as_bytes().chunks(3).map(String::from_utf8_lossy);
    let groups = std::iter::once(head.into()).filter(|head: &std::borrow::Cow<'_, str>| !head.is_empty());
    groups.chain(tail).collect::<Vec<_>>().join("\u{202f}")
}

async fn maintenance(State(app): State<App>, frame: Frame) -> Page {
    let status = match app.platform.maintenance().await {
        Ok(status) => status,
        Err(problem) => return Err(frame.refused(problem)),
    };
    let mut runs = Vec::new();
    for job in JOBS {
        let wanted = RunsWanted {
            job: Some(job.to_owned()),
            limit: Some(RUNS),
            ..RunsWanted::default()
        };
        runs.extend(app.platform.runs(wanted).await.unwrap_or_default());
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.number));
    Ok(shown(&MaintenancePage {
        may_act: frame.who.role >= Role::Operator && !status.disabled && !status.databases.is_empty(),
        runs: runs.iter().map(done).collect(),
        status,
        frame: &frame,
    }))
}

fn done(run: &RunRecord) -> Done {
    let result = run.ending.as_ref().and_then(|ending| ending.result.as_ref());
    Done {
        name: run.called(),
        job: words::job(&run.job).to_owned(),
        state: run.state,
        at: run.started_at.unwrap_or(run.asked_at),
        brought: result.map(brought).unwrap_or_default(),
        then: result.and_then(then),
    }
}

/// What a run has brought, from its result.
fn brought(result: &Value) -> String {
    let databases = result["databases"].as_array().map_or(&[][..], Vec::as_slice);
    let each = |list: &'static str| {
        let all = databases.iter().filter_map(move |database| database[list].as_array());
        all.flatten()
    };
    let rows: u64 = each("handlers").filter_map(|one| one["rows"].as_u64()).sum();
    let repacked = each("tables").filter_map(|one| Some((one["before"].as_u64()?, one["after"].as_u64()?)));
    let given: u64 = repacked.map(|(before, after)| before.saturating_sub(after)).sum();
    match (each("handlers").next(), each("tables").next()) {
        (Some(_), _) => format!("{} rows deleted", grouped(rows)),
        (_, Some(_)) => format!("{} given back", stillpoint_core::words::bytes(given)),
        _ => "nothing to do".to_owned(),
    }
}

/// What Dagster's tables took when a run had ended, where it tells that of each database.
fn then(result: &Value) -> Option<u64> {
    let of_table = |table: &Value| table["after"].as_u64().or_else(|| table["before"].as_u64());
    let of_database = |database: &Value| match database["tables"].as_array() {
        Some(tables) if !tables.is_empty() => tables.iter().map(of_table).sum(),
        _ => database["bytes"].as_u64(),
    };
    let databases = result["databases"]
        .as_array()
        .filter(|databases| !databases.is_empty())?;
    databases.iter().map(of_database).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_in_thousands() {
        let said = [0, 12, 999, 1_000, 1_204_000].map(grouped);
        assert_eq!(said, ["0", "12", "999", "1\u{202f}000", "1\u{202f}204\u{202f}000"]);
    }

    #[test]
    fn what_a_run_has_brought_is_told_of_all_its_databases() {
        let cleaned = json!({"databases": [{"handlers": [{"rows": 7}, {"rows": 3}]}, {"handlers": [{"rows": 1_000}]}]});
        assert_eq!(brought(&cleaned), "1\u{202f}010 rows deleted");
        let table = |before: u64, after: Value| json!({"before": before, "after": after});
        let repacked = json!({"databases": [{"tables": [table(4096, json!(1024)), table(9, Value::Null)]}]});
        assert_eq!(brought(&repacked), "3.00 KiB given back");
        assert_eq!(then(&repacked), Some(1033));
        assert_eq!(then(&cleaned), None, "a run of a version before");
        let sized = json!({"databases": [{"bytes": 7, "handlers": []}, {"bytes": 3}]});
        assert_eq!(then(&sized), Some(10));
        assert_eq!(brought(&json!({"databases": []})), "nothing to do");
    }
}
