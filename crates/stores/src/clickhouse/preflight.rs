//! Looking, while the platform runs, whether a backup or a restore can succeed. Writes nothing: a rehearsal goes to `Null`.

use futures::future::join_all;
use stillpoint_core::stores::{AtRest, Cx, Preflight, StoreError};

use super::ClickhouseStore;
use super::aside::is_too_long;
use super::left_out::{Extras, acting, not_in_backup};
use super::session::{Session, Trouble, cell, column, number};
use super::sql::{elements, literals, of_database};
use super::tables::{Database, Family, Holds, Table, held};

/// What the list of backups must tell, for one to be watched and ended.
const TELLS: [&str; 4] = ["bytes_read", "files_read", "num_entries", "query_id"];

/// What can be backed up of `system`, where a server keeps it by itself.
const EXTRAS: [&str; 6] = [
    "functions",
    "users",
    "roles",
    "row_policies",
    "settings_profiles",
    "quotas",
];

/// `UNKNOWN_TABLE`.
const UNKNOWN_TABLE: u32 = 60;

/// A restore leaves so much of a disk free.
const SPARE: u64 = 64 << 20;

impl ClickhouseStore {
    pub(super) async fn look_at_server(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        let session = self.open(cx).await?;
        let version = self.must_be_supported(&session).await?;
        let databases = self.databases(&session).await?;
        let names = held(&databases);
        let tables = self.tables(&session, &names).await?;
        if let Some(why) = unsupported(&databases, &tables) {
            return Err(self.unfit(&why));
        }
        let extras = self.extras(&session).await?;
        self.rehearse(&session, &names, &extras).await?;
        self.must_reach_us(&session).await?;
        self.mark(&session).await?;
        let size = format!(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database IN {}",
            literals(names.iter().map(String::as_str))
        );
        let size = self.asked(&session, "asking for its size", &size).await?;
        let mut warnings = self.warnings(&session, &names).await?;
        let told = not_in_backup(&databases, &tables, &extras);
        warnings.extend(
            told.iter()
                .map(|what| format!("{}: not in a backup: {what}", self.name)),
        );
        warnings.extend(acting(&tables).into_iter().map(|what| format!("{}: {what}", self.name)));
        Ok(Preflight {
            version,
            bytes: size.first().map_or(0, |row| number(row, 0)),
            spool: 0,
            in_volume: None,
            warnings,
        })
    }

