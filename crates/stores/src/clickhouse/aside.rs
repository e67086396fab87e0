//! Old databases are set aside by a rename, under a name that follows from their own, and come back from there. So whoever comes after
//! a death at any point can tell: `sp_<8 digits>_old_x` is the old `x`; `sp_<8 digits>_gone_x` is one that the backup does not have;
//! `sp_<8 digits>_new_x` says that there was none. Where one of them is there, a present `x` is a load.
//!
//! What is set aside rests: its materialised views would hand on what is written into the new tables, once more, after the next
//! start. They are detached, and a view beside them ([`note`]) remembers which.

use async_trait::async_trait;
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::{Aside, Cx, Footing, Old, Staged, StoreError};

use super::session::{Session, column};
use super::sql::{ident, literal, of_database};
use super::tables::Database;
use super::{ClickhouseStore, functions};
use crate::toolbox::{BY_SIZE, is_short_name, short_name};

/// A rename changes no text of a view: what depends on a name finds it again.
const FREELY: &str = "check_table_dependencies = 0, check_referential_table_dependencies = 0";

/// A drop of ours has no limit: what is dropped was loaded by us, or is freed as it was said.
const UNLIMITED: &str = "max_table_size_to_drop = 0, max_partition_size_to_drop = 0";

/// The longest name of a file that the server makes for a database: `%2E` for a dot, `.sql` behind it.
const LONGEST: usize = 255 - 4 - "sp_12345678_gone_".len();

/// What a database of ours stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// The old one, in whose place one was loaded.
    Old,
    /// The old one, of which the backup has none.
    Gone,
    /// There was none.
    New,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Old, Self::Gone, Self::New];

    fn infix(self) -> &'static str {
        match self {
            Self::Old => "_old_",
            Self::Gone => "_gone_",
            Self::New => "_new_",
        }
    }

    fn name(self, store: &StoreName, database: &str) -> String {
        format!("{}{}{database}", short_name(store.as_str()), self.infix())
    }
}

/// A database of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    mark: Mark,
    /// What it is called.
    aside: String,
    /// Of which database it tells.
    name: String,
}

impl Held {
    /// None where the name is not one of ours, for this store or any.
    fn of(aside: &str) -> Option<Self> {
        let (short, rest) = aside.split_at_checked("sp_12345678".len())?;
        let of = |mark: Mark| {
            let name = rest.strip_prefix(mark.infix())?.to_owned();
            Some(Self {
                mark,
                aside: aside.to_owned(),
                name,
            })
        };
        is_short_name(short)
            .then(|| Mark::ALL.into_iter().find_map(of))
            .flatten()
    }

    fn is_sole(&self, is_there: bool) -> bool {
        self.mark == Mark::Old && !is_there
    }

    fn told(&self, is_there: bool) -> Old {
        let Self { mark, aside, name } = self;
        Old {
            what: match mark {
                Mark::Old | Mark::Gone => format!("database `{name}` as `{aside}`"),
                Mark::New => format!("that there was no database `{name}`"),
            },
            is_sole: self.is_sole(is_there),
            replaced_by: is_there.then(|| format!("database `{name}`")),
        }
    }
}

/// Whether a database is one that we have made.
pub(super) fn is_ours(database: &str) -> bool {
    Held::of(database).is_some() || functions::is_ours(database)
}

/// Whether a database of this name cannot be set aside.
pub(super) fn is_too_long(database: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = database.as_bytes().iter();
    bytes.map(|byte| if plain(byte) { 1 } else { 3 }).sum::<usize>() > LONGEST
}

/// The view that remembers which tables of its database were detached by us.
fn note(store: &StoreName) -> String {
    format!("{}_detached", short_name(store.as_str()))
}

impl ClickhouseStore {
    /// Runs a statement that takes as long as a database is large.
    async fn run(&self, session: &Session<'_>, doing: &str, statement: &str) -> Result<(), StoreError> {
        let ran = session.ask_within(BY_SIZE, statement).await;
        ran.map(drop).map_err(|trouble| self.failed(doing, trouble))
    }

    async fn names(&self, session: &Session<'_>) -> Result<Vec<String>, StoreError> {
        let names = "SELECT name FROM system.databases ORDER BY name";
        Ok(column(self.asked(session, "listing its databases", names).await?))
    }

