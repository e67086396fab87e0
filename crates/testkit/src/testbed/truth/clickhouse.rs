//! Asks a ClickHouse for its truth: databases, tables with their definitions, partitions and rows whatever their order, what views and
//! dictionaries answer, and functions.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Facts;
use crate::testbed::clickhouse::{ClickHouse, OF_THE_SERVER, literal, quoted, text};

/// The witness's table is compared by itself.
const TABLES: &str =
    "SELECT name, toString(uuid), engine, create_table_query, comment, toString(has_own_data) FROM system.tables
    WHERE database = {database} AND NOT is_temporary AND NOT (database = 'default' AND name = 'witness') ORDER BY name";
const DATABASES: &str = "SELECT name, engine, comment FROM system.databases WHERE name NOT IN {others} ORDER BY name";
const FUNCTIONS: &str = "SELECT name, create_query FROM system.functions WHERE origin = 'SQLUserDefined' ORDER BY name";
/// A value exists while nobody looks for a column that has none.
const COLUMNS: &str =
    "SELECT name FROM system.columns WHERE database = {database} AND table = {table} AND default_kind != 'EPHEMERAL'
    ORDER BY position";
const PARTS: &str = "SELECT arraySort(groupUniqArray(partition)), arraySort(groupUniqArrayArray(projections))
    FROM system.parts WHERE database = {database} AND table = {table} AND active AND rows > 0";

/// How the name of a materialized view's own table begins; the view's UUID follows, which is another one after a restore.
const INNER: &str = ".inner_id.";

/// By `clickhouse/<database>`, and `clickhouse` for what belongs to none.
pub(in crate::testbed) fn clickhouse(container: &str) -> Result<BTreeMap<String, Facts>> {
    let server = ClickHouse::of(container)?;
    let mut places = BTreeMap::from([("clickhouse".to_owned(), functions(&server)?)]);
    for row in server.rows(&DATABASES.replace("{others}", OF_THE_SERVER))? {
        let name = text(&row[0])?;
        let mut facts = tables(&server, name).with_context(|| format!("the database {name}"))?;
        facts.insert("database".to_owned(), json!({"engine": row[1], "comment": row[2]}));
        places.insert(format!("clickhouse/{name}"), facts);
    }
    Ok(places)
}

fn functions(server: &ClickHouse) -> Result<Facts> {
    let rows = server.rows(FUNCTIONS)?;
    let facts = rows
        .iter()
        .map(|row| Ok((format!("function {}", text(&row[0])?), row[1].clone())));
    facts.collect()
}

/// A table, a view or a dictionary.
struct Table {
    name: String,
    uuid: String,
    engine: String,
    definition: String,
    comment: String,
    has_rows: bool,
}

fn tables(server: &ClickHouse, database: &str) -> Result<Facts> {
    let rows = server.rows(&of(TABLES, database, ""))?;
    let tables = rows.iter().map(|row| Table::read(row)).collect::<Result<Vec<_>>>()?;
    let mut facts = Facts::new();
    for table in &tables {
        let known = |text: &str| without_uuids(text, &tables);
        let name = known(&table.name);
        let is = json!({"engine": table.engine, "definition": known(&table.definition), "comment": table.comment});
        // Two facts of one name would hide each other.
        ensure!(
            facts.insert(format!("table {name}"), is).is_none(),
            "two tables have the name {name}"
        );
        if let Some(rows) = table.rows(server, database)? {
            facts.insert(format!("rows {name}"), rows);
        }
        if table.has_rows && table.engine.ends_with("MergeTree") {
            let parts = server.rows(&of(PARTS, database, &table.name))?.remove(0);
            let is = json!({"partitions": parts[0], "projections": parts[1]});
            facts.insert(format!("parts {name}"), is);
        }
    }
    Ok(facts)
}

fn of(query: &str, database: &str, table: &str) -> String {
    query
        .replace("{database}", &literal(database))
        .replace("{table}", &literal(table))
}

/// A table inside a view by the view's name.
fn without_uuids(text: &str, tables: &[Table]) -> String {
    let views = tables.iter().filter(|table| text.contains(&table.uuid));
    views.fold(text.to_owned(), |text, view| {
        let inner = format!("{INNER}{}", view.uuid);
        text.replace(&inner, &format!("{INNER}{}", view.name))
    })
}

impl Table {
    fn read(row: &[Value]) -> Result<Self> {
        let column = |at: usize| text(&row[at]).map(str::to_owned);
        Ok(Self {
            name: column(0)?,
            uuid: column(1)?,
            engine: column(2)?,
            definition: column(3)?,
            comment: column(4)?,
            has_rows: row[5] == "1",
        })
    }

    /// How many there are, and a sum over the text of each with all its columns. What a later merge does to rows is done to them here.
    fn rows(&self, server: &ClickHouse, database: &str) -> Result<Option<Value>> {
        // What such a view shows are the rows of another table; what such a table is for is to keep none.
        if matches!(self.engine.as_str(), "MaterializedView" | "Null" | "Set") {
            return Ok(None);
        }
        let columns = server.texts(&of(COLUMNS, database, &self.name))?;
        let columns: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
        let is_merged = self.engine.ends_with("MergeTree") && self.engine != "MergeTree";
        let query = format!(
            "SELECT count(), concat(toString(sum(hash)), ' ', toString(groupBitXor(hash)))
            FROM (SELECT sipHash64(toString(tuple({}))) AS hash FROM {}.{}{})",
            columns.join(", "),
            quoted(database),
            quoted(&self.name),
            if is_merged { " FINAL" } else { "" }
        );
        // That a view or a damaged table answers with an exception is true as well.
        Ok(Some(match server.tried(&query)? {
            Ok(mut rows) => {
                let found = rows.remove(0);
                json!({"count": found[0], "content": found[1]})
            }
            Err(exception) => json!({"fails": exception.split(". ").next()}),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_inside_a_view_has_the_views_name() {
        let table = |name: &str, uuid: &str| Table {
            name: name.to_owned(),
            uuid: uuid.to_owned(),
            engine: String::new(),
            definition: String::new(),
            comment: String::new(),
            has_rows: true,
        };
        let tables = [table("view", "1-a"), table(".inner_id.1-a", "2-b")];
        let named = |text| without_uuids(text, &tables);
        assert_eq!(named(".inner_id.1-a"), ".inner_id.view");
        assert_eq!(
            named("CREATE TABLE d.`.inner_id.1-a`"),
            "CREATE TABLE d.`.inner_id.view`"
        );
        assert_eq!(named("1-a"), "1-a");
    }
}
