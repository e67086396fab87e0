//! Asking a server in SQL, over HTTP. Every question has a deadline, and one that nobody awaits any more is ended in the server.

use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use stillpoint_core::names::RunId;
use stillpoint_core::ports::{EngineError, within};
use stillpoint_core::stores::{Cx, StoreError};

use super::ClickhouseStore;
use super::http::{AGENT, Answer, Broken, Login, Rows, exchange};
use super::sql::{hidden, literal};
use crate::toolbox::cancellable;

/// How long ending what we have begun may take.
const ENDS: Duration = Duration::from_secs(5);

/// Exceptions that say that the login is not taken: `UNKNOWN_USER`, `WRONG_PASSWORD`, `REQUIRED_PASSWORD`,
/// `AUTHENTICATION_FAILED`.
const LOGIN: [u32; 4] = [192, 193, 194, 516];

/// `ACCESS_DENIED`.
pub(super) const DENIED: u32 = 497;

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server refused, in its own words.
    Refused { code: u32, message: String },
    /// It does not answer, or not as such a server does.
    Silent(Broken),
    /// Everything else.
    Store(StoreError),
}

impl Trouble {
    /// The code of the server's exception.
    pub(super) fn code(&self) -> Option<u32> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Silent(_) | Self::Store(_) => None,
        }
    }

    /// Whether the login was refused.
    pub(super) fn is_login(&self) -> bool {
        self.code().is_some_and(|code| LOGIN.contains(&code))
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Engine(EngineError::Refused { message, .. }) => Self::Silent(message.into()),
            error => Self::Store(error),
        }
    }
}

/// What our statements bear in the server: by it they are found after a death.
pub(super) fn comment(owner: &RunId) -> String {
    format!("{AGENT}-{owner}")
}

/// A server that is asked.
pub(super) struct Session<'a> {
    pub(super) cx: &'a Cx,
    store: &'a ClickhouseStore,
    login: Login,
}

impl<'a> Session<'a> {
    /// Whether the login is taken shows with the first statement.
    pub(super) fn of(cx: &'a Cx, store: &'a ClickhouseStore, login: Login) -> Self {
        Self { cx, store, login }
    }

    /// Carries a statement out.
    pub(super) async fn ask(&self, statement: &str) -> Result<Rows, Trouble> {
        self.ask_within(self.cx.idle_limit, statement).await
    }

    /// The same, with another limit.
    pub(super) async fn ask_within(&self, limit: Duration, statement: &str) -> Result<Rows, Trouble> {
        // No session of a server begins without its database; `default` may be set aside.
        let path = format!(
            "/?database=system&default_format=JSONCompactStrings&wait_end_of_query=1&log_comment={}",
            encoded(&comment(&self.cx.owner))
        );
        let cx = self.cx;
        let asked = within(
            &*cx.clock,
            limit,
            "the server's answer",
            self.exchange(&path, statement),
        );
        match cancellable(cx, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(overdue)) => {
                self.end_ours(&cx.owner).await;
                Err(Trouble::Store(overdue.into()))
            }
            Err(cancelled) => {
                self.end_ours(&cx.owner).await;
                Err(Trouble::Store(cancelled))
            }
        }
    }

    /// Carries a statement out that holds a secret; no error tells it.
    pub(super) async fn ask_secretly(
        &self,
        limit: Duration,
        statement: &str,
        secret: &SecretString,
    ) -> Result<Rows, Trouble> {
        let asked = self.ask_within(limit, statement).await;
        asked.map_err(|trouble| match trouble {
            Trouble::Refused { code, message } => Trouble::Refused {
                code,
                message: hidden(&message, secret),
            },
            Trouble::Silent(cause) => Trouble::Silent(hidden(&cause.to_string(), secret).into()),
            Trouble::Store(error) => Trouble::Store(error),
        })
    }

    /// Asks as somebody who may change no setting.
    pub(super) async fn ask_plainly(&self, statement: &str) -> Result<Rows, Trouble> {
        let path = "/?default_format=JSONCompactStrings";
        cancellable(self.cx, self.exchange(path, statement)).await?
    }

    /// Ends what a run of ours has at work in the server. What is not ended is not told: it has a limit of its own, or is found by
    /// the recovery of the run.
    pub(super) async fn end_ours(&self, owner: &RunId) {
        let kill = format!(
            "KILL QUERY WHERE Settings['log_comment'] = {} ASYNC",
            literal(&comment(owner))
        );
        let path = "/?database=system&default_format=JSONCompactStrings";
        let _ = within(&*self.cx.clock, ENDS, "ending a statement", self.exchange(path, &kill)).await;
    }

    async fn exchange(&self, path: &str, statement: &str) -> Result<Rows, Trouble> {
        let stream = self.cx.reach.dial(&self.store.workload, self.store.access.port).await;
        let stream = stream.map_err(StoreError::Engine)?;
        let statement = Bytes::copy_from_slice(statement.as_bytes());
        match Box::pin(exchange(stream, path, &self.login, statement)).await {
            Ok(Answer::Rows(rows)) => Ok(rows),
            Ok(Answer::Refused(code, message)) => Err(Trouble::Refused { code, message }),
            Err(broken) => Err(Trouble::Silent(broken)),
        }
    }
}

