//! Who we are to the server and how we reach it: found in the container's environment, overridden
//! by our own. Every connection of this store is opened here.

use secrecy::SecretString;
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::names::StoreName;
use stillpoint_core::ports::{Cx, EngineError, StoreError, within};
use stillpoint_core::workload::Workload;
use stillpoint_pg::{Endpoint, Login, PgError, Session};

use super::PostgresStore;
use super::tools::Tool;
use crate::Setting;
use crate::toolbox::{Doing, collect, guarded};

const PORT: u16 = 5432;

/// Labels of the store's container that override what it was started with. The file is one inside the
/// container: whoever may label a container must not choose files of the host for us to read.
const USER_LABEL: &str = "stillpoint.user";
const PASSWORD_FILE_LABEL: &str = "stillpoint.password_file";

/// The database from which others are renamed, created and dropped: it exists on every server and
/// nobody keeps data in it.
pub(super) const MAINTENANCE: &str = "template1";

/// Settings without which a session of ours could be ended from outside.
const SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
    SET lock_timeout = '60s'; SET search_path = pg_catalog; SET client_min_messages = warning";

/// What the container and our environment say about the login.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) user: String,
    password: Password,
    /// The variable that overrides the password.
    variable: String,
}

#[derive(Clone)]
enum Password {
    /// The server is open to us, as far as its container says.
    None,
    Known(SecretString),
    /// A path inside the container (Docker secrets).
    InFile(SecretString),
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Self {
        use secrecy::ExposeSecret;
        let own = |name: &str| workload.environment.get(name).cloned();
        let label = |name: &str| workload.labels.get(name).cloned().map(SecretString::from);
        let variable = crate::variable(store.as_str(), "PASSWORD");
        let user = setting(&crate::variable(store.as_str(), "USER"))
            .or_else(|| label(USER_LABEL))
            .or_else(|| own("POSTGRES_USER"));
        let found = || own("POSTGRES_PASSWORD").map(Password::Known);
        let in_file = |path: Option<SecretString>| path.map(Password::InFile);
        let password = setting(&variable)
            .map(Password::Known)
            .or_else(|| in_file(label(PASSWORD_FILE_LABEL)))
            .or_else(found)
            .or_else(|| in_file(own("POSTGRES_PASSWORD_FILE")))
            .unwrap_or(Password::None);
        let user = user.map_or_else(|| "postgres".to_owned(), |user| user.expose_secret().to_owned());
        Self {
            user,
            password,
            variable,
        }
    }
}

impl PostgresStore {
    /// Connects to a database of the server.
    pub(super) async fn open(&self, cx: &Cx, database: &str) -> Result<Session, StoreError> {
        let session = self
            .endpoint(cx)
            .await?
            .open(database)
            .await
            .map_err(|error| self.login_failed(error))?;
        let set = session.run(cx.idle_limit, SETTINGS).await;
        set.map_err(|error| server("preparing a session", error))?;
        Ok(session)
    }

    async fn endpoint(&self, cx: &Cx) -> Result<Endpoint, StoreError> {
        let login = Login {
            user: self.access.user.clone(),
            password: self.password(cx).await?,
        };
        Ok(Endpoint {
            reach: cx.reach.clone(),
            clock: cx.clock.clone(),
            workload: self.workload.clone(),
            port: PORT,
            login,
        })
    }

    /// The password, read from inside the container where it is a Docker secret.
    pub(super) async fn password(&self, cx: &Cx) -> Result<Option<SecretString>, StoreError> {
        use secrecy::ExposeSecret;
        match &self.access.password {
            Password::None => Ok(None),
            Password::Known(password) => Ok(Some(password.clone())),
            Password::InFile(path) => {
                let command = stillpoint_core::ports::Command::new(["cat", path.expose_secret()]);
                let process = cx.shell.exec(&self.workload, command).await?;
                let doing = Doing {
                    what: "reading the file of the password",
                    tool: Tool::Cat.program(),
                };
                let text = collect(cx, doing, process).await?;
                Ok(Some(SecretString::from(text.trim_end_matches('\n'))))
            }
        }
    }

    /// Waits until the server takes connections: after a start it may recover for minutes.
    pub(super) async fn wait_until_ready(&self, cx: &Cx) -> Result<(), StoreError> {
        let attempts = async {
            loop {
                match self.open(cx, MAINTENANCE).await {
                    Ok(session) => {
                        session.close().await;
                        return Ok(());
                    }
                    Err(StoreError::Silent { .. } | StoreError::Engine(EngineError::Refused { .. })) => {}
                    Err(error) => return Err(error),
                }
                guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
            }
        };
        let what = format!("{} taking connections", self.name);
        within(&*cx.clock, STORE_READY, &what, attempts).await?
    }

    fn login_failed(&self, error: PgError) -> StoreError {
        let store = self.name.clone();
        match error {
            PgError::Refused(cause) => {
                let variable = &self.access.variable;
                let remedy = format!(
                    "set {variable} (or {variable}_FILE) to the password of `{}`",
                    self.access.user
                );
                StoreError::Credential {
                    store,
                    user: self.access.user.clone(),
                    cause,
                    remedy,
                }
            }
            PgError::Engine(error @ EngineError::Refused { .. }) => StoreError::Silent {
                store,
                cause: error.to_string(),
            },
            PgError::NotReady(cause) | PgError::Broken(cause) => StoreError::Silent { store, cause },
            PgError::Overdue(overdue) => StoreError::Silent {
                store,
                cause: overdue.to_string(),
            },
            PgError::Engine(error) => StoreError::Engine(error),
            error @ PgError::Statement { .. } => server("logging in", error),
        }
    }
}

/// An error of the server, with what it was asked.
pub(super) fn server(doing: impl Into<String>, error: PgError) -> StoreError {
    match error {
        PgError::Engine(error) => StoreError::Engine(error),
        PgError::Overdue(overdue) => StoreError::Overdue(overdue),
        error => StoreError::Server {
            doing: doing.into(),
            cause: error.to_string(),
        },
    }
}
