//! One connection to one database. Every statement has a deadline and its error is returned; a
//! session that is dropped closes its connection, which ends its transaction on the server.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Clock, EngineError, Overdue, Process, Reach, within};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::psql::{Psql, Row};

/// How long a login may take.
pub(crate) const LOGIN: Duration = Duration::from_secs(15);

/// What in the server says, once `pg_hba.conf` has let us in, that there is no such role or that it may not log in
/// (`src/backend/utils/init/miscinit.c`).
const ROLE_IS_LOOKED_UP: &str = "InitializeSessionUserId";

/// Who we are to the server.
#[derive(Clone, Debug)]
pub struct Login {
    /// The role.
    pub user: String,
    /// Its password, if it needs one.
    pub password: Option<SecretString>,
}

/// A server in a container.
#[derive(Clone)]
pub struct Endpoint {
    /// Dials it.
    pub reach: Arc<dyn Reach>,
    /// Measures deadlines.
    pub clock: Arc<dyn Clock>,
    /// The container.
    pub workload: WorkloadId,
    /// The port that it listens on.
    pub port: u16,
    /// Who we are.
    pub login: Login,
    /// Settings that hold from the first moment, above those of database and role: `-c name=value …`.
    pub options: String,
}

/// An open connection.
pub struct Session {
    clock: Arc<dyn Clock>,
    way: Way,
}

/// By what a session talks.
enum Way {
    Wire(Box<Wire>),
    Psql(Mutex<Psql>),
}

struct Wire {
    client: Client,
    driver: JoinHandle<()>,
    endpoint: Endpoint,
}

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// It refused the login: password, role or database.
    #[error("{message}")]
    Refused {
        /// The server's own words.
        message: String,
        /// Appendix A of the manual.
        code: String,
    },
    /// Nobody like us may log in from where we are, says `pg_hba.conf`.
    #[error("{0}")]
    NotFromHere(String),
    /// It is there and takes no connections yet (or no more).
    #[error("{0}")]
    NotReady(String),
    /// It answered a statement with an error.
    #[error("{message} (SQLSTATE {code})")]
    Statement {
        /// The server's own words, with detail and hint.
        message: String,
        /// Appendix A of the manual.
        code: String,
    },
    /// A program in its container failed.
    #[error("{doing}: {tool} ended with exit code {code}: {errors}")]
    Tool {
        /// What it was to do.
        doing: String,
        /// The program.
        tool: String,
        /// Its exit code.
        code: i64,
        /// The end of its error output.
        errors: String,
    },
    /// The connection broke.
    #[error("the connection to PostgreSQL broke: {0}")]
    Broken(String),
    /// It took too long.
    #[error(transparent)]
    Overdue(#[from] Overdue),
    /// It could not be reached.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Endpoint {
    /// Connects to a database.
    pub async fn open(&self, database: &str) -> Result<Session, PgError> {
        let stream = self.reach.dial(&self.workload, self.port).await?;
        let mut config = Config::new();
        config
            .user(&self.login.user)
            .dbname(database)
            .application_name("stillpoint")
            .options(&self.options);
        if let Some(password) = &self.login.password {
            config.password(password.expose_secret());
        }
        let login = within(&*self.clock, LOGIN, "the login", config.connect_raw(stream, NoTls));
        let (client, connection) = login.await?.map_err(|error| login_error(&error))?;
        let driver = tokio::spawn(async move {
            // A broken connection shows as an error of the statement that waits for it.
            let _ = connection.await;
        });
        let endpoint = self.clone();
        Ok(Session {
            clock: self.clock.clone(),
            way: Way::Wire(Box::new(Wire {
                client,
                driver,
                endpoint,
            })),
        })
    }
}

impl Session {
    /// A session through a psql that was started as [`crate::PSQL`], in the database and as the role that its environment
    /// names, with its input open.
    pub async fn through(process: Process, clock: Arc<dyn Clock>) -> Result<Self, PgError> {
        let psql = Psql::of(process).ok_or_else(|| PgError::Broken("psql has no input".to_owned()))?;
        let session = Self {
            clock,
            way: Way::Psql(Mutex::new(psql)),
        };
        match session.run(LOGIN, "SELECT").await {
            Ok(()) => Ok(session),
            Err(error) => {
                session.abort().await;
                Err(error)
            }
        }
    }

    /// Runs statements whose results do not matter.
    pub async fn run(&self, limit: Duration, sql: &str) -> Result<(), PgError> {
        self.texts(limit, sql).await.map(|_| ())
    }

    /// Runs one query and returns its rows as text; NULL is none.
    pub async fn rows(&self, limit: Duration, sql: &str) -> Result<Vec<Vec<Option<String>>>, PgError> {
        self.texts(limit, sql).await
    }