    /// What of this store is held, and whether there is a database of that name now.
    async fn held_now(&self, session: &Session<'_>) -> Result<Vec<(Held, bool)>, StoreError> {
        let names = self.names(session).await?;
        let own = short_name(self.name.as_str());
        let held = names
            .iter()
            .filter(|name| name.starts_with(&own))
            .filter_map(|name| Held::of(name));
        let held = held.map(|held| {
            let is_there = names.contains(&held.name);
            (held, is_there)
        });
        Ok(held.collect())
    }

    /// What of any store is set aside, by its name.
    pub(super) async fn held_names(&self, session: &Session<'_>) -> Result<Vec<String>, StoreError> {
        let names = self.names(session).await?;
        let old = names.iter().filter_map(|name| Held::of(name));
        Ok(old
            .filter(|held| held.mark != Mark::New)
            .map(|held| held.aside)
            .collect())
    }

    /// Makes room for what is loaded, database by database. What an earlier load has left is dropped; the oldest stays.
    pub(super) async fn make_room(&self, session: &Session<'_>, backup: &[String]) -> Result<(), StoreError> {
        let present: Vec<String> = self
            .databases(session)
            .await?
            .into_iter()
            .filter(Database::can_be_renamed)
            .map(|database| database.name)
            .collect();
        let held = self.held_now(session).await?;
        let mut names: Vec<&String> = backup
            .iter()
            .chain(&present)
            .chain(held.iter().map(|(held, _)| &held.name))
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let held = held.iter().map(|(held, _)| held).find(|held| held.name == *name);
            let is_there = present.contains(name);
            let wanted = if backup.contains(name) { Mark::Old } else { Mark::Gone };
            match held {
                Some(held) => {
                    if is_there {
                        self.drop_database(session, name).await?;
                    }
                    if held.mark != Mark::New && held.mark != wanted {
                        self.rename(session, &held.aside, &wanted.name(&self.name, name))
                            .await?;
                    }
                }
                None if is_there => {
                    self.flush(session, name).await?;
                    self.rename(session, name, &wanted.name(&self.name, name)).await?;
                }
                None => {
                    let marker = ident(&Mark::New.name(&self.name, name));
                    let make = format!("CREATE DATABASE IF NOT EXISTS {marker} ENGINE = Atomic");
                    self.run(session, "noting which databases there were not", &make)
                        .await?;
                }
            }
        }
        for (held, _) in self.held_now(session).await? {
            self.lay_to_rest(session, &held.aside).await?;
        }
        Ok(())
    }

    async fn rename(&self, session: &Session<'_>, from: &str, to: &str) -> Result<(), StoreError> {
        let rename = format!("RENAME DATABASE {} TO {} SETTINGS {FREELY}", ident(from), ident(to));
        self.run(session, &format!("renaming database `{from}` to `{to}`"), &rename)
            .await
    }

    async fn drop_database(&self, session: &Session<'_>, name: &str) -> Result<(), StoreError> {
        let drop = format!(
            "DROP DATABASE IF EXISTS {} SYNC SETTINGS {FREELY}, {UNLIMITED}",
            ident(name)
        );
        self.run(session, &format!("dropping database `{name}`"), &drop).await
    }

    /// What a buffer holds goes where it belongs, as long as that has its name.
    async fn flush(&self, session: &Session<'_>, database: &str) -> Result<(), StoreError> {
        for table in self.tables(session, &[database.to_owned()]).await? {
            if table.engine == "Buffer" {
                let flush = format!("OPTIMIZE TABLE {}", of_database(database, &table.name));
                self.run(session, &format!("emptying the buffer {}", table.told()), &flush)
                    .await?;
            }
        }
        Ok(())
    }

    /// Detaches what of a database would act by itself. Which that is was written down before.
    async fn lay_to_rest(&self, session: &Session<'_>, database: &str) -> Result<(), StoreError> {
        let tables = self.tables(session, &[database.to_owned()]).await?;
        let active: Vec<&str> = tables
            .iter()
            .filter(|table| table.is_active())
            .map(|table| table.name.as_str())
            .collect();
        if active.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = active.iter().map(|name| literal(name)).collect();
        let remember = format!(
            "CREATE VIEW IF NOT EXISTS {} AS SELECT arrayJoin([{}]) AS name",
            of_database(database, &note(&self.name)),
            names.join(", ")
        );
        self.run(session, "noting which views rest", &remember).await?;
        for name in active {
            let detach = format!(
                "DETACH TABLE {} PERMANENTLY SYNC SETTINGS {FREELY}",
                of_database(database, name)
            );
            self.run(session, &format!("detaching {database}.{name}"), &detach)
                .await?;
        }
        Ok(())
    }

    /// The databases with their own names in which something rests still.
    async fn resting(&self, session: &Session<'_>) -> Result<Vec<String>, StoreError> {
        let with_note = format!(
            "SELECT database FROM system.tables WHERE name = {} ORDER BY database",
            literal(&note(&self.name))
        );
        let databases = column(self.asked(session, "looking for what rests", &with_note).await?);
        Ok(databases.into_iter().filter(|name| !is_ours(name)).collect())
    }

    /// Attaches what rests in a database that has its name again.
    async fn wake(&self, session: &Session<'_>, database: &str) -> Result<(), StoreError> {
        let note = of_database(database, &note(&self.name));
        let names = self
            .asked(session, "looking for what rests", &format!("SELECT name FROM {note}"))
            .await?;
        let there = self.tables(session, &[database.to_owned()]).await?;
        for name in column(names) {
            if there.iter().all(|table| table.name != name) {
                let attach = format!("ATTACH TABLE {}", of_database(database, &name));
                self.run(session, &format!("attaching {database}.{name}"), &attach)
                    .await?;
            }
        }
        let forget = format!("DROP VIEW IF EXISTS {note} SYNC");
        self.run(session, "forgetting what rested", &forget).await
    }

    async fn put_all_back(&self, cx: &Cx) -> Result<(), StoreError> {
        let session = self.open(cx).await?;
        for (held, _) in self.held_now(&session).await? {
            self.drop_database(&session, &held.name).await?;
            match held.mark {
                Mark::Old | Mark::Gone => self.rename(&session, &held.aside, &held.name).await?,
                Mark::New => self.drop_database(&session, &held.aside).await?,
            }
        }
        for database in self.resting(&session).await? {
            self.wake(&session, &database).await?;
        }
        self.put_functions_back(&session).await
    }
}

