//! What the access over a network port has at hand, and what is asked of it by pages.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{AccountsError, Audited, Hashed, Outcome, Role, SESSION_LIFE, Session, User};

use super::attempts::{Attempts, Wait};
use super::password::Passwords;
use super::rules::Rules;
use super::{manage, refusals, secrets};
use crate::platform::Platform;
use crate::wire::Problem;

/// The service's log.
pub type Say = Arc<dyn Fn(String) + Send + Sync>;

/// Access over a network port.
pub struct Access {
    pub(super) rules: Rules,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) passwords: Passwords,
    platform: Arc<dyn Platform>,
    attempts: Attempts,
    /// What the set-up link has to hold, as long as nobody has used it.
    set_up: Mutex<Option<Hashed>>,
    say: Say,
}

impl Access {
    /// Access by these rules, for those who have an account.
    pub fn new(rules: Rules, accounts: Arc<dyn Accounts>, platform: Arc<dyn Platform>, say: Say) -> Arc<Self> {
        Arc::new(Self {
            rules,
            accounts,
            passwords: Passwords::default(),
            platform,
            attempts: Attempts::default(),
            set_up: Mutex::default(),
            say,
        })
    }

    /// While there is no user: the path of a link by which the first one is made. It counts once, until this process ends.
    pub async fn set_up_link(&self) -> Result<Option<String>, AccountsError> {
        if !self.accounts.users().await?.is_empty() {
            return Ok(None);
        }
        let secret = secrets::fresh();
        *self.set_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(secrets::hashed(&secret));
        Ok(Some(format!("/setup/{secret}")))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.platform.now()
    }

    pub(super) fn warn_of(&self, done: Result<(), AccountsError>) {
        if let Err(error) = done {
            (self.say)(format!("warning: {error}"));
        }
    }

    /// Adds to the audit. What cannot be noted is told in the log: what was asked for is done all the same.
    pub(crate) async fn note(&self, audited: &Audited) {
        self.warn_of(self.accounts.note(audited).await);
    }

    /// The id of the session that a cookie names.
    pub(super) fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        let cookies = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut pairs = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|pair| pair.split_once('='));
        let named = pairs.find(|(name, _)| name.trim() == self.cookie_name());
        named.map(|(_, id)| id.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// A browser takes a name with this prefix only over TLS, for one host, and not from a neighbour of it.
    fn cookie_name(&self) -> &'static str {
        if self.rules.is_secure() {
            "__Host-stillpoint"
        } else {
            "stillpoint"
        }
    }

    fn set_cookie(&self, id: &str, seconds: i64) -> Option<HeaderValue> {
        let secure = if self.rules.is_secure() { "; Secure" } else { "" };
        let name = self.cookie_name();
        let cookie = format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&cookie).ok()
    }

    /// What makes a browser forget its session.
    pub(crate) fn forgotten(&self) -> Option<HeaderValue> {
        self.set_cookie("", 0)
    }

    /// Signs somebody in who knows the password. Returns the cookie.
    pub(crate) async fn sign_in(&self, name: &str, password: String, from: IpAddr) -> Result<HeaderValue, Problem> {
        if let Err(wait) = self.attempts.begin(from, name, self.now()) {
            return Err(self.refused_to_guess(name, from, wait).await);
        }
        let (user, kept) = self.accounts.user(name).await?.unzip();
        let is_it = self.passwords.is_it(password, kept).await?;
        let (Some(user), true) = (user, is_it) else {
            (self.say)(format!("sign-in of {} from {from} failed", shown(name)));
            self.note_sign_in(name, from, Outcome::Refused, Some("name or password is wrong"))
                .await;
            return Err(refusals::wrong_password());
        };
        self.attempts.succeeded(from, name);
        self.begin_session(&user, from).await
    }

    /// It is noted once: who guesses must not fill the audit.
    async fn refused_to_guess(&self, name: &str, from: IpAddr, wait: Wait) -> Problem {
        if wait.is_first {
            let (name, minutes) = (shown(name), wait.seconds.div_ceil(60));
            (self.say)(format!(
                "sign-in of {name} from {from} is refused for {minutes} min: too many attempts"
            ));
            self.note_sign_in(&name, from, Outcome::Refused, Some("too many attempts"))
                .await;
        }
        refusals::wait(wait)
    }

    async fn begin_session(&self, user: &User, from: IpAddr) -> Result<HeaderValue, Problem> {
        let (id, now) = (secrets::fresh(), self.now());
        let session = Session {
            id: secrets::hashed(&id),
            user: user.name.clone(),
            since: now,
            used_at: now,
        };
        if !self.accounts.begin_session(&session).await? {
            return Err(refusals::wrong_password());
        }
        self.note_sign_in(&user.name, from, Outcome::Done, None).await;
        self.set_cookie(&id, SESSION_LIFE.as_secs()).ok_or_else(refusals::busy)
    }

    async fn note_sign_in(&self, name: &str, from: IpAddr, outcome: Outcome, detail: Option<&str>) {
        let audited = Audited {
            at: self.now(),
            who: shown(name),
            from: from.to_string(),
            what: "sign in".to_owned(),
            outcome,
            detail: detail.map(ToOwned::to_owned),
        };
        self.note(&audited).await;
    }

    /// Whether this is the set-up link and nobody has used it. Fails where the service has users.
    pub(crate) async fn may_set_up(&self, secret: &str) -> Result<(), Problem> {
        let is_it = {
            let wanted = self.set_up.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.as_ref() == Some(&secrets::hashed(secret))
        };
        if !self.accounts.users().await?.is_empty() {
            return Err(refusals::is_set_up());
        }
        if is_it { Ok(()) } else { Err(refusals::no_set_up()) }
    }

    /// Makes the first user, an administrator, and signs him in. Returns the cookie. The link counts no longer.
    pub(crate) async fn set_up(
        &self,
        secret: &str,
        name: &str,
        password: String,
        from: IpAddr,
    ) -> Result<HeaderValue, Problem> {
        self.may_set_up(secret).await?;
        manage::check_name("user", name)?;
        let password = self.passwords.hashed(password).await?;
        let user = User {
            name: name.to_owned(),
            role: Role::Admin,
            made_at: self.now(),
            made_by: "set-up link".to_owned(),
            signed_in_at: None,
        };
        if !self.accounts.add_first_user(&user, &password).await? {
            return Err(refusals::is_set_up());
        }
        *self.set_up.lock().unwrap_or_else(PoisonError::into_inner) = None;
        (self.say)(format!("the service is set up: {name} is its first administrator"));
        self.note(&Audited {
            at: self.now(),
            who: name.to_owned(),
            from: from.to_string(),
            what: format!("make user {name} (admin) with the set-up link"),
            outcome: Outcome::Done,
            detail: None,
        })
        .await;
        self.begin_session(&user, from).await
    }

    /// Ends the session that a request names.
    pub(crate) async fn sign_out(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self.cookie(headers) {
            Some(id) => Ok(self.accounts.end_session(&secrets::hashed(&id)).await?),
            None => Ok(()),
        }
    }
}

/// A name that somebody has given, as it may stand in a log.
fn shown(name: &str) -> String {
    let plain = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    name.chars().take(64).map(plain).collect()
}
