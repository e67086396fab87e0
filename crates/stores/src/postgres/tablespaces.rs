//! Tablespaces: their folders are outside the server's data, so they are in no dump, and must be there before a restore.

use std::collections::BTreeMap;

use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::{Cx, Reasons, StoreError};
use stillpoint_pg::Session;
use stillpoint_pg::quote::literal;

use super::access::server;

/// The fact that holds name and folder of each tablespace, as a JSON object.
pub(super) const TABLESPACES: &str = "tablespaces";

/// Without the server's own. One that lies inside its data too has no folder.
const OWN_FOLDERS: &str = "SELECT spcname, CASE WHEN pg_tablespace_location(oid) LIKE '/%' THEN pg_tablespace_location(oid) ELSE '' END \
    FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')";

const KNOWS_IN_PLACE: &str = "SELECT count(*) FROM pg_settings WHERE name = 'allow_in_place_tablespaces'";

/// What the fact says of this server; nothing where there are none.
pub(super) async fn fact(cx: &Cx, session: &Session) -> Result<Option<(String, String)>, StoreError> {
    let all = present(cx, session).await?;
    let text = serde_json::to_string(&all).map_err(|error| StoreError::Unfit(error.to_string()))?;
    Ok((!all.is_empty()).then(|| (TABLESPACES.to_owned(), text)))
}

/// Refuses where a tablespace would have to be made and its folder is not there.
pub(super) async fn compare(
    cx: &Cx,
    session: &Session,
    store: &StoreName,
    record: &StoreRecord,
) -> Result<(), StoreError> {
    let Some(text) = record.facts.get(TABLESPACES) else {
        return Ok(());
    };
    let needed: BTreeMap<String, String> = serde_json::from_str(text)
        .map_err(|error| StoreError::Damaged(format!("{store}: the fact `{TABLESPACES}`: {error}")))?;
    let present = present(cx, session).await?;
    let mut reasons = Reasons::default();
    for (name, folder) in needed.iter().filter(|(name, _)| !present.contains_key(*name)) {
        if folder.is_empty() {
            let knows = session.value(cx.idle_limit, KNOWS_IN_PLACE).await;
            let knows = knows.map_err(|error| server("looking at tablespaces", error))?;
            reasons.note(in_place(store, name, &knows))?;
            continue;
        }
        let is_folder = format!("SELECT (pg_stat_file({}, true)).isdir", literal(folder));
        let is_folder = session.value(cx.idle_limit, &is_folder).await;
        if is_folder.map_err(|error| server("looking at a folder", error))? != "t" {
            reasons.note(Err(StoreError::Unfit(format!(
                "{store}: the folder of tablespace `{name}` is not there: {folder}, empty and the server's own"
            ))))?;
        }
    }
    reasons.into_result()
}

/// Whether a tablespace inside the server's own data can be made; `knows` is how many settings there are for it.
fn in_place(store: &StoreName, name: &str, knows: &str) -> Result<(), StoreError> {
    match knows {
        "0" => Err(StoreError::Unfit(format!(
            "{store}: tablespace `{name}` of the backup lies inside the server's own data, and this server knows no \
             `allow_in_place_tablespaces`: use a newer one"
        ))),
        _ => Ok(()),
    }
}

async fn present(cx: &Cx, session: &Session) -> Result<BTreeMap<String, String>, StoreError> {
    let rows = session.rows(cx.idle_limit, OWN_FOLDERS).await;
    let rows = rows.map_err(|error| server("listing tablespaces", error))?;
    let pairs = rows.into_iter().filter_map(|row| {
        let [name, folder] = <[Option<String>; 2]>::try_from(row).ok()?;
        Some((name?, folder?))
    });
    Ok(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No server of the testbed is so old.
    #[test]
    fn a_server_that_cannot_make_a_tablespace_inside_its_data_refuses_it_by_name() {
        let store = StoreName::new("db");
        assert!(in_place(&store, "inner", "1").is_ok());
        let Err(StoreError::Unfit(why)) = in_place(&store, "inner", "0") else {
            panic!("not refused");
        };
        assert!(
            why.contains("db: tablespace `inner`") && why.contains("allow_in_place_tablespaces"),
            "{why}"
        );
    }
}
