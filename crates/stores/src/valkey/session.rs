//! One connection to one server. Every command has a deadline, and nothing that is asked here writes
//! to a database: the commands of this store are those that a monitor asks.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, Value};
use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Clock, EngineError, Overdue, within};
use stillpoint_core::stores::Cx;
use tokio_util::task::AbortOnDropHandle;

/// How long a login may take.
const LOGIN: Duration = Duration::from_secs(15);

/// The name by which the server's list of clients tells us from others.
pub(super) const NAME: &str = "stillpoint";

/// Who we are to the server.
#[derive(Clone)]
pub(super) struct Login {
    /// The user; the server's `default` if none.
    pub(super) user: Option<String>,
    /// Its password, if it needs one.
    pub(super) password: Option<SecretString>,
}

/// An open connection. It ends when it is dropped.
pub(super) struct Session {
    connection: MultiplexedConnection,
    clock: Arc<dyn Clock>,
    /// How long any answer may take.
    limit: Duration,
    _driver: AbortOnDropHandle<()>,
}

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It refused who we are, or that we may do this.
    #[error("{0}")]
    Refused(String),
    /// It reads its data and answers nothing else meanwhile.
    #[error("it is loading its data")]
    Loading,
    /// It answered with an error.
    #[error("{0}")]
    Answer(String),
    /// The connection broke, or never came about.
    #[error("{0}")]
    Broken(String),
    /// It took too long.
    #[error(transparent)]
    Overdue(#[from] Overdue),
    /// It could not be reached.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Session {
    /// Connects and logs in, and is known by [`NAME`].
    pub(super) async fn open(cx: &Cx, workload: &WorkloadId, port: u16, login: &Login) -> Result<Self, Trouble> {
        let session = Self::enter(cx, workload, port, login).await?;
        let named = session.ask(&["CLIENT", "SETNAME", NAME]);
        within(&*cx.clock, LOGIN, "the login", named).await??;
        Ok(session)
    }

    /// Connects and logs in. Without a password the server is not asked whether it lets us in.
    pub(super) async fn enter(cx: &Cx, workload: &WorkloadId, port: u16, login: &Login) -> Result<Self, Trouble> {
        let stream = cx.reach.dial(workload, port).await?;
        let identity = RedisConnectionInfo::default().set_skip_set_lib_name();
        // Deadlines are ours: the client's own half a second is too short for a fork of a large server.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opening = MultiplexedConnection::new_with_config(&identity, stream, config);
        let opened = within(&*cx.clock, LOGIN, "the login", opening).await?;
        let (connection, driver) = opened.map_err(|error| trouble(&error))?;
        let session = Self {
            connection,
            clock: cx.clock.clone(),
            limit: cx.idle_limit,
            _driver: AbortOnDropHandle::new(tokio::spawn(driver)),
        };
        within(&*cx.clock, LOGIN, "the login", session.log_in(login)).await??;
        Ok(session)
    }

    async fn log_in(&self, login: &Login) -> Result<(), Trouble> {
        if let Some(password) = &login.password {
            let user = login.user.as_deref();
            let words: Vec<&str> = ["AUTH"]
                .into_iter()
                .chain(user)
                .chain([password.expose_secret()])
                .collect();
            match self.ask(&words).await {
                // A password in the container's environment need not have reached its server.
                Err(Trouble::Answer(answer)) if answer.contains("without any password") => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    /// Asks one command.
    pub(super) async fn ask(&self, words: &[&str]) -> Result<Value, Trouble> {
        let mut command = Cmd::new();
        for word in words {
            command.arg(*word);
        }
        let mut connection = self.connection.clone();
        let what = words.first().copied().unwrap_or_default();
        let answer = within(
            &*self.clock,
            self.limit,
            what,
            command.query_async::<Value>(&mut connection),
        );
        answer.await?.map_err(|error| trouble(&error))
    }

    /// Asks one command whose answer is a text.
    pub(super) async fn text(&self, words: &[&str]) -> Result<String, Trouble> {
        Ok(text(&self.ask(words).await?))
    }

    /// A setting of the server; empty if it knows none of that name.
    pub(super) async fn setting(&self, name: &str) -> Result<String, Trouble> {
        let answer = self.ask(&["CONFIG", "GET", name]).await?;
        Ok(items(&answer).get(1).map(text).unwrap_or_default())
    }
}

/// An answer as text. What is not text is empty: the server keeps its types.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Okay => "OK".to_owned(),
        _ => String::new(),
    }
}

/// An answer as a list.
pub(super) fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) | Value::Set(items) => items,
        _ => &[],
    }
}

/// The words of the server decide: the client's kinds of error are too coarse.
fn trouble(error: &RedisError) -> Trouble {
    let Some(code) = error.code() else {
        return Trouble::Broken(error.to_string());
    };
    let message = format!("{code} {}", error.detail().unwrap_or_default())
        .trim_end()
        .to_owned();
    match code {
        "WRONGPASS" | "NOAUTH" | "NOPERM" => Trouble::Refused(message),
        "LOADING" => Trouble::Loading,
        // Servers before version 6 know no WRONGPASS.
        "ERR" if message.contains("invalid password") => Trouble::Refused(message),
        // Protected mode, or too many clients: the connection ends with it.
        "DENIED" => Trouble::Broken(message),
        _ => Trouble::Answer(message),
    }
}

#[cfg(test)]
mod tests {
    use redis::{ErrorKind, ServerErrorKind};

    use super::*;

    #[test]
    fn what_the_server_says_decides_what_went_wrong() {
        let of = |kind, text: &str| trouble(&RedisError::from((kind, "", text.to_owned())));
        let broken = of(ErrorKind::Io, "reset by peer");
        assert!(matches!(broken, Trouble::Broken(_)), "{broken:?}");
        let loading = of(ErrorKind::Server(ServerErrorKind::BusyLoading), "loading");
        assert!(matches!(loading, Trouble::Loading), "{loading:?}");
        let refused = of(ErrorKind::Server(ServerErrorKind::NoPerm), "no BGSAVE for you");
        assert!(matches!(refused, Trouble::Refused(_)), "{refused:?}");
        let old = of(ErrorKind::Server(ServerErrorKind::ResponseError), "invalid password");
        assert!(matches!(old, Trouble::Refused(_)), "{old:?}");
    }
}
