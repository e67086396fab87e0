//! Extensions: a dump names them without a version, so a server installs the one that is its own default. What a dump holds of
//! them must not be newer than that.

use std::collections::BTreeMap;

use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::{Cx, Reasons, StoreError};
use stillpoint_pg::Session;

use stillpoint_pg::quote::literal;

use super::access::server;
use super::timescale;

/// The fact that holds the names of the extensions that the databases use.
pub(super) const EXTENSIONS: &str = "extensions";

/// The fact that holds, for each of them, the version; several where databases differ.
pub(super) const VERSIONS: &str = "extension versions";

const OFFERED: &str = "SELECT name, default_version FROM pg_available_extensions";

/// Refuses what the server lacks or has older; tells what comes back in another version.
pub(super) async fn compare(
    cx: &Cx,
    session: &Session,
    store: &StoreName,
    record: &StoreRecord,
) -> Result<(), StoreError> {
    let rows = session.rows(cx.idle_limit, OFFERED).await;
    let rows = rows.map_err(|error| server("looking at extensions", error))?;
    let offered: BTreeMap<String, String> = rows
        .into_iter()
        .filter_map(|row| {
            let [name, version] = <[Option<String>; 2]>::try_from(row).ok()?;
            Some((name?, version.unwrap_or_default()))
        })
        .collect();
    let missing: Vec<&str> = fact(record, EXTENSIONS)
        .filter(|name| !offered.contains_key(*name))
        .collect();
    let mut reasons = Reasons::default();
    if !missing.is_empty() {
        reasons.note(Err(StoreError::Unfit(format!(
            "{store}: the server lacks extensions of the backup: {}",
            missing.join(", ")
        ))))?;
    }
    for (name, was) in fact(record, VERSIONS).filter_map(|entry| entry.rsplit_once(' ')) {
        let Some(is) = offered.get(name).filter(|is| *is != was) else {
            continue;
        };
        if name == timescale::NAME {
            reasons.note(must_offer(cx, session, store, was).await)?;
            continue;
        }
        if numbers(is).zip(numbers(was)).is_some_and(|(is, was)| is < was) {
            reasons.note(Err(StoreError::Unfit(format!(
                "{store}: the backup has extension `{name}` in version {was}, the server installs the older {is}"
            ))))?;
            continue;
        }
        cx.report.warn(format!(
            "{store}: extension `{name}` was in version {was}, the server installs {is}"
        ));
    }
    reasons.into_result()
}

/// `TimescaleDB`'s catalog is of one version: it is restored in that of the backup, or not at all.
async fn must_offer(cx: &Cx, session: &Session, store: &StoreName, version: &str) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT count(*) FROM pg_available_extension_versions WHERE name = 'timescaledb' AND version = {}",
        literal(version)
    );
    let found = session.value(cx.idle_limit, &sql).await;
    match found.map_err(|error| server("looking at extensions", error))?.as_str() {
        "0" => Err(StoreError::Unfit(format!(
            "{store}: the backup has `timescaledb` {version}, which can be restored in that version alone, and the server does not \
             offer it: use an image that has {version}, restore, and update the extension afterwards"
        ))),
        _ => Ok(()),
    }
}

/// What a fact lists.
pub(super) fn fact<'a>(record: &'a StoreRecord, name: &str) -> impl Iterator<Item = &'a str> {
    let text = record.facts.get(name).map_or("", String::as_str);
    text.split(", ").filter(|entry| !entry.is_empty())
}

/// A version as numbers, where it is nothing else: authors name them as they like.
fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_compared_as_numbers_where_they_are_such() {
        assert!(numbers("0.9") < numbers("0.10.1"));
        assert_eq!(numbers("1.0-beta"), None);
    }
}
