//! What goes and what stays, as SQL. The rules in the order in which they are written below:
//!
//! 1. rows of a run that has not ended stay;
//! 2. the newest planned event of each asset and partition stays: by it a page finds an asset's latest run, whatever became of it;
//! 3. outputs of steps and events of the engine stay where the run was no success: a re-execution from the failure reads them, and a
//!    crash is told by them;
//! 4. every other kind of event, and logs of level error and above, stay.
//!
//! Runs are looked at by the statement itself: rows and runs are seen at the same moment.

use stillpoint_core::maintenance::Handler;

use crate::schema::Schema;

/// Which rows a statement deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    /// Logs of this level, as its number.
    Logs(u8),
    /// Framework events of this type.
    Events(&'static str, Kept),
}

/// Which of them stay however old they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Those of runs that have not ended.
    Live,
    /// Those of runs that have not ended or were no success.
    NoSuccess,
    /// Those of runs that have not ended, and the newest of each asset and partition.
    LiveAndNewest,
}

/// How a statement looks at runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    /// A list of them: the least for many rows.
    AtOnce,
    /// Each row's own, by its key: to read all runs would be most of the work of a small batch.
    OneByOne,
}

/// From so many rows on a list is less.
const MANY: u64 = 5_000;

impl Runs {
    fn for_rows(most: u64) -> Self {
        if most < MANY { Self::OneByOne } else { Self::AtOnce }
    }
}

/// The types of events that may go.
pub(crate) const EVENTS: [Slice; 5] = [
    Slice::Events("HANDLED_OUTPUT", Kept::Live),
    Slice::Events("LOADED_INPUT", Kept::Live),
    Slice::Events("ENGINE_EVENT", Kept::NoSuccess),
    Slice::Events("STEP_OUTPUT", Kept::NoSuccess),
    Slice::Events("ASSET_MATERIALIZATION_PLANNED", Kept::LiveAndNewest),
];

/// Statuses of runs that have ended.
const ENDED: &str = "'SUCCESS', 'FAILURE', 'CANCELED'";

/// The level of a log: keys are sorted, so none of its own text comes before it, and quotes in a text are escaped.
pub(crate) const LEVEL: &str = r#"substring(event from '"level": ([0-9]+)')"#;

/// What a handler deletes, one statement each.
pub(crate) fn slices(handler: Handler) -> &'static [Slice] {
    match handler {
        Handler::DebugLogs => &[Slice::Logs(10)],
        Handler::InfoLogs => &[Slice::Logs(20)],
        Handler::WarningLogs => &[Slice::Logs(30)],
        Handler::FrameworkEvents => &EVENTS,
    }
}

/// The moment before which rows of a window are old, by the server's clock.
pub(crate) fn cutoff(days: u32) -> String {
    format!("SELECT (now() AT TIME ZONE 'utc') - make_interval(days => {days})")
}

/// Which rows `e` of the table go that are older than `before`.
fn condition(schema: &Schema, slice: Slice, before: &str, look: Runs) -> String {
    let (runs, events) = (schema.table("runs"), schema.table("event_logs"));
    let (which, kept) = match slice {
        Slice::Logs(level) => (
            format!("dagster_event_type IS NULL AND {LEVEL} = '{level}'"),
            Kept::Live,
        ),
        Slice::Events(event, kept) => (format!("dagster_event_type = '{event}'"), kept),
    };
    // A status that nobody knows may be that of a run in progress.
    let protecting = match kept {
        Kept::Live | Kept::LiveAndNewest => format!("NOT IN ({ENDED})"),
        Kept::NoSuccess => "<> 'SUCCESS'".to_owned(),
    };
    let protected = format!("(r.status IS NULL OR r.status {protecting})");
    let of_runs = match look {
        Runs::AtOnce => {
            format!("e.run_id NOT IN (SELECT r.run_id FROM {runs} r WHERE r.run_id IS NOT NULL AND {protected})")
        }
        // Without the offset the server would join it: a list again.
        Runs::OneByOne => {
            format!("NOT EXISTS (SELECT FROM {runs} r WHERE r.run_id = e.run_id AND {protected} OFFSET 0)")
        }
    };
    let of_runs = format!("e.run_id IS NOT NULL AND {of_runs}");
    let newer = |partition: &str| {
        format!(
            "EXISTS (SELECT FROM {events} n WHERE n.asset_key = e.asset_key \
             AND n.dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED' AND {partition} AND n.id > e.id)"
        )
    };
    let newest = match kept {
        Kept::LiveAndNewest => format!(
            " AND CASE WHEN e.partition IS NULL THEN {} ELSE {} END",
            newer("n.partition IS NULL"),
            newer("n.partition = e.partition")
        ),
        Kept::Live | Kept::NoSuccess => String::new(),
    };
    format!("{which} AND e.\"timestamp\" < '{before}'::timestamp AND {of_runs}{newest}")
}

/// Deletes the oldest rows, so many at most; returns their number, the newest moment among them, and how much WAL the server has written
/// by then. `from` is that of the batch before: what is older stays, and need not be looked at again.
///
/// A row that somebody changes meanwhile has another place, and stays.
pub(crate) fn delete(schema: &Schema, slice: Slice, before: &str, from: Option<&str>, most: u64) -> String {
    let events = schema.table("event_logs");
    let from = from.map_or_else(String::new, |from| {
        format!(" AND e.\"timestamp\" >= '{from}'::timestamp")
    });
    format!(
        "WITH gone AS (DELETE FROM {events} WHERE ctid = ANY (ARRAY(SELECT e.ctid FROM {events} e WHERE {}{from} \
         ORDER BY e.\"timestamp\" LIMIT {most})) RETURNING \"timestamp\") SELECT count(*), max(\"timestamp\"), \
         pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint FROM gone",
        condition(schema, slice, before, Runs::for_rows(most))
    )
}

