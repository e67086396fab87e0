//! Accounts: who may ask the service over the network, how he proves it, and what was asked.
//!
//! Nothing that backs up or brings back reads them: whoever may open the service's socket needs no account. What is stored of
//! a secret is its hash alone, made by whoever calls; nothing here ever sees a password, a session's id or a token.

use std::str::FromStr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A session that nobody has used for so long is over.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(12);

/// A session that is so old is over, however much it is used.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// So many entries of the audit stay, the newest.
pub const AUDIT_KEPT: u64 = 100_000;

/// What somebody may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Back up, verify, cancel, switch schedules, protect.
    Operator,
    /// Restore, undo, free old data, delete; users and tokens.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Its name, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|role| role.name() == name);
        known.ok_or_else(|| format!("`{name}` is none of viewer, operator, admin"))
    }
}

/// Somebody who signs in with a password. Names that differ in the case of ASCII letters alone are one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// His name.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// Since when there is this user.
    pub made_at: Timestamp,
    /// Who made him.
    pub made_by: String,
    /// When he has signed in last.
    pub signed_in_at: Option<Timestamp>,
}

/// A sign-in that holds until its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The hash of its id.
    pub id: Hashed,
    /// Whose it is.
    pub user: String,
    /// When it began.
    pub since: Timestamp,
    /// When it was used last, give or take a minute.
    pub used_at: Timestamp,
}

impl Session {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now.duration_since(self.used_at) <= SESSION_IDLE && now.duration_since(self.since) <= SESSION_LIFE
    }
}

/// What a program proves itself by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Since when there is this token.
    pub made_at: Timestamp,
    /// Who made it.
    pub made_by: String,
    /// From when on it counts for nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, give or take a minute.
    pub used_at: Option<Timestamp>,
}

impl Token {
    /// Whether it still counts.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// The hash of a secret: of a session's id or a token the SHA-256 in hexadecimal, of a password what argon2 makes of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hashed(pub String);

/// Something that was asked for over the network, or of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    /// When.
    pub at: Timestamp,
    /// By whom; of a failed sign-in the name that was given.
    pub who: String,
    /// From which address; `local` of a command.
    pub from: String,
    /// What.
    pub what: String,
    /// What became of it.
    pub outcome: Outcome,
    /// More of that, for people.
    pub detail: Option<String>,
}

/// What became of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done, or taken in.
    Done,
    /// It was refused.
    Refused,
    /// It failed.
    Failed,
}

impl Outcome {
    /// Its name, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// An entry of the audit with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number: none is given twice.
    pub number: u64,
    /// What it says.
    #[serde(flatten)]
    pub audited: Audited,
}

/// What has become of a change to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is made.
    Done,
    /// There is no such user.
    Unknown,
    /// It was not made: no administrator would be left.
    LastAdmin,
}

/// Why accounts could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the accounts in {place} cannot be {doing}: {cause}")]
pub struct AccountsError {
    /// The file.
    pub place: String,
    /// `read` or `written`.
    pub doing: &'static str,
    /// The system's own words.
    pub cause: String,
}

/// Who may ask, and what was asked.
///
/// What was written is read by every process of the host from then on and outlives the death of the host. Every change is
/// made wholly or not at all, also where two processes change the same.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Where they are, for messages.
    fn place(&self) -> String;

    /// All users, by name.
    async fn users(&self) -> Result<Vec<User>, AccountsError>;

    /// The user of this name and the hash of his password.
    async fn user(&self, name: &str) -> Result<Option<(User, Hashed)>, AccountsError>;

    /// Makes a user. False: there is one of this name.
    async fn add_user(&self, user: &User, password: &Hashed) -> Result<bool, AccountsError>;

    /// Makes a user if there is none at all. False: there is one.
    async fn add_first_user(&self, user: &User, password: &Hashed) -> Result<bool, AccountsError>;

    /// Sets the password of a user and ends all sessions of his. False: there is no such user.
    async fn set_password(&self, name: &str, password: &Hashed) -> Result<bool, AccountsError>;

    /// Sets the role of a user; it counts at once, also in sessions that have begun.
    async fn set_role(&self, name: &str, role: Role) -> Result<Changed, AccountsError>;

    /// Removes a user with his sessions.
    async fn remove_user(&self, name: &str) -> Result<Changed, AccountsError>;

    /// Begins a session, notes that its user has signed in, and forgets the sessions that are over. False: there is no such
    /// user.
    async fn begin_session(&self, session: &Session) -> Result<bool, AccountsError>;

    /// The session with this id that holds now, with its user as he is now.
    async fn session(&self, id: &Hashed, now: Timestamp) -> Result<Option<(Session, User)>, AccountsError>;

    /// Notes that a session was used.
    async fn use_session(&self, id: &Hashed, at: Timestamp) -> Result<(), AccountsError>;

    /// Ends a session.
    async fn end_session(&self, id: &Hashed) -> Result<(), AccountsError>;

    /// All tokens, by name, also those that have expired.
    async fn tokens(&self) -> Result<Vec<Token>, AccountsError>;

    /// Makes a token. False: there is one of this name.
    async fn add_token(&self, token: &Token, secret: &Hashed) -> Result<bool, AccountsError>;

    /// The token of this secret that counts now.
    async fn token(&self, secret: &Hashed, now: Timestamp) -> Result<Option<Token>, AccountsError>;

    /// Notes that a token was used.
    async fn use_token(&self, name: &str, at: Timestamp) -> Result<(), AccountsError>;

    /// Removes a token. False: there is no such token.
    async fn remove_token(&self, name: &str) -> Result<bool, AccountsError>;

    /// Adds to the audit. What is there is never changed; the oldest go when there are more than [`AUDIT_KEPT`].
    async fn note(&self, audited: &Audited) -> Result<(), AccountsError>;

    /// At most `limit` entries of the audit whose number is below `before`, the newest first.
    async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, AccountsError>;
}