    /// The first column of every row; NULL is the empty text.
    pub async fn column(&self, limit: Duration, sql: &str) -> Result<Vec<String>, PgError> {
        let rows = self.rows(limit, sql).await?;
        Ok(rows
            .into_iter()
            .map(|row| row.into_iter().next().flatten().unwrap_or_default())
            .collect())
    }

    /// The one value that a query returns; NULL and no row are the empty text.
    pub async fn value(&self, limit: Duration, sql: &str) -> Result<String, PgError> {
        Ok(self.column(limit, sql).await?.into_iter().next().unwrap_or_default())
    }

    async fn texts(&self, limit: Duration, sql: &str) -> Result<Vec<Row>, PgError> {
        let answer = async {
            match &self.way {
                Way::Wire(wire) => wire.ask(sql).await,
                Way::Psql(psql) => psql.lock().await.ask(sql).await,
            }
        };
        within(&*self.clock, limit, &named(sql), answer).await?
    }

    /// Ends a statement that may still run, then closes. A server goes on computing for a client
    /// that has left, so leaving is not enough.
    pub async fn abort(self) {
        match self.way {
            Way::Wire(wire) => wire.abort().await,
            Way::Psql(psql) => psql.into_inner().kill().await,
        }
    }

    /// Closes the connection and returns when it is closed. An open transaction is rolled back.
    pub async fn close(self) {
        match self.way {
            Way::Wire(wire) => wire.close().await,
            // One that does not hear is left to the end of the run.
            Way::Psql(psql) => drop(within(&*self.clock, LOGIN, "psql's end", psql.into_inner().close()).await),
        }
    }
}

/// A statement as a message names it: its beginning, and nothing of what it quotes, which may be a password.
fn named(sql: &str) -> String {
    let plain = sql.split(['\'', '$']).next().unwrap_or_default();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let begun: String = words.chars().take(NAMED).collect();
    let rest = if plain.len() < sql.len() || begun.len() < words.len() {
        "…"
    } else {
        ""
    };
    format!("the statement `{begun}{rest}`")
}

impl Wire {
    async fn ask(&self, sql: &str) -> Result<Vec<Row>, PgError> {
        let messages = self.client.simple_query(sql).await;
        let messages = messages.map_err(|error| statement_error(&error))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|column| row.get(column).map(ToOwned::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    async fn abort(self) {
        let Endpoint {
            reach,
            clock,
            workload,
            port,
            ..
        } = &self.endpoint;
        let token = self.client.cancel_token();
        let cancel = async {
            let stream = reach.dial(workload, *port).await.ok()?;
            token.cancel_query_raw(stream, NoTls).await.ok()
        };
        // If the server cannot be reached any more, nothing runs on it either.
        let _ = within(&**clock, LOGIN, "cancelling a statement", cancel).await;
        self.close().await;
    }

    async fn close(self) {
        let Self { client, driver, .. } = self;
        drop(client);
        // The driver says goodbye to the server and ends; it cannot fail in a way that matters now.
        let _ = driver.await;
    }
}

/// Characters of a statement that name it.
const NAMED: usize = 120;

/// What the client says of a server that asks for a password where none was given.
const PASSWORD_MISSING: &str = "password missing";

fn login_error(error: &tokio_postgres::Error) -> PgError {
    let Some(answer) = error.as_db_error() else {
        let said = chain(error);
        // Said by the client, which was given none; that the socket asks for none is common.
        return if said.contains(PASSWORD_MISSING) {
            PgError::NotFromHere("it asks for a password, and none is known".to_owned())
        } else {
            PgError::NotReady(said)
        };
    };
    let refused = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    // One code for two answers, in words of the server's own language: by where it was said they are told apart.
    let unlike = *answer.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    if unlike && answer.routine() != Some(ROLE_IS_LOOKED_UP) {
        PgError::NotFromHere(answer.message().to_owned())
    } else if unlike || refused.contains(answer.code()) {
        PgError::Refused {
            message: answer.message().to_owned(),
            code: answer.code().code().to_owned(),
        }
    } else {
        PgError::NotReady(answer.message().to_owned())
    }
}

fn statement_error(error: &tokio_postgres::Error) -> PgError {
    match error.as_db_error() {
        Some(answer) => {
            let parts = [Some(answer.message()), answer.detail(), answer.hint()];
            let message = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
            PgError::Statement {
                message,
                code: answer.code().code().to_owned(),
            }
        }
        None => PgError::Broken(chain(error)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_its_beginning_without_what_it_quotes() {
        assert_eq!(named("SELECT 1"), "the statement `SELECT 1`");
        let secret = named("ALTER ROLE app PASSWORD 'geheim'");
        assert_eq!(secret, "the statement `ALTER ROLE app PASSWORD…`");
        assert!(named(&format!("LOCK TABLE ONLY {}", "a_table, ".repeat(1000))).len() < 200);
    }
}
