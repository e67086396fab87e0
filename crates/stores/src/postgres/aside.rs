//! Old databases are set aside under a name that follows from their own, and come back from there. The server
//! itself remembers what is what, in settings that nobody reads but us: a database that is set aside carries its
//! true name, and [`MAINTENANCE`] carries the names of those that did not exist before. So whoever comes after a
//! death at any point can tell: if `x` is set aside, or did not exist, a present `x` is a load; if `x` carries its
//! own name, it was closed to be set aside and is still the old one.

use async_trait::async_trait;
use stillpoint_core::stores;
use stillpoint_core::stores::{Cx, Footing, Staged, StoreError};
use stillpoint_pg::Session;
use stillpoint_pg::quote::{ident, literal};

use super::access::{MAINTENANCE, all_or_nothing, server};
use super::holders::is_half_dropped;
use super::{PostgresStore, passwords};
use crate::toolbox::short_name;

/// The setting that holds the true name of what is set aside.
pub(super) const TRUE_NAME: &str = "stillpoint.true_name";

/// The setting that holds, as a list in JSON, which subscriptions of what is set aside were enabled.
const SUBSCRIPTIONS: &str = "stillpoint.subscriptions";

/// How the settings begin that hold the names of databases that did not exist before.
const ABSENT: &str = "stillpoint.absent_";

/// What the server remembers: a database, and one of our settings on it.
const REMEMBERED: &str = "SELECT d.datname, c FROM pg_database d \
    JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0, unnest(s.setconfig) c \
    WHERE c LIKE 'stillpoint.%' ORDER BY 1, 2";

/// A database as it was before a restore.
#[derive(Debug, PartialEq, Eq)]
enum Old {
    /// It is set aside.
    There { aside: String, name: String },
    /// It is closed, and has its name still.
    Closed { name: String },
    /// There was none of this name.
    Absent { name: String },
}

impl Old {
    /// From a row of [`REMEMBERED`].
    fn of(database: &str, setting: &str) -> Option<Self> {
        let (key, name) = setting.split_once('=')?;
        let (aside, name) = (database.to_owned(), name.to_owned());
        if key == TRUE_NAME && *aside == short_name(&name) {
            Some(Self::There { aside, name })
        } else if key == TRUE_NAME && aside == name {
            Some(Self::Closed { name })
        } else if key == absent(&name) && database == MAINTENANCE {
            Some(Self::Absent { name })
        } else {
            None
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::There { name, .. } | Self::Closed { name } | Self::Absent { name } => name,
        }
    }

    fn is_sole(&self, is_there: bool) -> bool {
        match self {
            Self::There { .. } => !is_there,
            Self::Closed { .. } => true,
            Self::Absent { .. } => false,
        }
    }

    fn told(&self, is_there: bool) -> stores::Old {
        let what = match self {
            Self::There { aside, name } => format!("database `{name}` as `{aside}`"),
            Self::Closed { name } => format!("database `{name}`, closed"),
            Self::Absent { name } => format!("that there was no database `{name}`"),
        };
        stores::Old {
            what,
            is_sole: self.is_sole(is_there),
            replaced_by: match self {
                Self::There { name, .. } | Self::Absent { name } if is_there => Some(format!("database `{name}`")),
                _ => None,
            },
        }
    }
}

fn absent(name: &str) -> String {
    let short = short_name(name);
    format!("{ABSENT}{}", short.trim_start_matches("sp_"))
}

/// What a restore has replaced and the server still has.
async fn remembered(cx: &Cx, session: &Session) -> Result<Vec<Old>, StoreError> {
    let rows = session.rows(cx.idle_limit, REMEMBERED).await;
    let rows = rows.map_err(|error| server("asking what is set aside", error))?;
    let old = rows.iter().filter_map(|row| match &row[..] {
        [Some(database), Some(setting)] => Old::of(database, setting),
        _ => None,
    });
    Ok(old.collect())
}

/// The same, and whether there is a database of that name now.
async fn remembered_beside(cx: &Cx, session: &Session) -> Result<Vec<(Old, bool)>, StoreError> {
    let there = names(cx, session).await?;
    let old = remembered(cx, session).await?.into_iter();
    let beside = old.map(|old| {
        let is_there = there.iter().any(|name| name == old.name());
        (old, is_there)
    });
    Ok(beside.collect())
}

/// The databases that are set aside, with their true names.
pub(super) async fn present(cx: &Cx, session: &Session) -> Result<Vec<(String, String)>, StoreError> {
    let old = remembered(cx, session).await?.into_iter();
    let there = old.filter_map(|old| match old {
        Old::There { aside, name } => Some((aside, name)),
        Old::Closed { .. } | Old::Absent { .. } => None,
    });
    Ok(there.collect())
}

async fn names(cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
    let names = session
        .column(cx.idle_limit, "SELECT datname FROM pg_database ORDER BY 1")
        .await;
    names.map_err(|error| server("listing databases", error))
}

