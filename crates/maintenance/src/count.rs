//! What a cleanup would do: counted, and nothing changed.

use std::time::Duration;

use stillpoint_core::maintenance::{CleanedDatabase, Handled, Handler, Rules, ticks};
use stillpoint_core::stores::Cx;

use crate::schema::{self, Schema};
use crate::work::{SHORT, Work, millis, number};
use crate::{Dagster, Failed, indexes, statements};

/// Without an index the whole table is read.
const COUNT: Duration = Duration::from_mins(15);

pub(crate) async fn count(
    dagster: &Dagster,
    cx: &Cx,
    database: &str,
    rules: &Rules,
) -> Result<CleanedDatabase, Failed> {
    let work = Work::begin(dagster, cx, database).await?;
    let counted = async {
        let schema = schema::find(&work).await?;
        counted(dagster, &work, database, &schema, rules).await
    };
    let counted = counted.await;
    work.end(counted).await
}

/// What would go of tables that were found.
pub(crate) async fn counted(
    dagster: &Dagster,
    work: &Work<'_>,
    database: &str,
    schema: &Schema,
    rules: &Rules,
) -> Result<CleanedDatabase, Failed> {
    let mut notes = schema.notes.clone();
    let published = indexes::published(work, schema).await?;
    notes.extend(published.iter().map(|index| indexes::told(index)));
    let mut handlers = Vec::new();
    for handler in Handler::ALL {
        handlers.push(of_handler(work, schema, handler, rules).await?);
    }
    Ok(CleanedDatabase {
        store: dagster.store.clone(),
        database: database.to_owned(),
        schema: schema.name.clone(),
        version: schema.version.clone(),
        notes,
        failed: Vec::new(),
        bytes: None,
        handlers,
    })
}

async fn of_handler(work: &Work<'_>, schema: &Schema, handler: Handler, rules: &Rules) -> Result<Handled, Failed> {
    let mut tally = Handled::new(handler, rules.days(handler));
    let began = work.cx.clock.elapsed();
    let cutoff = statements::cutoff(tally.days);
    let cutoff = work.value(SHORT, "asking for the time", &cutoff).await?;
    let (mut past, mut bytes) = (0, 0);
    for slice in statements::slices(handler) {
        let sql = statements::count(schema, *slice, &cutoff);
        let rows = work.rows(COUNT, &format!("counting {handler}"), &sql).await?;
        let row = rows.first().cloned().unwrap_or_default();
        past += number(&row, 0);
        bytes += number(&row, 1);
    }
    tally.millis = millis(work.cx.clock.elapsed().saturating_sub(began));
    tally.rows = past.min(rules.limit);
    tally.bytes = Some(bytes);
    tally.left = Some(past - tally.rows);
    tally.ticks_to_drained = Some(ticks(past, rules.limit));
    Ok(tally)
}