    /// The server's version; an error if it lacks what a backup needs.
    pub(super) async fn must_be_supported(&self, session: &Session<'_>) -> Result<String, StoreError> {
        let version = self.version(session).await?;
        let columns = format!(
            "SELECT name FROM system.columns WHERE database = 'system' AND table = 'backups' AND name IN {}",
            literals(TELLS)
        );
        let columns = column(self.asked(session, "looking at its list of backups", &columns).await?);
        if columns.len() < TELLS.len() {
            return Err(self.unfit(&format!(
                "it is ClickHouse {version}, whose BACKUP can neither be watched nor ended (system.backups has no {}): use a newer \
                 image",
                TELLS
                    .into_iter()
                    .filter(|name| columns.iter().all(|column| column != name))
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        Ok(version)
    }

    pub(super) async fn version(&self, session: &Session<'_>) -> Result<String, StoreError> {
        let version = self
            .asked(session, "asking for its version", "SELECT version()")
            .await?;
        Ok(version.first().map_or("", |row| cell(row, 0)).to_owned())
    }

    /// Which of its own tables can be backed up: the server is asked, and nothing is written.
    pub(super) async fn extras(&self, session: &Session<'_>) -> Result<Extras, StoreError> {
        let asks = EXTRAS.map(|name| async move {
            let rehearsal = format!("BACKUP TABLE {} TO Null", of_database("system", name));
            (name.to_owned(), session.ask(&rehearsal).await)
        });
        let mut extras = Extras::default();
        for (name, answer) in join_all(asks).await {
            match answer {
                Ok(_) => extras.backed.push(name),
                Err(Trouble::Refused {
                    code: UNKNOWN_TABLE, ..
                }) => {
                    extras
                        .missing
                        .push((name, "this server cannot back them up".to_owned()));
                }
                Err(Trouble::Refused { message, .. }) => extras.missing.push((name, reason(&message).to_owned())),
                Err(trouble) => return Err(self.failed("asking what it can back up", trouble)),
            }
        }
        Ok(extras)
    }

    async fn rehearse(&self, session: &Session<'_>, databases: &[String], extras: &Extras) -> Result<(), StoreError> {
        let elements = elements(databases, &extras.backed);
        if elements.is_empty() {
            return Ok(());
        }
        let rehearsal = format!("BACKUP {elements} TO Null SETTINGS structure_only = 1");
        self.asked(session, "rehearsing a BACKUP", &rehearsal).await.map(drop)
    }

    async fn warnings(&self, session: &Session<'_>, databases: &[String]) -> Result<Vec<String>, StoreError> {
        let within = literals(databases.iter().map(String::as_str));
        let broken = format!(
            "SELECT database, table, count() FROM system.detached_parts WHERE database IN {within} \
             AND startsWith(coalesce(reason, ''), 'broken') GROUP BY database, table ORDER BY database, table"
        );
        let broken = self.asked(session, "looking for broken parts", &broken).await?;
        let mut warnings: Vec<String> = broken
            .iter()
            .map(|row| {
                format!(
                    "{}: table {}.{} has {} broken parts that its server has detached: they are not backed up",
                    self.name,
                    cell(row, 0),
                    cell(row, 1),
                    number(row, 2)
                )
            })
            .collect();
        for old in self.held_names(session).await? {
            warnings.push(format!(
                "{}: database {old}, as it was before a restore, is not backed up (`stillpoint restore discard-old` frees it)",
                self.name
            ));
        }
        Ok(warnings)
    }

    /// Whether the databases that are there can be set aside, and what is loaded has room beside them.
    pub(super) async fn must_take(
        &self,
        session: &Session<'_>,
        names: &[String],
        bytes: u64,
    ) -> Result<(), StoreError> {
        let databases = self.databases(session).await?;
        let tables = self.tables(session, &held(&databases)).await?;
        if let Some(why) = unsupported(&databases, &tables).or_else(|| cannot_be_set_aside(&databases, names)) {
            return Err(self.unfit(&why));
        }
        let room = "SELECT sum(unreserved_space) FROM system.disks WHERE NOT is_read_only AND NOT is_broken";
        let room = self.asked(session, "asking for room", room).await?;
        let room = room.first().map_or(0, |row| number(row, 0));
        let needed = bytes.saturating_add(SPARE);
        if room < needed {
            return Err(self.unfit(&format!(
                "its disks have room for {room} bytes, the backup needs {needed} beside the present data"
            )));
        }
        Ok(())
    }

    /// What a stop would leave: all but what is in memory alone.
    pub(super) async fn left_by_a_stop(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        let session = self.open(cx).await?;
        let folders = "SELECT path FROM system.disks WHERE type = 'Local' AND path != '' ORDER BY path";
        let folders = column(self.asked(&session, "asking where its data lies", folders).await?);
        let names = held(&self.databases(&session).await?);
        let memory = format!(
            "SELECT database, name FROM system.tables WHERE database IN {} AND engine IN ('Buffer', 'Memory') \
             AND coalesce(total_bytes, 0) > 0 ORDER BY database, name",
            literals(names.iter().map(String::as_str))
        );
        let memory = self.asked(&session, "looking for tables in memory", &memory).await?;
        let unsaved = memory.iter().map(|row| {
            let (database, name) = (cell(row, 0), cell(row, 1));
            format!("the rows of table {database}.{name}, which it keeps in its memory alone")
        });
        Ok(AtRest {
            folders,
            unsaved: unsaved.collect(),
            ..AtRest::default()
        })
    }
}

/// What is the same for all of them.
fn reason(message: &str) -> &str {
    message.split(": While ").next().unwrap_or(message)
}

/// Why a server with these cannot be backed up; none if it can.
fn unsupported(databases: &[Database], tables: &[Table]) -> Option<String> {
    if let Some(database) = databases.iter().find(|database| database.holds() == Holds::Shared) {
        return Some(format!(
            "its database {} has the engine {}: others keep it up as well, and it cannot be backed up alone",
            database.name, database.engine
        ));
    }
    let replicated = tables.iter().find(|table| table.family() == Family::Replicated)?;
    Some(format!(
        "its table {} has the engine {}, whose parts are listed in a Keeper: replicated tables are not supported",
        replicated.told(),
        replicated.engine
    ))
}

/// Why databases cannot be set aside for a restore; none if they can.
fn cannot_be_set_aside(databases: &[Database], names: &[String]) -> Option<String> {
    let is_replaced = |database: &&Database| names.contains(&database.name) || database.holds() == Holds::Tables;
    let replaced = databases.iter().filter(is_replaced);
    let fixed = replaced.clone().find(|database| !database.can_be_renamed());
    if let Some(database) = fixed {
        return Some(format!(
            "its database {} has the engine {}, which cannot be renamed, and so not be set aside: only Atomic can",
            database.name, database.engine
        ));
    }
    let all = replaced.map(|database| &database.name).chain(names);
    let long = all.into_iter().find(|name| is_too_long(name))?;
    Some(format!(
        "the name of its database {long} is too long to be set aside under another"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tables::tests::table_of;
    use super::*;

    fn database(name: &str, engine: &str) -> Database {
        Database {
            name: name.into(),
            engine: engine.into(),
        }
    }

    #[test]
    fn what_others_keep_up_is_refused() {
        let plain = [database("default", "Atomic"), database("my", "MySQL")];
        assert_eq!(unsupported(&plain, &[table_of("t", "MergeTree")]), None);
        assert!(
            unsupported(&[database("r", "Replicated")], &[])
                .unwrap()
                .contains("engine Replicated")
        );
        let shared = table_of("t", "ReplicatedReplacingMergeTree");
        assert!(unsupported(&plain, &[shared]).unwrap().contains("db.t"));
    }

    #[test]
    fn what_cannot_be_renamed_is_not_restored_into() {
        let names = ["default".to_owned()];
        assert_eq!(
            cannot_be_set_aside(&[database("default", "Atomic"), database("my", "MySQL")], &names),
            None
        );
        assert!(
            cannot_be_set_aside(&[database("x", "Ordinary")], &names)
                .unwrap()
                .contains("Ordinary")
        );
        assert!(
            cannot_be_set_aside(&[database("default", "SQLite")], &names)
                .unwrap()
                .contains("SQLite")
        );
        let long = "x".repeat(240);
        assert!(cannot_be_set_aside(&[], &[long]).unwrap().contains("too long"));
    }
}
