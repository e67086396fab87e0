//! Who we are to the server and how we reach it: found in the container's environment, overridden
//! by our own. Every connection of this store is opened here.

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::names::StoreName;
use stillpoint_core::ports::{Cx, EngineError, StoreError, within};
use stillpoint_core::workload::Workload;
use stillpoint_pg::{Endpoint, Login, PgError, Session};

use super::PostgresStore;
use crate::Setting;
use crate::toolbox::{Secret, guarded};

pub(super) const PORT: u16 = 5432;

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
    password: Secret,
    /// The variable that overrides the password.
    variable: String,
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Self {
        let own = |name: &str| workload.environment.get(name).cloned();
        let set = |what: &str| setting(&crate::variable(store.as_str(), what));
        let user = set("USER").or_else(|| own("POSTGRES_USER"));
        let password = Secret::known(set("PASSWORD"))
            .or_else(|| Secret::in_file(set("PASSWORD_FILE")))
            .or_else(|| Secret::known(own("POSTGRES_PASSWORD")))
            .or_else(|| Secret::in_file(own("POSTGRES_PASSWORD_FILE")))
            .unwrap_or(Secret::None);
        let user = user.map_or_else(|| "postgres".to_owned(), |user| user.expose_secret().to_owned());
        Self {
            user,
            password,
            variable: crate::variable(store.as_str(), "PASSWORD"),
        }
    }
}

impl PostgresStore {
    /// Connects to a database of the server.
    pub(super) async fn open(&self, cx: &Cx, database: &str) -> Result<Session, StoreError> {
        let options = self.options(cx).await?;
        self.log_in(cx, database, options).await
    }

    /// The same with these options of the server alone.
    pub(super) async fn log_in(&self, cx: &Cx, database: &str, options: String) -> Result<Session, StoreError> {
        let session = self.enter(cx, database, options).await?;
        let set = session.run(cx.idle_limit, SETTINGS).await;
        set.map_err(|error| server("preparing a session", error))?;
        Ok(session)
    }

    pub(super) async fn endpoint(&self, cx: &Cx, options: String) -> Result<Endpoint, StoreError> {
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
            options,
        })
    }

    /// The password, read from inside the container where it is a Docker secret.
    pub(super) async fn password(&self, cx: &Cx) -> Result<Option<SecretString>, StoreError> {
        self.access.password.read(cx, &self.workload).await
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

    pub(super) fn login_failed(&self, error: PgError) -> StoreError {
        let store = self.name.clone();
        match error {
            PgError::Refused { message: cause, .. } | PgError::NotFromHere(cause) => {
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

/// Runs statements in one transaction.
pub(super) async fn all_or_nothing(
    cx: &Cx,
    session: &Session,
    doing: &str,
    statements: &[String],
) -> Result<(), StoreError> {
    let all = ["BEGIN"].into_iter().chain(statements.iter().map(String::as_str));
    for statement in all.chain(["COMMIT"]) {
        if let Err(error) = session.run(cx.idle_limit, statement).await {
            // What failed first is what is told.
            drop(session.run(cx.idle_limit, "ROLLBACK").await);
            return Err(server(doing, error));
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::labels::tests::{container, settings_of};

    /// User and password; a file's path with `file` before it.
    fn login(labels: &[(&str, &str)], above: &[(&'static str, &'static str)]) -> (String, String) {
        let environment = ["POSTGRES_USER=own", "POSTGRES_PASSWORD=own"];
        let workload = container(labels, &environment);
        let access = Access::of(&StoreName::new("db"), &workload, &settings_of(&workload, above));
        let password = match access.password {
            Secret::None => "none".to_owned(),
            Secret::Known(password) => password.expose_secret().to_owned(),
            Secret::InFile(path) => format!("file {}", path.expose_secret()),
        };
        (access.user, password)
    }

    #[test]
    fn a_label_beats_what_the_container_was_started_with_and_the_configuration_beats_the_label() {
        let is = |login: (String, String), user: &str, password: &str| {
            assert_eq!((login.0.as_str(), login.1.as_str()), (user, password));
        };
        is(login(&[], &[]), "own", "own");
        let user = ("stillpoint.user", "label");
        is(login(&[user], &[]), "label", "own");
        is(login(&[user, ("stillpoint.password", "label")], &[]), "label", "label");
        let in_file = ("stillpoint.password_file", "/run/x");
        is(login(&[in_file], &[]), "own", "file /run/x");
        let above = [("STILLPOINT_DB_USER", "set"), ("STILLPOINT_DB_PASSWORD", "set")];
        is(login(&[user, in_file], &above), "set", "set");
    }
}
