//! Passwords of roles that exist when a backup's globals are replayed: they keep their present ones, or get the
//! backup's. A password that is replaced is remembered where the server keeps all of them, out of everybody's sight but
//! a superuser's: as that of a role that nobody can log in as, named after the true one as a database that is set
//! aside. The role that we log in as keeps its password whatever is asked: another would lock us out half-way.

use std::collections::BTreeMap;

use stillpoint_core::logins::Passwords;
use stillpoint_core::names::StoreName;
use stillpoint_core::stores;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::Session;
use stillpoint_pg::quote::{ident, literal};
use stillpoint_pg::script::Statement;

use super::PostgresStore;
use super::access::{all_or_nothing, server};
use super::aside::TRUE_NAME;
use crate::toolbox::{is_short_name, short_name};

/// The roles of ours, with the true names they stand for, and the passwords that they remember.
const REMEMBERED: &str = "SELECT a.rolname, c, a.rolpassword FROM pg_authid a \
    JOIN pg_db_role_setting s ON s.setrole = a.oid AND s.setdatabase = 0, unnest(s.setconfig) c \
    WHERE NOT a.rolcanlogin AND c LIKE 'stillpoint.%' ORDER BY 1";

/// A password as the server keeps it; none: the role has none.
type Verifier = Option<String>;

/// Whose password a statement about a role that exists sets, and what becomes of it.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It stays: so it was asked, or it is the backup's already, or the backup has none.
    Stays,
    /// It stays because it is ours.
    StaysOurs,
    /// It is replaced by the backup's.
    Replaced,
}

/// What is known of the server's roles while globals are replayed.
pub(super) struct Roles<'a> {
    store: &'a StoreName,
    passwords: Passwords,
    present: BTreeMap<String, Verifier>,
    /// The one that we log in as.
    ours: String,
}

impl<'a> Roles<'a> {
    pub(super) async fn of(
        cx: &Cx,
        session: &Session,
        store: &'a StoreName,
        passwords: Passwords,
    ) -> Result<Self, StoreError> {
        let failed = |error| server("reading roles", error);
        let rows = session.rows(cx.idle_limit, "SELECT rolname, rolpassword FROM pg_authid");
        let present = rows.await.map_err(failed)?.into_iter().filter_map(|row| {
            let [name, verifier] = <[_; 2]>::try_from(row).ok()?;
            Some((name?, verifier))
        });
        let ours = session.value(cx.idle_limit, "SELECT session_user").await;
        Ok(Self {
            store,
            passwords,
            present: present.collect(),
            ours: ours.map_err(failed)?,
        })
    }

    pub(super) fn exist(&self, name: &str) -> bool {
        self.present.contains_key(name)
    }

    /// A statement that alters a role which exists, with the password that it is to get or without one; none: it must not be
    /// altered.
    pub(super) async fn altered(
        &self,
        cx: &Cx,
        session: &Session,
        role: &str,
        statement: &Statement,
    ) -> Result<Option<Statement>, StoreError> {
        match self.fate(role, statement) {
            Fate::Stays => return Ok(self.harmless(role, statement)),
            Fate::StaysOurs => {
                cx.report.warn(format!(
                    "{}: role `{role}` keeps its present password, for Stillpoint logs in as it; to give it the \
                     backup's, run `ALTER ROLE {} PASSWORD '…'` with what globals.sql.gz says, and tell Stillpoint the \
                     new one",
                    self.store,
                    ident(role)
                ));
                return Ok(self.harmless(role, statement));
            }
            Fate::Replaced => {}
        }
        let verifier = self.present.get(role).and_then(Option::as_deref);
        remember(cx, session, role, verifier).await?;
        Ok(Some(statement.clone()))
    }

    /// The statement without its password. The role that we log in as keeps its attributes too: in the backup it may be one
    /// that was no superuser yet, or that has expired since.
    fn harmless(&self, role: &str, statement: &Statement) -> Option<Statement> {
        let sets_attributes = statement.has("WITH") && !statement.has("SET");
        (role != self.ours || !sets_attributes).then(|| statement.without_password())
    }

