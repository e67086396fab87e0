//! DocumentDB's server: what any PostgreSQL holds, and the catalog that is its extension's own.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Facts;
use super::collect::{collect, told};
use crate::testbed::psql::psql;

const CATALOG: &str = include_str!("documentdb.sql");

/// The table in which the witness counts changes, and is compared by itself.
const WITNESS: &str = "select format('rows documentdb_data.documents_%s', collection_id) from documentdb_api_catalog.collections \
    where database_name = 'witness'";

/// By `documentdb/cluster`, `documentdb/<database>` and `documentdb/catalog`.
pub(in crate::testbed) fn documentdb(container: &str) -> Result<BTreeMap<String, Facts>> {
    let ask = |sql: &str| psql(container, "postgres", sql);
    let databases = ask("select datname from pg_database where datallowconn and not datistemplate order by datname")?;
    let databases: Vec<String> = databases.lines().map(str::to_owned).collect();
    let mut truth = collect(container, &databases)?;
    truth.databases.extend(told(container, CATALOG)?.databases);
    let witness = ask(WITNESS)?;
    if let Some(facts) = truth.databases.get_mut("postgres") {
        facts.remove(witness.trim());
    }
    let places = truth
        .databases
        .into_iter()
        .chain([("cluster".to_owned(), truth.cluster)]);
    Ok(places
        .map(|(place, facts)| (format!("documentdb/{place}"), facts))
        .collect())
}
