//! Where Dagster's tables are in a database, and whether they are what is known: what upkeep does not know it does not touch.

use stillpoint_pg::quote::{ident, literal};

use crate::Failed;
use crate::work::{SHORT, Work, text};

/// The tables of Dagster 1.5 to 1.13.
const KNOWN: [&str; 23] = [
    "alembic_version",
    "asset_check_executions",
    "asset_daemon_asset_evaluations",
    "asset_event_tags",
    "asset_keys",
    "backfill_tags",
    "bulk_actions",
    "concurrency_limits",
    "concurrency_slots",
    "daemon_heartbeats",
    "dynamic_partitions",
    "event_logs",
    "instance_info",
    "instigators",
    "job_ticks",
    "jobs",
    "kvs",
    "normalized_cursor",
    "pending_steps",
    "run_tags",
    "runs",
    "secondary_indexes",
    "snapshots",
];

/// What the statements of a cleanup read, with the types for which they were made.
const NEEDED: [(&str, &str, &[&str]); 9] = [
    ("event_logs", "id", &["bigint", "integer"]),
    ("event_logs", "run_id", TEXT),
    ("event_logs", "event", TEXT),
    ("event_logs", "dagster_event_type", TEXT),
    ("event_logs", "timestamp", &["timestamp without time zone"]),
    ("event_logs", "asset_key", TEXT),
    ("event_logs", "partition", TEXT),
    ("runs", "run_id", TEXT),
    ("runs", "status", TEXT),
];

const TEXT: &[&str] = &["text", "character varying"];

/// In a schema that has both of these.
const SCHEMAS: &str = "SELECT n.nspname FROM pg_class e JOIN pg_class r ON r.relnamespace = e.relnamespace AND r.relname = 'runs' \
    JOIN pg_namespace n ON n.oid = e.relnamespace WHERE e.relname = 'event_logs' AND e.relkind IN ('r', 'p') \
    AND r.relkind IN ('r', 'p') ORDER BY 1";

/// Dagster's tables.
#[derive(Debug)]
pub(crate) struct Schema {
    /// The schema, as it is called.
    pub(crate) name: String,
    /// The version of its tables, as Dagster notes it; empty where it does not.
    pub(crate) version: String,
    /// What is not known in it, and is left alone.
    pub(crate) notes: Vec<String>,
}

impl Schema {
    /// A table of it, quoted.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}.{}", ident(&self.name), ident(name))
    }
}

/// Finds it. Fails where it is not as it is known.
pub(crate) async fn find(work: &Work<'_>) -> Result<Schema, Failed> {
    let looking = "looking for Dagster's tables";
    let mut schemas = work.column(SHORT, looking, SCHEMAS).await?;
    let name = match (schemas.pop(), schemas.is_empty()) {
        (Some(name), true) => name,
        (None, _) => {
            let why = "there are no tables `event_logs` and `runs` in it: Dagster has not made them yet, or this is not its \
                       database (DAGSTER_DB names it)";
            return Err(Failed::Unfit(why.to_owned()));
        }
        (Some(last), false) => {
            schemas.push(last);
            let why = format!(
                "Dagster's tables are in several schemas ({}): which of them counts cannot be told",
                schemas.join(", ")
            );
            return Err(Failed::Unfit(why));
        }
    };
    let columns = columns(work, &name).await?;
    if let Some(why) = unknown(&columns) {
        return Err(Failed::Unfit(why));
    }
    if let Some(why) = dangerous(work, &name).await? {
        return Err(Failed::Unfit(why));
    }
    let (version, notes) = (version(work, &name).await?, notes(work, &name).await?);
    Ok(Schema { name, version, notes })
}

/// Table, column, type.
type Column = (String, String, String);

async fn columns(work: &Work<'_>, schema: &str) -> Result<Vec<Column>, Failed> {
    let sql = format!(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname IN ('event_logs', 'runs') AND a.attnum > 0 AND NOT a.attisdropped",
        literal(schema)
    );
    let rows = work.rows(SHORT, "looking at Dagster's tables", &sql).await?;
    Ok(rows
        .iter()
        .map(|row| (text(row, 0), text(row, 1), text(row, 2)))
        .collect())
}

/// What is not as it is known, if anything.
fn unknown(columns: &[Column]) -> Option<String> {
    let wrong: Vec<String> = NEEDED
        .iter()
        .filter_map(|(table, name, types)| {
            let found = columns.iter().find(|(of, column, _)| of == table && column == name);
            match found {
                None => Some(format!("{table} has no column {name}")),
                Some((_, _, is)) if !types.contains(&is.as_str()) => {
                    Some(format!("{table}.{name} is of type {is}, not {}", types.join(" or ")))
                }
                Some(_) => None,
            }
        })
        .collect();
    (!wrong.is_empty()).then(|| {
        format!(
            "its tables are not those of a Dagster that is known, so nothing is deleted: {}",
            wrong.join("; ")
        )
    })
}

