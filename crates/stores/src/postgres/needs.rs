//! What a backup needs of the server that it is restored into, beside extensions and tablespaces: locales of databases,
//! libraries that must be loaded when the server starts, the database of `pg_cron`. Noted with the pin, compared before a
//! restore stops anything.

use std::collections::BTreeSet;

use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, Reasons, StoreError};
use stillpoint_pg::Session;

use super::PostgresStore;
use super::access::server;
use super::extensions::{EXTENSIONS, fact};
use super::pin::BACKED_UP;
use crate::toolbox::{Doing, collect};

/// The fact that holds the locales of the databases, as the operating system calls them.
const LOCALES: &str = "locales";

/// The fact that holds what `shared_preload_libraries` said.
const PRELOADED: &str = "preloaded libraries";

/// The fact that holds the database in which `pg_cron` was.
pub(super) const CRON_DATABASE: &str = "cron database";

/// The fact that holds the server's port: jobs of `pg_cron` name it.
pub(super) const CRON_PORT: &str = "cron port";

/// Locales that every system has.
const EVERYWHERE: [&str; 4] = ["c", "posix", "c.utf8", "ucs_basic"];

/// `pg_stat_statements` can be created without its library, and sees nothing then.
const NEEDED_BY_NOTHING: [&str; 1] = ["pg_stat_statements"];

const CRON: &str = "SELECT current_setting('cron.database_name', true)";
const PORT: &str = "SELECT current_setting('port') WHERE current_setting('cron.database_name', true) <> ''";

/// What the facts say of this server.
pub(super) async fn facts(cx: &Cx, session: &Session) -> Result<Vec<(String, String)>, StoreError> {
    let locales =
        format!("SELECT DISTINCT unnest(ARRAY[datcollate, datctype]) FROM pg_database WHERE {BACKED_UP} ORDER BY 1");
    let locales = column(cx, session, &locales).await?.join(", ");
    let preloaded = preloaded(cx, session).await?.into_iter().collect::<Vec<_>>().join(", ");
    let cron = column(cx, session, CRON).await?.join("");
    let port = column(cx, session, PORT).await?.join("");
    let facts = [
        (LOCALES, locales),
        (PRELOADED, preloaded),
        (CRON_DATABASE, cron),
        (CRON_PORT, port),
    ];
    let facts = facts.into_iter();
    let given = facts.filter(|(_, value)| !value.is_empty());
    Ok(given.map(|(fact, value)| (fact.to_owned(), value)).collect())
}

async fn column(cx: &Cx, session: &Session, sql: &str) -> Result<Vec<String>, StoreError> {
    let found = session.column(cx.idle_limit, sql).await;
    found.map_err(|error| server("looking at what a restore will need", error))
}

async fn preloaded(cx: &Cx, session: &Session) -> Result<BTreeSet<String>, StoreError> {
    let said = column(cx, session, "SHOW shared_preload_libraries").await?.join(",");
    let names = said.split(',').map(|name| name.trim().trim_matches('"').to_owned());
    Ok(names.filter(|name| !name.is_empty()).collect())
}

impl PostgresStore {
    /// Refuses what the server cannot take, with the setting to change; tells what will be missing.
    pub(super) async fn must_have_what_is_needed(
        &self,
        cx: &Cx,
        session: &Session,
        record: &StoreRecord,
    ) -> Result<(), StoreError> {
        let unfit = |why: String| Err(StoreError::Unfit(format!("{}: {why}", self.name)));
        if column(cx, session, "SELECT pg_is_in_recovery()").await? == ["t"] {
            return unfit(
                "the server is a standby, which takes no data but its primary's: restore into the primary".to_owned(),
            );
        }
        let mut reasons = Reasons::default();
        let here = preloaded(cx, session).await?;
        let extensions: BTreeSet<&str> = fact(record, EXTENSIONS).collect();
        for library in fact(record, PRELOADED).filter(|library| !here.contains(*library)) {
            if extensions.contains(library) && !NEEDED_BY_NOTHING.contains(&library) {
                let now = if here.is_empty() {
                    "empty now".to_owned()
                } else {
                    format!("now {}", join(&here))
                };
                reasons.note(unfit(format!(
                    "extension `{library}` of the backup needs its library from the server's start on: add it to \
                     `shared_preload_libraries` ({now}) and restart the server"
                )))?;
                continue;
            }
            cx.report.warn(format!(
                "{}: the server that was backed up had `{library}` in `shared_preload_libraries`, this one has not",
                self.name
            ));
        }
        let cron = column(cx, session, CRON).await?.join("");
        match record.facts.get(CRON_DATABASE) {
            Some(was) if extensions.contains("pg_cron") && *was != cron => {
                let here = match cron.as_str() {
                    "" => String::new(),
                    cron => format!(", this server allows it in `{cron}` alone"),
                };
                reasons.note(unfit(format!(
                    "the backup has `pg_cron` in database `{was}`{here}: set `cron.database_name = '{was}'` and restart the server"
                )))?;
            }
            _ => {}
        }
        reasons.note(self.must_have_locales(cx, record).await)?;
        reasons.into_result()
    }

    /// The system of the container says which locales it has. One that has no such program takes every name.
    async fn must_have_locales(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError> {
        let process = cx.shell.exec(&self.workload, Command::new(["locale", "-a"])).await;
        let doing = Doing {
            what: "listing locales",
            tool: "locale",
        };
        let Ok(process) = process else { return Ok(()) };
        let Ok(said) = collect(cx, doing, process).await else {
            return Ok(());
        };
        match lacking(fact(record, LOCALES), &said) {
            missing if missing.is_empty() => Ok(()),
            missing => Err(StoreError::Unfit(format!(
                "{}: the system of the server's container lacks locales of the backup's databases: {}; use an image that has \
                 them, or add them (`localedef`)",
                self.name,
                missing.join(", ")
            ))),
        }
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Of the wanted locales those that are not listed. Systems spell the same one `UTF-8` and `utf8`.
fn lacking<'a>(wanted: impl Iterator<Item = &'a str>, listed: &str) -> Vec<&'a str> {
    let plain = |name: &str| name.trim().to_lowercase().replace("utf-8", "utf8");
    let there: BTreeSet<String> = listed.lines().map(plain).collect();
    let is_there = |name: &str| EVERYWHERE.contains(&name) || there.contains(name);
    wanted.filter(|name| !is_there(&plain(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::lacking;

    #[test]
    fn a_locale_is_known_by_either_spelling() {
        let listed = "C\nC.utf8\nen_US.utf8\nPOSIX\n";
        let wanted = ["en_US.UTF-8", "C", "C.UTF-8", "de_DE.utf8", "POSIX"];
        assert_eq!(lacking(wanted.into_iter(), listed), ["de_DE.utf8"]);
    }
}