/// Counts what goes: rows, and bytes of their events as they are stored.
pub(crate) fn count(schema: &Schema, slice: Slice, before: &str) -> String {
    format!(
        "SELECT count(*), coalesce(sum(pg_column_size(e.event)), 0) FROM {} e WHERE {}",
        schema.table("event_logs"),
        condition(schema, slice, before, Runs::AtOnce)
    )
}

/// Counts what is left.
pub(crate) fn left(schema: &Schema, slice: Slice, before: &str) -> String {
    format!(
        "SELECT count(*) FROM {} e WHERE {}",
        schema.table("event_logs"),
        condition(schema, slice, before, Runs::AtOnce)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema {
            name: "public".to_owned(),
            version: String::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn what_must_never_go_is_in_no_statement() {
        let never = [
            "PIPELINE_",
            "STEP_START",
            "STEP_SUCCESS",
            "STEP_FAILURE",
            "RESOURCE_",
            "ASSET_CHECK",
            "LOGS_CAPTURED",
        ];
        for handler in Handler::ALL {
            for slice in slices(handler) {
                let sql = delete(&schema(), *slice, "2026-01-01", None, 10);
                assert!(never.iter().all(|event| !sql.contains(event)), "{sql}");
                assert!(!sql.contains("'40'") && !sql.contains("'50'"), "{sql}");
            }
        }
    }

    #[test]
    fn each_statement_protects_what_it_has_to() {
        let sql = |slice| delete(&schema(), slice, "2026-01-01", None, 10);
        for handler in Handler::ALL {
            for slice in slices(handler) {
                let (live, no_success) = (
                    sql(*slice).contains("status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"),
                    sql(*slice).contains("status <> 'SUCCESS'"),
                );
                let needs_success = matches!(slice, Slice::Events("STEP_OUTPUT" | "ENGINE_EVENT", _));
                assert_eq!((live, no_success), (!needs_success, needs_success), "{slice:?}");
                let is_planned = matches!(slice, Slice::Events("ASSET_MATERIALIZATION_PLANNED", _));
                assert_eq!(sql(*slice).contains("n.id > e.id"), is_planned, "{slice:?}");
            }
        }
    }

    /// Word for word: whoever leaves out a rule changes it.
    #[test]
    fn the_rules_are_these() {
        let runs = r#""public"."runs" r WHERE r.run_id"#;
        let looks = [
            (
                Runs::AtOnce,
                format!("e.run_id NOT IN (SELECT r.run_id FROM {runs} IS NOT NULL AND "),
                ")",
            ),
            (
                Runs::OneByOne,
                format!("NOT EXISTS (SELECT FROM {runs} = e.run_id AND "),
                " OFFSET 0)",
            ),
        ];
        for (look, head, tail) in looks {
            let rules = |slice| condition(&schema(), slice, "2026-01-01", look);
            let unless = |status: &str| {
                format!(
                    "AND e.\"timestamp\" < '2026-01-01'::timestamp AND e.run_id IS NOT NULL AND {head}(r.status IS NULL OR \
                     r.status {status}){tail}"
                )
            };
            let (has_ended, is_success) = (
                unless("NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"),
                unless("<> 'SUCCESS'"),
            );
            let log = format!("dagster_event_type IS NULL AND {LEVEL} = '10' {has_ended}");
            assert_eq!(rules(Slice::Logs(10)), log);
            for slice in EVENTS {
                let Slice::Events(name, _) = slice else {
                    panic!("{slice:?}")
                };
                let newer = |partition: &str| {
                    format!(
                        "EXISTS (SELECT FROM \"public\".\"event_logs\" n WHERE n.asset_key = e.asset_key AND n.dagster_event_type \
                         = 'ASSET_MATERIALIZATION_PLANNED' AND {partition} AND n.id > e.id)"
                    )
                };
                let expected = match name {
                    "HANDLED_OUTPUT" | "LOADED_INPUT" => has_ended.clone(),
                    "ENGINE_EVENT" | "STEP_OUTPUT" => is_success.clone(),
                    "ASSET_MATERIALIZATION_PLANNED" => format!(
                        "{has_ended} AND CASE WHEN e.partition IS NULL THEN {} ELSE {} END",
                        newer("n.partition IS NULL"),
                        newer("n.partition = e.partition")
                    ),
                    other => panic!("{other} may not go"),
                };
                assert_eq!(rules(slice), format!("dagster_event_type = '{name}' {expected}"));
            }
        }
    }

    #[test]
    fn a_batch_goes_on_where_the_one_before_has_ended() {
        let sql = delete(
            &schema(),
            Slice::Logs(10),
            "2026-01-02",
            Some("2026-01-01 10:00:00.5"),
            7,
        );
        assert!(
            sql.contains(r#"e."timestamp" >= '2026-01-01 10:00:00.5'::timestamp"#),
            "{sql}"
        );
        assert!(sql.contains("LIMIT 7"), "{sql}");
    }
}
