//! The accounts as tables of the ledger.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{
    AUDIT_KEPT, AccountsError, AuditEntry, Audited, Changed, Hashed, Outcome, Role, SESSION_IDLE, SESSION_LIFE,
    Session, Token, User,
};
use stillpoint_core::ports::journal::JournalError;

use super::{ACCOUNTS, Ledger};

const ADD_USER: &str =
    "INSERT OR IGNORE INTO users (name, role, password, made_at, made_by) VALUES (?1, ?2, ?3, ?4, ?5)";

const USER: &str = "SELECT name, role, made_at, made_by, signed_in_at, password FROM users WHERE name = ?1";

const SESSION: &str = "SELECT name, role, made_at, made_by, signed_in_at, id, since, used_at
    FROM sessions JOIN users ON name = user WHERE id = ?1";

const TOKEN: &str = "SELECT name, role, made_at, made_by, expires_at, used_at FROM tokens";

const ADD_TOKEN: &str = "INSERT INTO tokens (name, secret, role, made_at, made_by, expires_at)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM tokens WHERE name = ?1)";

const NOTE: &str = "INSERT INTO audit (at, who, origin, what, outcome, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const AUDIT: &str = "SELECT number, at, who, origin, what, outcome, detail FROM audit
    WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2";

/// The accounts in a state directory's ledger. Opened at the first use: a command that only looks makes no file.
#[derive(Clone)]
pub struct LedgerAccounts {
    ledger: Ledger,
}

impl LedgerAccounts {
    /// The accounts in this directory.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            ledger: Ledger::used(folder.into(), ACCOUNTS),
        }
    }

    /// A change, made wholly or not at all.
    async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AccountsError> {
        let written = self.ledger.with("written", |ledger| {
            let all = Transaction::new_unchecked(ledger, TransactionBehavior::Immediate)?;
            let done = act(&all)?;
            all.commit()?;
            Ok(done)
        });
        written.await.map_err(into_accounts)
    }

    /// What a question finds; nothing where there is no ledger.
    async fn read<T: Default + Send + 'static>(
        &self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, AccountsError> {
        if !self.ledger.path().exists() {
            return Ok(T::default());
        }
        self.ledger.with("read", act).await.map_err(into_accounts)
    }
}

#[async_trait]
impl Accounts for LedgerAccounts {
    fn place(&self) -> String {
        self.ledger.path().display().to_string()
    }

    async fn users(&self) -> Result<Vec<User>, AccountsError> {
        let question = "SELECT name, role, made_at, made_by, signed_in_at FROM users ORDER BY name";
        self.read(move |ledger| ledger.prepare(question)?.query_map([], user)?.collect())
            .await
    }

    async fn user(&self, name: &str) -> Result<Option<(User, Hashed)>, AccountsError> {
        let name = name.to_owned();
        let with_password = |row: &Row<'_>| Ok((user(row)?, Hashed(row.get(5)?)));
        self.read(move |ledger| ledger.query_row(USER, [name], with_password).optional())
            .await
    }

    async fn add_user(&self, user: &User, password: &Hashed) -> Result<bool, AccountsError> {
        let row = user_row(user, password);
        self.write(move |ledger| Ok(ledger.execute(ADD_USER, row)? > 0)).await
    }

    async fn add_first_user(&self, user: &User, password: &Hashed) -> Result<bool, AccountsError> {
        let row = user_row(user, password);
        self.write(move |ledger| {
            let others: i64 = ledger.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
            Ok(others == 0 && ledger.execute(ADD_USER, row)? > 0)
        })
        .await
    }

    async fn set_password(&self, name: &str, password: &Hashed) -> Result<bool, AccountsError> {
        let (name, password) = (name.to_owned(), password.0.clone());
        self.write(move |ledger| {
            ledger.execute("DELETE FROM sessions WHERE user = ?1", [&name])?;
            let set = "UPDATE users SET password = ?2 WHERE name = ?1";
            Ok(ledger.execute(set, params![name, password])? > 0)
        })
        .await
    }