impl PostgresStore {
    /// Makes room for database `name`: the old one is set aside, or, where an unfinished load did that
    /// before, what that load left is dropped.
    pub(super) async fn make_room(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        let is_there = names(cx, session).await?.iter().any(|there| there == name);
        let old = remembered(cx, session).await?;
        let old = old.iter().find(|old| old.name() == name);
        match (is_there, old) {
            (true, Some(Old::There { .. } | Old::Absent { .. })) => self.drop_database(cx, session, name).await,
            (true, _) if is_half_dropped(cx, session, name).await? => {
                note_absent(cx, session, name).await?;
                self.drop_database(cx, session, name).await
            }
            (true, _) => self.set_aside(cx, session, name).await,
            (false, Some(_)) => Ok(()),
            (false, None) => note_absent(cx, session, name).await,
        }
    }

    /// Whether there is a database of this name.
    pub(super) async fn is_there(&self, cx: &Cx, name: &str) -> Result<bool, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let names = names(cx, &session).await;
        session.close().await;
        Ok(names?.iter().any(|there| there == name))
    }

    async fn put_all_back(&self, cx: &Cx, session: &Session) -> Result<(), StoreError> {
        for (old, is_there) in remembered_beside(cx, session).await? {
            self.put_one_back(cx, session, &old, is_there).await?;
        }
        Ok(())
    }

    async fn discard_all(&self, cx: &Cx, session: &Session) -> Result<Vec<stores::Old>, StoreError> {
        let mut left = Vec::new();
        for (old, is_there) in remembered_beside(cx, session).await? {
            match &old {
                old if old.is_sole(is_there) => left.push(old.told(is_there)),
                Old::There { aside, .. } => self.drop_database(cx, session, aside).await?,
                Old::Closed { .. } => {}
                Old::Absent { name } => forget(cx, session, name).await?,
            }
        }
        Ok(left)
    }

    async fn put_one_back(&self, cx: &Cx, session: &Session, old: &Old, is_there: bool) -> Result<(), StoreError> {
        if cx.cancel.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        if is_there && !matches!(old, Old::Closed { .. }) {
            self.drop_database(cx, session, old.name()).await?;
        }
        match old {
            Old::Closed { name } => reopen(cx, session, name, name).await,
            Old::There { aside, name } => reopen(cx, session, aside, name).await,
            Old::Absent { name } => forget(cx, session, name).await,
        }
    }
}

impl PostgresStore {
    /// The server renames no database that somebody is in. It is closed first, or a subscription's worker is back at
    /// once, and would go on writing into what was set aside. Nothing of it goes on meanwhile: subscriptions are disabled until
    /// it is put back, and a slot would keep the server's log for subscribers that cannot come.
    async fn set_aside(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        let end = format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {}",
            literal(name)
        );
        let failed = |error| server(format!("setting database `{name}` aside"), error);
        let remember = vec![format!("SET {TRUE_NAME} TO {}", literal(name))];
        let disable = disabling(cx, session, name).await?;
        let closing = [remember.clone(), disable.settings].concat();
        rename(cx, session, (name, name), false, &closing, disable.update).await?;
        session.run(cx.idle_limit, &end).await.map_err(failed)?;
        let slots = format!(
            "SELECT slot_name FROM pg_replication_slots WHERE database = {} AND slot_type = 'logical' ORDER BY 1",
            literal(name)
        );
        for slot in session.column(cx.idle_limit, &slots).await.map_err(failed)? {
            let drop = format!("SELECT pg_drop_replication_slot({})", literal(&slot));
            session.run(cx.idle_limit, &drop).await.map_err(failed)?;
            cx.report.warn(format!(
                "{}: database `{name}` is replaced, and its replication slot `{slot}` with it: subscribers must be set up anew",
                self.name
            ));
        }
        rename(cx, session, (name, &short_name(name)), false, &remember, None).await
    }
}

/// What disables the subscriptions of a database, and remembers which those were.
#[derive(Default)]
struct Disabling {
    settings: Vec<String>,
    update: Option<String>,
}

async fn disabling(cx: &Cx, session: &Session, name: &str) -> Result<Disabling, StoreError> {
    let of_it = format!(
        "subdbid = (SELECT oid FROM pg_database WHERE datname = {})",
        literal(name)
    );
    let enabled = format!("SELECT subname FROM pg_subscription WHERE subenabled AND {of_it} ORDER BY 1");
    let enabled = session.column(cx.idle_limit, &enabled).await;
    let enabled = enabled.map_err(|error| server(format!("looking at subscriptions of `{name}`"), error))?;
    if enabled.is_empty() {
        return Ok(Disabling::default());
    }
    let names = serde_json::to_string(&enabled).map_err(|error| StoreError::Unfit(error.to_string()))?;
    Ok(Disabling {
        settings: vec![format!("SET {SUBSCRIPTIONS} TO {}", literal(&names))],
        update: Some(format!("UPDATE pg_subscription SET subenabled = false WHERE {of_it}")),
    })
}

