//! How one database stands: sizes, dead rows, what is past each window, what upkeep needs.

use stillpoint_core::maintenance::{DatabaseStatus, Rules, TableStatus};
use stillpoint_core::stores::Cx;
use stillpoint_pg::quote::literal;

use crate::repack::TABLES;
use crate::schema::{self, Schema};
use crate::work::{SHORT, Work, number, text};
use crate::{Dagster, Failed, count, indexes, repack};

pub(crate) async fn status(
    dagster: &Dagster,
    cx: &Cx,
    database: &str,
    rules: &Rules,
) -> Result<DatabaseStatus, Failed> {
    let work = Work::begin(dagster, cx, database).await?;
    let status = async {
        let schema = schema::find(&work).await?;
        Ok(DatabaseStatus {
            tables: tables(&work, &schema).await?,
            indexes: indexes::status(&work, &schema).await?,
            pg_repack: repack::extension(&work).await?,
            counted: count::counted(dagster, &work, database, &schema, rules).await?,
        })
    };
    let status = status.await;
    work.end(status).await
}

pub(crate) async fn tables(work: &Work<'_>, schema: &Schema) -> Result<Vec<TableStatus>, Failed> {
    let names = TABLES.map(literal).join(", ");
    let sql = format!(
        "SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid), coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid \
         WHERE n.nspname = {} AND c.relkind = 'r' AND c.relname IN ({names}) ORDER BY 1",
        literal(&schema.name)
    );
    let rows = work.rows(SHORT, "asking how large the tables are", &sql).await?;
    let table = |row: &Vec<Option<String>>| TableStatus {
        table: text(row, 0),
        table_bytes: number(row, 1),
        index_bytes: number(row, 2),
        live_rows: number(row, 3),
        dead_rows: number(row, 4),
    };
    Ok(rows.iter().map(table).collect())
}
