//! Accounts in memory, which a test can break.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{
    AccountsError, AuditEntry, Audited, Changed, Hashed, Role, Session, Token, User,
};

use super::lock;

/// Accounts. Clones share them.
#[derive(Clone, Default)]
pub struct FakeAccounts {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// By name in small letters.
    users: BTreeMap<String, (User, Hashed)>,
    sessions: BTreeMap<Hashed, Session>,
    tokens: BTreeMap<String, (Token, Hashed)>,
    audit: Vec<AuditEntry>,
    is_broken: bool,
}

impl Kept {
    fn is_last_admin(&self, name: &str) -> bool {
        let mut admins = self.users.iter().filter(|(_, (user, _))| user.role == Role::Admin);
        let one = admins.next();
        one.is_some_and(|(key, _)| key == name) && admins.next().is_none()
    }
}

impl FakeAccounts {
    /// From now on nothing can be read or written; or it can again.
    pub fn is_broken(&self, is_broken: bool) {
        lock(&self.kept).is_broken = is_broken;
    }

    fn with<T>(&self, doing: &'static str, act: impl FnOnce(&mut Kept) -> T) -> Result<T, AccountsError> {
        let mut kept = lock(&self.kept);
        if kept.is_broken {
            return Err(AccountsError {
                place: self.place(),
                doing,
                cause: "the disk is gone".to_owned(),
            });
        }
        Ok(act(&mut kept))
    }
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[async_trait]
impl Accounts for FakeAccounts {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn users(&self) -> Result<Vec<User>, AccountsError> {
        self.with("read", |kept| {
            kept.users.values().map(|(user, _)| user.clone()).collect()
        })
    }

    async fn user(&self, name: &str) -> Result<Option<(User, Hashed)>, AccountsError> {
        self.with("read", |kept| kept.users.get(&key(name)).cloned())
    }

    async fn add_user(&self, user: &User, password: &Hashed) -> Result<bool, AccountsError> {
        self.with("written", |kept| {
            let is_new = !kept.users.contains_key(&key(&user.name));
            if is_new {
                kept.users.insert(key(&user.name), (user.clone(), password.clone()));
            }
            is_new
        })
    }

    async fn add_first_user(&self, user: &User, password: &Hashed) -> Result<bool, AccountsError> {
        self.with("written", |kept| {
            let is_first = kept.users.is_empty();
            if is_first {
                kept.users.insert(key(&user.name), (user.clone(), password.clone()));
            }
            is_first
        })
    }

    async fn set_password(&self, name: &str, password: &Hashed) -> Result<bool, AccountsError> {
        self.with("written", |kept| {
            kept.sessions.retain(|_, session| key(&session.user) != key(name));
            let user = kept.users.get_mut(&key(name));
            user.map(|(_, kept)| *kept = password.clone()).is_some()
        })
    }

    async fn set_role(&self, name: &str, role: Role) -> Result<Changed, AccountsError> {
        self.with("written", |kept| {
            if role != Role::Admin && kept.is_last_admin(&key(name)) {
                return Changed::LastAdmin;
            }
            match kept.users.get_mut(&key(name)) {
                Some((user, _)) => {
                    user.role = role;
                    Changed::Done
                }
                None => Changed::Unknown,
            }
        })
    }

    async fn remove_user(&self, name: &str) -> Result<Changed, AccountsError> {
        self.with("written", |kept| {
            if kept.is_last_admin(&key(name)) {
                return Changed::LastAdmin;
            }
            kept.sessions.retain(|_, session| key(&session.user) != key(name));
            match kept.users.remove(&key(name)) {
                Some(_) => Changed::Done,
                None => Changed::Unknown,
            }
        })
    }

    async fn begin_session(&self, session: &Session) -> Result<bool, AccountsError> {
        self.with("written", |kept| {
            kept.sessions.retain(|_, kept| kept.holds(session.since));
            let Some((user, _)) = kept.users.get_mut(&key(&session.user)) else {
                return false;
            };
            user.signed_in_at = Some(session.since);
            let begun = Session {
                user: user.name.clone(),
                ..session.clone()
            };
            kept.sessions.insert(session.id.clone(), begun);
            true
        })
    }

    async fn session(&self, id: &Hashed, now: Timestamp) -> Result<Option<(Session, User)>, AccountsError> {
        self.with("read", |kept| {
            let session = kept.sessions.get(id).filter(|session| session.holds(now))?;
            let (user, _) = kept.users.get(&key(&session.user))?;
            Some((session.clone(), user.clone()))
        })
    }

    async fn use_session(&self, id: &Hashed, at: Timestamp) -> Result<(), AccountsError> {
        self.with("written", |kept| {
            if let Some(session) = kept.sessions.get_mut(id) {
                session.used_at = at;
            }
        })
    }

    async fn end_session(&self, id: &Hashed) -> Result<(), AccountsError> {
        self.with("written", |kept| drop(kept.sessions.remove(id)))
    }

    async fn tokens(&self) -> Result<Vec<Token>, AccountsError> {
        self.with("read", |kept| {
            kept.tokens.values().map(|(token, _)| token.clone()).collect()
        })
    }

    async fn add_token(&self, token: &Token, secret: &Hashed) -> Result<bool, AccountsError> {
        self.with("written", |kept| {
            let is_new = !kept.tokens.contains_key(&key(&token.name));
            if is_new {
                kept.tokens.insert(key(&token.name), (token.clone(), secret.clone()));
            }
            is_new
        })
    }

    async fn token(&self, secret: &Hashed, now: Timestamp) -> Result<Option<Token>, AccountsError> {
        self.with("read", |kept| {
            let mut tokens = kept
                .tokens
                .values()
                .filter(|(token, kept)| kept == secret && token.holds(now));
            tokens.next().map(|(token, _)| token.clone())
        })
    }

    async fn use_token(&self, name: &str, at: Timestamp) -> Result<(), AccountsError> {
        self.with("written", |kept| {
            if let Some((token, _)) = kept.tokens.get_mut(&key(name)) {
                token.used_at = Some(at);
            }
        })
    }

    async fn remove_token(&self, name: &str) -> Result<bool, AccountsError> {
        self.with("written", |kept| kept.tokens.remove(&key(name)).is_some())
    }

    async fn note(&self, audited: &Audited) -> Result<(), AccountsError> {
        self.with("written", |kept| {
            let number = kept.audit.len() as u64 + 1;
            let audited = audited.clone();
            kept.audit.push(AuditEntry { number, audited });
        })
    }

    async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, AccountsError> {
        self.with("read", |kept| {
            let newest = kept.audit.iter().rev();
            let wanted = newest.filter(|entry| before.is_none_or(|before| entry.number < before));
            wanted.take(limit as usize).cloned().collect()
        })
    }
}