    fn fate(&self, role: &str, statement: &Statement) -> Fate {
        let present = self.present.get(role).and_then(Option::as_deref).map(literal);
        match (self.passwords, statement.password()) {
            (Passwords::Keep, _) | (_, None) => Fate::Stays,
            (Passwords::Backup, wanted) if wanted == present.as_deref() => Fate::Stays,
            (Passwords::Backup, Some(_)) if role == self.ours => Fate::StaysOurs,
            (Passwords::Backup, Some(_)) => Fate::Replaced,
        }
    }
}

/// The roles of ours that a dump of globals holds: it was made while a restore's old data was kept.
pub(super) fn of_ours(statements: &[Statement]) -> Vec<String> {
    let marks = |statement: &&Statement| statement.text().contains(TRUE_NAME);
    let marked = statements.iter().filter(marks);
    let names = marked.filter_map(|statement| statement.subject(&["ALTER", "ROLE"]));
    names.filter(|name| is_short_name(name)).collect()
}

/// The oldest password counts: what an earlier attempt has remembered stays.
async fn remember(cx: &Cx, session: &Session, role: &str, verifier: Option<&str>) -> Result<(), StoreError> {
    let old = remembered(cx, session).await?;
    if old.iter().any(|old| old.name == role) {
        return Ok(());
    }
    let aside = ident(&short_name(role));
    let statements = [
        format!("CREATE ROLE {aside} NOLOGIN PASSWORD {}", value(verifier)),
        format!("ALTER ROLE {aside} SET {TRUE_NAME} TO {}", literal(role)),
    ];
    let doing = format!("remembering the present password of role `{role}`");
    all_or_nothing(cx, session, &doing, &statements).await
}

fn value(verifier: Option<&str>) -> String {
    verifier.map_or_else(|| "NULL".to_owned(), literal)
}

/// A role whose password a restore has replaced.
#[derive(Debug, PartialEq, Eq)]
struct Old {
    aside: String,
    name: String,
    verifier: Verifier,
}

impl Old {
    /// From a row of [`REMEMBERED`].
    fn of(row: Vec<Option<String>>) -> Option<Self> {
        let [aside, setting, verifier] = <[_; 3]>::try_from(row).ok()?;
        let aside = aside?;
        let name = setting?.strip_prefix(TRUE_NAME)?.strip_prefix('=')?.to_owned();
        (aside == short_name(&name)).then_some(Self { aside, name, verifier })
    }
}

async fn remembered(cx: &Cx, session: &Session) -> Result<Vec<Old>, StoreError> {
    let rows = session.rows(cx.idle_limit, REMEMBERED).await;
    let rows = rows.map_err(|error| server("asking which passwords were replaced", error))?;
    Ok(rows.into_iter().filter_map(Old::of).collect())
}

/// What is remembered, in words. It is never the only one: the role has the backup's.
pub(super) async fn held(cx: &Cx, session: &Session) -> Result<Vec<stores::Old>, StoreError> {
    let old = remembered(cx, session).await?.into_iter();
    let told = old.map(|old| stores::Old {
        what: format!("the password of role `{}` as that of `{}`", old.name, old.aside),
        is_sole: false,
        replaced_by: None,
    });
    Ok(told.collect())
}

/// Gives roles the passwords that a restore has replaced. One that somebody has dropped since stays away.
pub(super) async fn put_back(cx: &Cx, session: &Session) -> Result<(), StoreError> {
    let roles = session.column(cx.idle_limit, "SELECT rolname FROM pg_roles").await;
    let roles = roles.map_err(|error| server("reading roles", error))?;
    for old in remembered(cx, session).await? {
        let back = format!(
            "ALTER ROLE {} PASSWORD {}",
            ident(&old.name),
            value(old.verifier.as_deref())
        );
        let back = roles.contains(&old.name).then_some(back);
        let statements: Vec<String> = back.into_iter().chain([forget(&old)]).collect();
        let doing = format!("putting back the password of role `{}`", old.name);
        all_or_nothing(cx, session, &doing, &statements).await?;
    }
    Ok(())
}

/// Forgets the passwords that a restore has replaced.
pub(super) async fn discard(cx: &Cx, session: &Session) -> Result<(), StoreError> {
    for old in remembered(cx, session).await? {
        let doing = format!("forgetting the password that role `{}` had", old.name);
        all_or_nothing(cx, session, &doing, &[forget(&old)]).await?;
    }
    Ok(())
}