    async fn set_role(&self, name: &str, role: Role) -> Result<Changed, AccountsError> {
        let name = name.to_owned();
        self.write(move |ledger| {
            if role != Role::Admin && is_last_admin(ledger, &name)? {
                return Ok(Changed::LastAdmin);
            }
            let set = "UPDATE users SET role = ?2 WHERE name = ?1";
            changed(ledger.execute(set, params![name, role.name()])?)
        })
        .await
    }

    async fn remove_user(&self, name: &str) -> Result<Changed, AccountsError> {
        let name = name.to_owned();
        self.write(move |ledger| {
            if is_last_admin(ledger, &name)? {
                return Ok(Changed::LastAdmin);
            }
            changed(ledger.execute("DELETE FROM users WHERE name = ?1", [name])?)
        })
        .await
    }

    async fn begin_session(&self, session: &Session) -> Result<bool, AccountsError> {
        let Session { id, user, since, .. } = session.clone();
        let over = [since - SESSION_IDLE, since - SESSION_LIFE].map(Timestamp::as_millisecond);
        let since = since.as_millisecond();
        self.write(move |ledger| {
            ledger.execute("DELETE FROM sessions WHERE used_at < ?1 OR since < ?2", over)?;
            let signed_in = "UPDATE users SET signed_in_at = ?2 WHERE name = ?1";
            if ledger.execute(signed_in, params![user, since])? == 0 {
                return Ok(false);
            }
            let begin = "INSERT INTO sessions (id, user, since, used_at) VALUES (?1, ?2, ?3, ?3)";
            ledger.execute(begin, params![id.0, user, since])?;
            Ok(true)
        })
        .await
    }

    async fn session(&self, id: &Hashed, now: Timestamp) -> Result<Option<(Session, User)>, AccountsError> {
        let id = id.0.clone();
        let found = self.read(move |ledger| ledger.query_row(SESSION, [id], session).optional());
        Ok(found.await?.filter(|(session, _)| session.holds(now)))
    }

    async fn use_session(&self, id: &Hashed, at: Timestamp) -> Result<(), AccountsError> {
        let values = (id.0.clone(), at.as_millisecond());
        let set = "UPDATE sessions SET used_at = ?2 WHERE id = ?1";
        self.write(move |ledger| ledger.execute(set, values).map(drop)).await
    }