/// A text in a URL's query (RFC 3986, 2.1).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A cell of a row; empty where there is none.
pub(super) fn cell(row: &[String], at: usize) -> &str {
    row.get(at).map_or("", String::as_str)
}

/// A cell as a number; 0 where it is none.
pub(super) fn number(row: &[String], at: usize) -> u64 {
    cell(row, at).parse().unwrap_or(0)
}

/// The first column.
pub(super) fn column(rows: Rows) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()).collect()
}

impl ClickhouseStore {
    /// The store's server.
    pub(super) async fn open<'a>(&'a self, cx: &'a Cx) -> Result<Session<'a>, StoreError> {
        let login = self.access.login(cx, &self.workload).await?;
        Ok(Session::of(cx, self, login))
    }

    /// An error of the server, with what it was asked.
    pub(super) fn failed(&self, doing: &str, trouble: Trouble) -> StoreError {
        let user = &self.access.user;
        match trouble {
            Trouble::Store(error) => error,
            Trouble::Silent(cause) => StoreError::Silent {
                store: self.name.clone(),
                cause,
            },
            Trouble::Refused { code, message } if LOGIN.contains(&code) => StoreError::Credential {
                store: self.name.clone(),
                user: user.clone(),
                cause: message,
                remedy: format!(
                    "set {variable} (or {variable}_FILE) to the password of `{user}`",
                    variable = self.access.variable
                ),
            },
            Trouble::Refused { code: DENIED, message } => StoreError::Unfit(format!(
                "{}: {doing}: `{user}` may not: {}: grant it, or set another user",
                self.name,
                message.trim_end_matches(" (ACCESS_DENIED)")
            )),
            Trouble::Refused { message, .. } => StoreError::Server {
                doing: doing.to_owned(),
                cause: message.into(),
            },
        }
    }

    /// Asks, and says what for where it fails.
    pub(super) async fn asked(&self, session: &Session<'_>, doing: &str, statement: &str) -> Result<Rows, StoreError> {
        session
            .ask(statement)
            .await
            .map_err(|trouble| self.failed(doing, trouble))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u32) -> Trouble {
        Trouble::Refused {
            code,
            message: "No.".into(),
        }
    }

    #[test]
    fn the_code_tells_what_was_refused() {
        for code in [192, 193, 194, 516] {
            assert!(refused(code).is_login(), "{code}");
        }
        assert!(!refused(497).is_login() && !refused(60).is_login());
        assert!(!Trouble::Silent("x".into()).is_login());
    }

    #[test]
    fn what_is_no_answer_is_silence() {
        let away = EngineError::Refused {
            doing: "dialling".into(),
            status: 500,
            message: "connection refused".into(),
        };
        assert!(matches!(Trouble::from(StoreError::Engine(away)), Trouble::Silent(_)));
    }

    #[test]
    fn texts_and_cells_are_taken_as_they_are() {
        assert_eq!(encoded("stillpoint-a b/é"), "stillpoint-a%20b%2F%C3%A9");
        let row = vec!["a".to_owned(), "18446744073709551615".to_owned()];
        assert_eq!(
            (cell(&row, 0), number(&row, 1), cell(&row, 7), number(&row, 0)),
            ("a", u64::MAX, "", 0)
        );
    }
}