/// Gives a database its name back and opens it; its subscriptions go on.
async fn reopen(cx: &Cx, session: &Session, from: &str, to: &str) -> Result<(), StoreError> {
    let remembered = format!(
        "SELECT split_part(c, '=', 2) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, \
         unnest(s.setconfig) c WHERE d.datname = {} AND s.setrole = 0 AND c LIKE '{SUBSCRIPTIONS}=%'",
        literal(from)
    );
    let remembered = session.value(cx.idle_limit, &remembered).await;
    let remembered = remembered.map_err(|error| server(format!("looking at subscriptions of `{from}`"), error))?;
    let enable = (!remembered.is_empty()).then(|| {
        format!(
            "UPDATE pg_subscription SET subenabled = true WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = {}) \
             AND subname IN (SELECT json_array_elements_text({}))",
            literal(from),
            literal(&remembered)
        )
    });
    let forget = [TRUE_NAME, SUBSCRIPTIONS].map(|setting| format!("RESET {setting}"));
    rename(cx, session, (from, to), true, &forget, enable).await
}

async fn note_absent(cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
    let (on, setting, value) = (ident(MAINTENANCE), absent(name), literal(name));
    let note = format!("ALTER DATABASE {on} SET {setting} TO {value}");
    let noted = session.run(cx.idle_limit, &note).await;
    noted.map_err(|error| server(format!("noting that there is no database `{name}`"), error))
}

/// Renames a database, says whether it takes connections, and changes our settings on it: all or nothing. `first` is
/// done with it.
async fn rename(
    cx: &Cx,
    session: &Session,
    (from, to): (&str, &str),
    connections: bool,
    settings: &[String],
    first: Option<String>,
) -> Result<(), StoreError> {
    let (old, new) = (ident(from), ident(to));
    let settings = settings.iter().map(|setting| format!("ALTER DATABASE {old} {setting}"));
    let mut statements: Vec<String> = first.into_iter().chain(settings).collect();
    statements.push(format!("ALTER DATABASE {old} ALLOW_CONNECTIONS {connections}"));
    if from != to {
        statements.push(format!("ALTER DATABASE {old} RENAME TO {new}"));
    }
    let doing = format!("renaming database `{from}` to `{to}`");
    all_or_nothing(cx, session, &doing, &statements).await
}

async fn forget(cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
    let forget = format!("ALTER DATABASE {} RESET {}", ident(MAINTENANCE), absent(name));
    let forgotten = session.run(cx.idle_limit, &forget).await;
    forgotten.map_err(|error| server(format!("forgetting that there was no database `{name}`"), error))
}

#[async_trait]
impl stores::Aside for PostgresStore {
    async fn held(&self, cx: &Cx) -> Result<Vec<stores::Old>, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let old = remembered_beside(cx, &session).await;
        let passwords = passwords::held(cx, &session).await;
        session.close().await;
        let databases = old?.into_iter().map(|(old, is_there)| old.told(is_there));
        Ok(databases.chain(passwords?).collect())
    }

    fn put_back(&self) -> Box<dyn Staged> {
        Box::new(PutBack(self.clone()))
    }

    async fn discard(&self, cx: &Cx) -> Result<Vec<stores::Old>, StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let done = async {
            let left = self.discard_all(cx, &session).await?;
            passwords::discard(cx, &session).await?;
            Ok(left)
        };
        let done = done.await;
        session.close().await;
        done
    }
}

/// Putting the old data of one server back.
struct PutBack(PostgresStore);

#[async_trait]
impl Staged for PutBack {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Running]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        let store = &self.0;
        let session = store.open(cx, MAINTENANCE).await?;
        let done = async {
            store.put_all_back(cx, &session).await?;
            passwords::put_back(cx, &session).await
        };
        let done = done.await;
        session.close().await;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_together_is_taken_for_ours() {
        let (name, aside) = ("we = \"ird", short_name("we = \"ird"));
        let there = Old::of(&aside, &format!("{TRUE_NAME}={name}"));
        let (aside, name) = (aside, name.to_owned());
        assert_eq!(
            there,
            Some(Old::There {
                aside,
                name: name.clone()
            })
        );
        assert_eq!(
            Old::of("x", &format!("{TRUE_NAME}={name}")),
            None,
            "set by somebody else"
        );
        assert_eq!(
            Old::of(&name, &format!("{TRUE_NAME}={name}")),
            Some(Old::Closed { name: name.clone() })
        );
        let setting = format!("{}={name}", absent(&name));
        assert_eq!(Old::of(MAINTENANCE, &setting), Some(Old::Absent { name }));
        assert_eq!(Old::of("x", &setting), None, "elsewhere");
        assert_eq!(Old::of(MAINTENANCE, "stillpoint.other=1"), None);
    }
}