    async fn end_session(&self, id: &Hashed) -> Result<(), AccountsError> {
        let id = id.0.clone();
        let end = "DELETE FROM sessions WHERE id = ?1";
        self.write(move |ledger| ledger.execute(end, [id]).map(drop)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, AccountsError> {
        self.read(|ledger| {
            let mut tokens = ledger.prepare(&format!("{TOKEN} ORDER BY name"))?;
            tokens.query_map([], token)?.collect()
        })
        .await
    }

    async fn add_token(&self, token: &Token, secret: &Hashed) -> Result<bool, AccountsError> {
        let row = (
            token.name.clone(),
            secret.0.clone(),
            token.role.name(),
            token.made_at.as_millisecond(),
            token.made_by.clone(),
            token.expires_at.map(Timestamp::as_millisecond),
        );
        self.write(move |ledger| Ok(ledger.execute(ADD_TOKEN, row)? > 0)).await
    }

    async fn token(&self, secret: &Hashed, now: Timestamp) -> Result<Option<Token>, AccountsError> {
        let secret = secret.0.clone();
        let question = format!("{TOKEN} WHERE secret = ?1");
        let found = self.read(move |ledger| ledger.query_row(&question, [secret], token).optional());
        Ok(found.await?.filter(|token| token.holds(now)))
    }

    async fn use_token(&self, name: &str, at: Timestamp) -> Result<(), AccountsError> {
        let values = (name.to_owned(), at.as_millisecond());
        let set = "UPDATE tokens SET used_at = ?2 WHERE name = ?1";
        self.write(move |ledger| ledger.execute(set, values).map(drop)).await
    }

    async fn remove_token(&self, name: &str) -> Result<bool, AccountsError> {
        let name = name.to_owned();
        let remove = "DELETE FROM tokens WHERE name = ?1";
        self.write(move |ledger| Ok(ledger.execute(remove, [name])? > 0)).await
    }

    async fn note(&self, audited: &Audited) -> Result<(), AccountsError> {
        let row = (
            audited.at.as_millisecond(),
            audited.who.clone(),
            audited.from.clone(),
            audited.what.clone(),
            audited.outcome.name(),
            audited.detail.clone(),
        );
        let kept = i64::try_from(AUDIT_KEPT).unwrap_or(i64::MAX);
        self.write(move |ledger| {
            ledger.execute(NOTE, row)?;
            let newest = ledger.last_insert_rowid();
            ledger.execute("DELETE FROM audit WHERE number <= ?1", [newest - kept])?;
            Ok(())
        })
        .await
    }

    async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, AccountsError> {
        let before = before.map(|before| i64::try_from(before).unwrap_or(i64::MAX));
        self.read(move |ledger| {
            let mut entries = ledger.prepare(AUDIT)?;
            entries.query_map(params![before, limit], entry)?.collect()
        })
        .await
    }
}

type UserRow = (String, &'static str, String, i64, String);

fn user_row(user: &User, password: &Hashed) -> UserRow {
    (
        user.name.clone(),
        user.role.name(),
        password.0.clone(),
        user.made_at.as_millisecond(),
        user.made_by.clone(),
    )
}

fn is_last_admin(ledger: &Connection, name: &str) -> rusqlite::Result<bool> {
    let question = "SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1 AND role = 'admin')
        AND NOT EXISTS (SELECT 1 FROM users WHERE name <> ?1 AND role = 'admin')";
    ledger.query_row(question, [name], |row| row.get(0))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends what may fail")]
fn changed(rows: usize) -> rusqlite::Result<Changed> {
    Ok(if rows > 0 { Changed::Done } else { Changed::Unknown })
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis = row.get(column)?;
    Timestamp::from_millisecond(millis).map_err(|error| unreadable(column, error))
}

fn moment_if(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let millis: Option<i64> = row.get(column)?;
    millis.map(|_| moment(row, column)).transpose()
}

fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    let name: String = row.get(column)?;
    name.parse().map_err(|error: String| unreadable(column, error))
}

/// What is there is not what this version writes.
fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        name: row.get(0)?,
        role: role(row, 1)?,
        made_at: moment(row, 2)?,
        made_by: row.get(3)?,
        signed_in_at: moment_if(row, 4)?,
    })
}

fn session(row: &Row<'_>) -> rusqlite::Result<(Session, User)> {
    let user = user(row)?;
    let session = Session {
        id: Hashed(row.get(5)?),
        user: user.name.clone(),
        since: moment(row, 6)?,
        used_at: moment(row, 7)?,
    };
    Ok((session, user))
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        name: row.get(0)?,
        role: role(row, 1)?,
        made_at: moment(row, 2)?,
        made_by: row.get(3)?,
        expires_at: moment_if(row, 4)?,
        used_at: moment_if(row, 5)?,
    })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let number: i64 = row.get(0)?;
    let outcome: String = row.get(5)?;
    Ok(AuditEntry {
        number: number.unsigned_abs(),
        audited: Audited {
            at: moment(row, 1)?,
            who: row.get(2)?,
            from: row.get(3)?,
            what: row.get(4)?,
            outcome: match outcome.as_str() {
                "done" => Outcome::Done,
                "refused" => Outcome::Refused,
                _ => Outcome::Failed,
            },
            detail: row.get(6)?,
        },
    })
}

fn into_accounts(error: JournalError) -> AccountsError {
    AccountsError {
        place: error.path,
        doing: error.doing,
        cause: error.cause,
    }
}