impl PostgresStore {
    /// What becomes of passwords, in words.
    pub(super) fn tell_passwords(&self, passwords: Passwords) -> String {
        match passwords {
            Passwords::Keep => "roles that exist keep their present passwords".to_owned(),
            Passwords::Backup => format!(
                "roles that exist get the backup's passwords, but `{}`, as which Stillpoint logs in",
                self.access.user()
            ),
        }
    }
}

fn forget(old: &Old) -> String {
    format!("DROP ROLE {}", ident(&old.aside))
}

#[cfg(test)]
mod tests {
    use stillpoint_pg::script::statements;

    use super::*;

    fn with_roles<T>(passwords: Passwords, act: impl FnOnce(&Roles<'_>) -> T) -> T {
        let store = StoreName::new("db");
        let present = [("app", Some("md5now")), ("own", Some("md5now")), ("none", None)];
        let roles = Roles {
            store: &store,
            passwords,
            present: present
                .map(|(name, verifier)| (name.to_owned(), verifier.map(str::to_owned)))
                .into(),
            ours: "own".to_owned(),
        };
        act(&roles)
    }

    fn fate(passwords: Passwords, role: &str, rest: &str) -> Fate {
        let script = statements(&format!("ALTER ROLE {role} WITH LOGIN{rest};"));
        with_roles(passwords, |roles| roles.fate(role, &script[0]))
    }

    #[test]
    fn the_role_that_we_log_in_as_is_not_locked_out() {
        let left = |role: &str, rest: &str| {
            let script = statements(&format!("ALTER ROLE {role} {rest};"));
            let statement = with_roles(Passwords::Keep, |roles| roles.harmless(role, &script[0]));
            statement.map(|statement| statement.text())
        };
        let expired = "WITH NOSUPERUSER LOGIN PASSWORD 'md5then' VALID UNTIL '2020-01-01'";
        assert_eq!(left("own", expired), None);
        let without = "ALTER ROLE app WITH NOSUPERUSER LOGIN  VALID UNTIL '2020-01-01'";
        assert_eq!(left("app", expired).as_deref(), Some(without));
        let setting = "SET work_mem TO '8MB'";
        assert_eq!(left("own", setting), Some(format!("ALTER ROLE own {setting}")));
    }

    #[test]
    fn a_password_is_replaced_where_that_is_asked_and_it_differs_and_is_not_ours() {
        let then = " PASSWORD 'md5then'";
        assert_eq!(fate(Passwords::Keep, "app", then), Fate::Stays);
        assert_eq!(fate(Passwords::Backup, "app", then), Fate::Replaced);
        assert_eq!(fate(Passwords::Backup, "none", then), Fate::Replaced);
        assert_eq!(fate(Passwords::Backup, "app", " PASSWORD 'md5now'"), Fate::Stays);
        assert_eq!(
            fate(Passwords::Backup, "app", ""),
            Fate::Stays,
            "no password in the dump"
        );
        assert_eq!(fate(Passwords::Backup, "own", then), Fate::StaysOurs);
        assert_eq!(fate(Passwords::Backup, "own", " PASSWORD 'md5now'"), Fate::Stays);
    }

    #[test]
    fn only_what_fits_together_is_taken_for_ours() {
        let row = |aside: &str, setting: &str| {
            let row = [
                Some(aside.to_owned()),
                Some(setting.to_owned()),
                Some("md5x".to_owned()),
            ];
            Old::of(row.to_vec()).map(|old| old.name)
        };
        let aside = short_name("app");
        let setting = format!("{TRUE_NAME}=app");
        assert_eq!(row(&aside, &setting).as_deref(), Some("app"));
        assert_eq!(row("app", &setting), None);
        assert_eq!(row(&aside, &format!("{TRUE_NAME}=other")), None);
        assert_eq!(row(&aside, "stillpoint.other=app"), None);
    }

    #[test]
    fn roles_of_ours_in_a_dump_are_known() {
        let aside = short_name("app");
        let script = format!(
            "CREATE ROLE {aside}; CREATE ROLE sp_00000000;\nALTER ROLE app SET \"{TRUE_NAME}\" TO 'x';\n\
             ALTER ROLE {aside} SET \"{TRUE_NAME}\" TO 'app';"
        );
        assert_eq!(of_ours(&statements(&script)), [aside]);
    }
}
