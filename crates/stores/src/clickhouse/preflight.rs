//! Looking, while the platform runs, whether a backup or a restore can succeed. Writes nothing: a rehearsal goes to `Null`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use secrecy::ExposeSecret;
use stillpoint_core::ports::gateway;
use stillpoint_core::stores::{AtRest, Cx, Preflight, StoreError};

use super::ClickhouseStore;
use super::aside::is_too_long;
use super::session::{DENIED, Session, Trouble, cell, column, number};
use super::sql::{elements, literal, literals, of_database};
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

/// How long a server may take to show that it reaches us.
const REACHES: Duration = Duration::from_secs(20);

/// What the server is told for that: it gives up soon.
const SOON: &str =
    "s3_max_single_read_retries = 1, s3_retry_attempts = 0, s3_request_timeout_ms = 5000, s3_connect_timeout_ms = 3000";

/// A restore leaves so much of a disk free.
const SPARE: u64 = 64 << 20;

/// Which of the tables of `system` a backup holds, and why not the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extras {
    pub(super) backed: Vec<String>,
    pub(super) missing: Vec<(String, String)>,
}

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

    /// Whether the server reaches an endpoint of ours. It is asked for an object that is not there, and must have heard so.
    pub(super) async fn must_reach_us(&self, session: &Session<'_>) -> Result<(), StoreError> {
        let serving = session.cx.gateway.probe(&self.workload).await?;
        let heard = self.hear(session, serving.access()).await;
        serving.stop().await;
        heard
    }

    async fn hear(&self, session: &Session<'_>, access: &gateway::Access) -> Result<(), StoreError> {
        let url = format!("{}/{}/{}/probe", access.endpoint, access.bucket, access.prefix);
        let secret = &access.secret_access_key;
        let read = format!(
            "SELECT * FROM s3({}, {}, {}, 'RawBLOB', 'x String') SETTINGS {SOON}",
            literal(&url),
            literal(&access.access_key_id),
            literal(secret.expose_secret())
        );
        match session.ask_secretly(REACHES, &read, secret).await {
            Ok(_) => Err(self.unfit(&format!("something answers in our place at {}", access.endpoint))),
            Err(Trouble::Refused { message, .. }) if is_not_there(&message) => Ok(()),
            Err(Trouble::Refused { code: DENIED, message }) => Err(StoreError::Unfit(format!(
                "{}: `{}` may not use S3: {message}: grant it, or set another user",
                self.name, self.access.user
            ))),
            Err(Trouble::Refused { message, .. }) => Err(self.unfit(&format!(
                "it does not reach us at {}, where it has to put its backup: {message}: let its container connect to this host \
                 (firewall), and its `remote_url_allow_hosts` name us",
                access.endpoint
            ))),
            Err(Trouble::Store(StoreError::Overdue(overdue))) => Err(self.unfit(&format!(
                "it does not reach us at {}, where it has to put its backup: {overdue}: let its container connect to this host \
                 (firewall)",
                access.endpoint
            ))),
            Err(trouble) => Err(self.failed("asking it to reach us", trouble)),
        }
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

/// Whether an answer of ours was heard: no such object.
fn is_not_there(message: &str) -> bool {
    ["code: 404", "NoSuchKey", "NoSuchBucket", "key does not exist"]
        .iter()
        .any(|sign| message.contains(sign))
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

/// What a backup does not hold, in words.
pub(super) fn not_in_backup(databases: &[Database], tables: &[Table], extras: &Extras) -> Vec<String> {
    let elsewhere = databases.iter().filter(|database| database.holds() == Holds::Nothing);
    let mut told: Vec<String> = elsewhere
        .map(|database| format!("database {} ({}): it lies elsewhere", database.name, database.engine))
        .collect();
    for table in tables {
        let what = match table.family() {
            Family::LeftOut => "its rows (ClickHouse's BACKUP leaves them out)",
            Family::Elsewhere if table.holds_something() => "what it shows, for that lies elsewhere",
            _ if tables.iter().any(|view| view.refreshes && table.is_target_of(view)) => {
                "its rows, which a refreshable view makes anew"
            }
            _ => continue,
        };
        told.push(format!("table {} ({}): {what}", table.told(), table.engine));
    }
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, why) in extras.missing.iter().filter(|(name, _)| name != "functions") {
        missing.entry(why).or_default().push(name.replace('_', " "));
    }
    told.extend(
        missing
            .iter()
            .map(|(why, names)| format!("{}: {why}", names.join(", "))),
    );
    told
}

/// What may write by itself while no client runs.
fn acting(tables: &[Table]) -> Vec<String> {
    let acting = tables.iter().filter_map(|table| {
        let what = if table.fetches() {
            "takes in rows by itself"
        } else if table.refreshes {
            "is refreshed by itself"
        } else {
            return None;
        };
        Some(format!(
            "table {} ({}) {what}: if it does while the clients are down, there is no backup",
            table.told(),
            table.engine
        ))
    });
    acting.collect()
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
    fn only_our_own_answer_shows_that_we_are_reached() {
        let heard =
            "Failed to get object info: No response body.. HTTP response code: 404: while reading 'p/probe' (S3_ERROR)";
        assert!(is_not_there(heard));
        assert!(is_not_there("The specified key does not exist. (S3_ERROR)") && is_not_there("Code: NoSuchKey"));
        for other in [
            "Failed to get object info: Poco::Exception. Code: 1000, e.code() = 111, Connection refused. HTTP response code: 18446744073709551615",
            "HTTP response code: 403. Please check your AWS credentials",
            "URL \"http://10.0.0.1\" is not allowed in configuration file (UNACCEPTABLE_URL)",
        ] {
            assert!(!is_not_there(other), "{other}");
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

    #[test]
    fn what_a_backup_does_not_hold_is_told() {
        let mut view = table_of("fresh", "MaterializedView");
        view.refreshes = true;
        view.target = "db.latest".into();
        let tables = [
            table_of("t", "MergeTree"),
            table_of("j", "Join"),
            table_of("k", "Kafka"),
            table_of("nowhere", "Null"),
            table_of("latest", "MergeTree"),
            view,
        ];
        let extras = Extras {
            backed: vec!["functions".into()],
            missing: ["row_policies", "users", "functions"]
                .map(|name| (name.into(), "not granted".into()))
                .into(),
        };
        let told = not_in_backup(&[database("my", "MySQL"), database("a", "Atomic")], &tables, &extras);
        let expected = [
            "database my (MySQL): it lies elsewhere",
            "table db.j (Join): its rows (ClickHouse's BACKUP leaves them out)",
            "table db.k (Kafka): what it shows, for that lies elsewhere",
            "table db.latest (MergeTree): its rows, which a refreshable view makes anew",
            "row policies, users: not granted",
        ];
        assert_eq!(told, expected);
        assert_eq!(acting(&tables).len(), 2);
    }
}
