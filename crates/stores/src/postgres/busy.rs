//! Work in progress that a stop of the clients would cut: runs of Dagster, whose storage is a database here. Dagster starts
//! a run in processes of its own; killed, it stays as *started* until somebody ends it.

use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::quote::{ident, literal};

use super::PostgresStore;
use super::access::{MAINTENANCE, server};

/// Where Dagster's tables are: in a schema that has both of these.
const SCHEMAS: &str = "SELECT n.nspname FROM pg_class r JOIN pg_class e ON e.relnamespace = r.relnamespace AND e.relname = 'event_logs' \
    JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.relname = 'runs' AND r.relkind = 'r' \
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attname = 'status') \
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attname = 'pipeline_name') ORDER BY 1";

/// So many runs are named.
const NAMED: usize = 5;

impl PostgresStore {
    /// The runs of Dagster that have begun and not ended. Those that are queued are cut by nothing.
    pub(super) async fn runs_in_progress(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for database in self.dagster_databases(cx).await? {
            let session = self.open(cx, &database).await?;
            let runs = async {
                let mut all = Vec::new();
                for schema in session.column(cx.idle_limit, SCHEMAS).await? {
                    let sql = format!(
                        "SELECT format('%s %s', coalesce(pipeline_name, 'a job'), left(run_id, 8)) FROM {}.runs \
                         WHERE status IN ('STARTING', 'STARTED', 'CANCELING') ORDER BY id",
                        ident(&schema)
                    );
                    all.extend(session.column(cx.idle_limit, &sql).await?);
                }
                Ok(all)
            };
            let runs = runs.await;
            session.close().await;
            let runs = runs.map_err(|error| server("looking for runs of Dagster in progress", error))?;
            if !runs.is_empty() {
                found.push(said(&database, &runs));
            }
        }
        Ok(found)
    }

    /// Those of the names that are configured that there are.
    async fn dagster_databases(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        let names: Vec<String> = self.access.dagster.iter().map(|name| literal(name)).collect();
        let sql = format!(
            "SELECT datname FROM pg_database WHERE datallowconn AND datname IN ({}) ORDER BY 1",
            names.join(", ")
        );
        let session = self.open(cx, MAINTENANCE).await?;
        let found = session.column(cx.idle_limit, &sql).await;
        session.close().await;
        found.map_err(|error| server("looking for Dagster's database", error))
    }
}

fn said(database: &str, runs: &[String]) -> String {
    let (number, more) = (runs.len(), runs.len().saturating_sub(NAMED));
    let named = runs.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let word = if number == 1 { "run" } else { "runs" };
    format!("{number} {word} of Dagster (database {database}): {named}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_every_run_is_named() {
        let runs = |count: usize| -> Vec<String> { (1..=count).map(|run| format!("job {run}")).collect() };
        assert_eq!(said("dagster", &runs(1)), "1 run of Dagster (database dagster): job 1");
        assert_eq!(
            said("dagster", &runs(7)),
            "7 runs of Dagster (database dagster): job 1, job 2, job 3, job 4, job 5 and 2 more"
        );
    }
}
