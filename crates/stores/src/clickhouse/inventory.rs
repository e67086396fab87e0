//! What can be counted in a server: rows by table, and views, dictionaries and functions by number. Rows of tables in parts are
//! the server's own numbers: nothing is read through.

use std::collections::BTreeMap;

use futures::try_join;
use stillpoint_core::manifest::{Count, Inventory};
use stillpoint_core::stores::StoreError;

use super::ClickhouseStore;
use super::session::{Session, cell, number};
use super::sql::{literals, of_database};
use super::tables::{Family, Table, name_for_users};

/// So many tables are counted by one statement.
const AT_ONCE: usize = 100;

const DOING: &str = "counting what is in it";

impl ClickhouseStore {
    /// Rows by table, in the tables' order.
    pub(super) async fn rows(
        &self,
        session: &Session<'_>,
        databases: &[String],
        tables: &[Table],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let parts = format!(
            "SELECT database, table, sum(rows) FROM system.parts WHERE active AND database IN {} GROUP BY database, table",
            literals(databases.iter().map(String::as_str))
        );
        let parts = self.asked(session, DOING, &parts).await?;
        let parts: BTreeMap<(&str, &str), u64> = parts
            .iter()
            .map(|row| ((cell(row, 0), cell(row, 1)), number(row, 2)))
            .collect();
        let of_parts = |table: &Table| {
            let is_it = matches!(table.family(), Family::Parts | Family::Replicated);
            let rows = parts.get(&(table.database.as_str(), table.name.as_str()));
            is_it.then(|| rows.copied().unwrap_or(0))
        };
        let mut rows: Vec<Option<u64>> = tables.iter().map(of_parts).collect();
        let counted = tables.iter().enumerate();
        let counted: Vec<_> = counted.filter(|(_, table)| table.family() == Family::Counted).collect();
        for some in counted.chunks(AT_ONCE) {
            for row in self.asked(session, DOING, &counts(some)).await? {
                let place = cell(&row, 0).parse::<usize>().ok();
                if let Some(count) = place.and_then(|place| rows.get_mut(place)) {
                    *count = Some(number(&row, 1));
                }
            }
        }
        Ok(rows)
    }

    /// Counts what is in these databases now.
    pub(super) async fn count(&self, session: &Session<'_>, databases: &[String]) -> Result<Inventory, StoreError> {
        let counted = async {
            let tables = self.tables(session, databases).await?;
            let rows = self.rows(session, databases, &tables).await?;
            Ok((tables, rows))
        };
        let ((tables, rows), functions) = try_join!(counted, self.functions(session))?;
        let mut inventory = told(&tables, &rows);
        inventory.exact("functions", functions.len() as u64);
        Ok(inventory)
    }
}

/// One statement for some tables: their places, and how many rows they have.
fn counts(tables: &[(usize, &Table)]) -> String {
    let counts = tables.iter().map(|(place, table)| {
        let of = of_database(&table.database, &table.name);
        format!("SELECT {place} AS place, count() AS rows FROM {of}")
    });
    counts.collect::<Vec<_>>().join(" UNION ALL ")
}

fn told(tables: &[Table], rows: &[Option<u64>]) -> Inventory {
    let mut inventory = Inventory::default();
    let views: Vec<&Table> = tables.iter().filter(|table| table.refreshes).collect();
    for (table, rows) in tables.iter().zip(rows) {
        let is_refreshed = views.iter().any(|view| table.is_target_of(view));
        if let Some(count) = *rows {
            let exact = !is_refreshed;
            let name = format!("{}: rows", name_for_users(table, tables));
            inventory.0.insert(name, Count { count, exact });
        }
        let what = match table.family() {
            Family::View => "views",
            Family::MaterializedView => "materialized views",
            Family::Dictionary => "dictionaries",
            Family::Elsewhere | Family::LeftOut => "tables without rows here",
            Family::Parts | Family::Replicated | Family::Counted => "tables",
        };
        let name = format!("{}: {what}", table.database);
        let before = inventory.0.get(&name).map_or(0, |count| count.count);
        inventory.exact(name, before + 1);
    }
    inventory
}

/// What was in a server while its backup took what there is: merges make fewer rows and nobody makes more, so what was equal
/// before and after was so all the time. All else is an estimate.
pub(super) fn at_the_pin(before: &Inventory, after: &Inventory) -> Inventory {
    let settled = after.0.iter().map(|(name, count)| {
        let was = before.0.get(name);
        let exact = count.exact && was.is_some_and(|was| was.exact && was.count == count.count);
        (name.clone(), Count { exact, ..*count })
    });
    Inventory(settled.collect())
}

/// Counts as a record does: what became empty may not be told by a server, and counts as 0.
pub(super) fn like(mut found: Inventory, recorded: &Inventory) -> Inventory {
    for (name, count) in &recorded.0 {
        found.0.entry(name.clone()).or_insert(Count { count: 0, ..*count });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tables::tests::table_of;
    use super::*;

    #[test]
    fn rows_are_told_by_table_and_the_rest_by_number() {
        let mut refreshed = table_of("fresh", "MaterializedView");
        refreshed.refreshes = true;
        refreshed.target = "db.latest".into();
        let tables = [
            table_of(".inner_id.uuid-of-mv", "SummingMergeTree"),
            table_of("mv", "MaterializedView"),
            table_of("t", "MergeTree"),
            table_of("l", "Log"),
            table_of("k", "Kafka"),
            table_of("latest", "MergeTree"),
            refreshed,
        ];
        let inventory = told(&tables, &[Some(3), None, Some(0), Some(2), None, Some(9), None]);
        let count = |name: &str| inventory.0.get(name).map(|count| (count.count, count.exact));
        assert_eq!(count("db.mv, its own table: rows"), Some((3, true)));
        assert_eq!(count("db.t: rows"), Some((0, true)));
        assert_eq!(count("db.latest: rows"), Some((9, false)), "filled anew by itself");
        assert_eq!(count("db: tables"), Some((4, true)));
        assert_eq!(count("db: materialized views"), Some((2, true)));
        assert_eq!(count("db: tables without rows here"), Some((1, true)));
        assert_eq!(count("db.k: rows"), None);
    }

    #[test]
    fn what_changed_while_it_was_taken_is_an_estimate() {
        let inventory = |rows: u64| {
            let mut inventory = Inventory::default();
            inventory.exact("a", rows);
            inventory.exact("b", 1);
            inventory
        };
        let taken = at_the_pin(&inventory(5), &inventory(4));
        assert!(!taken.0["a"].exact && taken.0["b"].exact);
        assert_eq!(taken.0["a"].count, 4);
    }

    #[test]
    fn one_statement_counts_several_tables() {
        let (a, b) = (table_of("a", "Log"), table_of("b`", "Log"));
        assert_eq!(
            counts(&[(3, &a), (7, &b)]),
            "SELECT 3 AS place, count() AS rows FROM `db`.`a` UNION ALL SELECT 7 AS place, count() AS rows FROM `db`.`b\\``"
        );
    }
}
