//! How soon the server itself tidies up after deletions. Its usual settings wait until a fifth of a table is dead: of a large log
//! that is never.

use std::collections::BTreeMap;

use stillpoint_pg::quote::literal;

use crate::Failed;
use crate::schema::Schema;
use crate::work::{SHORT, Work, text};

/// The tables that are tuned, and how many rows of each may be dead at least.
const TABLES: [(&str, &str); 5] = [
    ("event_logs", "10000"),
    ("runs", "1000"),
    ("job_ticks", "1000"),
    ("run_tags", "1000"),
    ("asset_event_tags", "1000"),
];

const SETTINGS: [(&str, &str); 5] = [
    ("autovacuum_vacuum_scale_factor", "0.02"),
    ("autovacuum_analyze_scale_factor", "0.02"),
    ("autovacuum_vacuum_insert_scale_factor", "0.05"),
    ("autovacuum_vacuum_cost_limit", "2000"),
    ("autovacuum_vacuum_cost_delay", "2"),
];

/// Sets what differs. Returns what was done, and what could not be.
pub(crate) async fn tune(work: &Work<'_>, schema: &Schema) -> Result<(Vec<String>, Vec<String>), Failed> {
    let names: Vec<String> = TABLES.iter().map(|(table, _)| literal(table)).collect();
    let sql = format!(
        "SELECT c.relname, o.option_name, o.option_value FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN LATERAL pg_options_to_table(c.reloptions) o ON true \
         WHERE n.nspname = {} AND c.relkind = 'r' AND c.relname IN ({})",
        literal(&schema.name),
        names.join(", ")
    );
    let rows = work.rows(SHORT, "looking at the settings of autovacuum", &sql).await?;
    let mut set: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in &rows {
        set.entry(text(row, 0)).or_default().insert(text(row, 1), text(row, 2));
    }
    let (mut done, mut not_done) = (Vec::new(), Vec::new());
    for (table, threshold) in TABLES {
        let Some(is) = set.get(table) else { continue };
        let differs = differing(is, threshold);
        if differs.is_empty() {
            continue;
        }
        let settings: Vec<String> = differs
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let sql = format!("ALTER TABLE {} SET ({})", schema.table(table), settings.join(", "));
        match work.run(SHORT, &format!("setting autovacuum of {table}"), &sql).await {
            Ok(()) => done.push(format!("autovacuum of {table} is set: {}", settings.join(", "))),
            // A vacuum is at work: the next run will do.
            Err(failed) if failed.is_locked_out() => {
                let holder = work.who_locks(&schema.table(table)).await;
                not_done.push(format!("{failed}: {holder}"));
            }
            Err(failed) if failed.is_forbidden() => not_done.push(failed.to_string()),
            Err(failed) => return Err(failed),
        }
    }
    Ok((done, not_done))
}

/// What is not as it is to be.
fn differing(is: &BTreeMap<String, String>, threshold: &'static str) -> Vec<(&'static str, &'static str)> {
    let wanted = SETTINGS.into_iter().chain([("autovacuum_vacuum_threshold", threshold)]);
    wanted
        .filter(|(name, value)| is.get(*name).is_none_or(|is| !is_same(is, value)))
        .collect()
}

/// `0.020` is `0.02`.
fn is_same(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => (one - other).abs() < 1e-9,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_set() {
        assert_eq!(differing(&BTreeMap::new(), "1000").len(), 6);
        let mut is: BTreeMap<String, String> = SETTINGS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        is.insert("autovacuum_vacuum_threshold".to_owned(), "1000".to_owned());
        is.insert("autovacuum_vacuum_scale_factor".to_owned(), "0.020".to_owned());
        is.insert("fillfactor".to_owned(), "90".to_owned());
        assert_eq!(differing(&is, "1000"), []);
        assert_eq!(differing(&is, "10000"), [("autovacuum_vacuum_threshold", "10000")]);
    }
}