/// What is told of a database that came back half.
fn half(database: &str) -> Old {
    Old {
        what: format!("materialized views of database `{database}`, detached"),
        is_sole: true,
        replaced_by: None,
    }
}

#[async_trait]
impl Aside for ClickhouseStore {
    async fn held(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        let session = self.open(cx).await?;
        let held = self.held_now(&session).await?;
        let told = held.iter().map(|(held, is_there)| held.told(*is_there));
        let half = self
            .resting(&session)
            .await?
            .into_iter()
            .map(|database| half(&database));
        Ok(told.chain(half).chain(self.held_functions(&session).await?).collect())
    }

    fn put_back(&self) -> Box<dyn Staged> {
        Box::new(PutBack(self.clone()))
    }

    async fn discard(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        let session = self.open(cx).await?;
        let mut left: Vec<Old> = self
            .resting(&session)
            .await?
            .iter()
            .map(|database| half(database))
            .collect();
        for (held, is_there) in self.held_now(&session).await? {
            if held.is_sole(is_there) {
                left.push(held.told(is_there));
            } else {
                self.drop_database(&session, &held.aside).await?;
            }
        }
        self.discard_functions(&session).await?;
        Ok(left)
    }
}

/// Putting the old databases of one server back.
struct PutBack(ClickhouseStore);

#[async_trait]
impl Staged for PutBack {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Running]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        self.0.put_all_back(cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_is_set_aside() {
        let store = StoreName::new("clickhouse");
        for mark in Mark::ALL {
            let aside = mark.name(&store, "we`ird_old_db");
            let held = Held::of(&aside).unwrap();
            assert_eq!((held.mark, held.name.as_str()), (mark, "we`ird_old_db"), "{aside}");
            assert!(is_ours(&aside));
        }
        for other in [
            "default",
            "sp_12345678",
            "sp_1234567x_old_a",
            "sp_12345678_odd_a",
            "é",
            "sp_12345678_old",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn what_would_be_lost_is_told() {
        let store = StoreName::new("clickhouse");
        let told = |mark: Mark, is_there| Held::of(&mark.name(&store, "a")).unwrap().told(is_there);
        assert!(told(Mark::Old, false).is_sole && !told(Mark::Old, true).is_sole);
        assert!(!told(Mark::Gone, false).is_sole && !told(Mark::New, false).is_sole);
        assert_eq!(told(Mark::New, true).what, "that there was no database `a`");
        assert_eq!(told(Mark::Old, true).replaced_by.as_deref(), Some("database `a`"));
        assert_eq!(told(Mark::Gone, false).replaced_by, None);
    }

    #[test]
    fn a_name_that_is_too_long_is_known() {
        assert!(!is_too_long(&"x".repeat(234)) && is_too_long(&"x".repeat(235)));
        assert!(is_too_long(&".".repeat(79)));
    }
}