/// What would make a deletion reach further than its rows.
async fn dangerous(work: &Work<'_>, schema: &str) -> Result<Option<String>, Failed> {
    let table = literal(&format!("{}.event_logs", ident(schema)));
    let sql = format!(
        "SELECT 'it is partitioned' FROM pg_class WHERE oid = {table}::regclass AND relkind = 'p' \
         UNION ALL SELECT 'other tables inherit from it' FROM pg_inherits WHERE inhparent = {table}::regclass \
         UNION ALL SELECT format('%s refers to its rows', conrelid::regclass) FROM pg_constraint \
             WHERE contype = 'f' AND confrelid = {table}::regclass \
         UNION ALL SELECT format('rule %s changes what a deletion does', rulename) FROM pg_rewrite \
             WHERE ev_class = {table}::regclass AND ev_type = '4'"
    );
    let found = work
        .column(SHORT, "looking at what hangs on Dagster's tables", &sql)
        .await?;
    Ok((!found.is_empty()).then(|| {
        format!(
            "event_logs is not the table that is known, so nothing is deleted from it: {}",
            found.join("; ")
        )
    }))
}

async fn version(work: &Work<'_>, schema: &str) -> Result<String, Failed> {
    let table = format!("{}.alembic_version", ident(schema));
    let there = format!("SELECT to_regclass({}) IS NOT NULL", literal(&table));
    let asking = "asking for the version of Dagster's tables";
    if work.value(SHORT, asking, &there).await? != "t" {
        return Ok(String::new());
    }
    let version = work
        .value(SHORT, asking, &format!("SELECT version_num FROM {table}"))
        .await;
    match version {
        // Nobody needs it but for the record.
        Err(failed) if failed.is_forbidden() => Ok(String::new()),
        version => version,
    }
}

async fn notes(work: &Work<'_>, schema: &str) -> Result<Vec<String>, Failed> {
    let mut notes = Vec::new();
    let known: Vec<String> = KNOWN.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} \
         AND c.relkind IN ('r', 'p') AND c.relname NOT IN ({}) AND NOT EXISTS (SELECT FROM pg_depend d \
         WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1",
        literal(schema),
        known.join(", ")
    );
    let tables = work.column(SHORT, "looking for what is not known", &sql).await?;
    if !tables.is_empty() {
        notes.push(format!(
            "tables that are not known are left alone: {}",
            tables.join(", ")
        ));
    }
    let sql = format!(
        "SELECT event FROM {}.event_logs WHERE dagster_event_type IS NULL ORDER BY id DESC LIMIT 1",
        ident(schema)
    );
    let newest = work.value(SHORT, "looking at the newest log", &sql).await?;
    if !newest.is_empty() && !has_level(&newest) {
        notes.push("logs are stored in a form that is not known: none of them goes".to_owned());
    }
    Ok(notes)
}

/// Whether a log says its level where it is looked for.
fn has_level(event: &str) -> bool {
    let mut after = event.split("\"level\": ").skip(1);
    after
        .next()
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dagster() -> Vec<Column> {
        let columns = NEEDED.iter();
        columns
            .map(|(table, name, types)| ((*table).to_owned(), (*name).to_owned(), types[0].to_owned()))
            .collect()
    }

    #[test]
    fn a_table_without_a_column_that_is_needed_or_with_another_type_is_refused() {
        assert_eq!(unknown(&dagster()), None);
        for at in 0..NEEDED.len() {
            let mut without = dagster();
            let (table, name, _) = without.remove(at);
            let why = unknown(&without).unwrap();
            assert!(why.ends_with(&format!("{table} has no column {name}")), "{why}");
            let mut other = dagster();
            other[at].2 = "jsonb".to_owned();
            assert!(unknown(&other).unwrap().contains("is of type jsonb"));
        }
        let mut more = dagster();
        more.push(("event_logs".to_owned(), "of_tomorrow".to_owned(), "jsonb".to_owned()));
        assert_eq!(unknown(&more), None);
    }

    #[test]
    fn a_log_of_another_form_is_noticed() {
        assert!(has_level(r#"{"error_info": null, "level": 20, "message": ""}"#));
        assert!(!has_level(r#"{"error_info":null,"level":20}"#));
        assert!(!has_level(r#"{"level": "INFO"}"#));
        assert!(!has_level("{}"));
    }
}
