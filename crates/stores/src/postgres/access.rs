//! Who we are to the server and how we reach it: found in the container's environment, overridden
//! by our own. Every connection of this store is opened here.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::names::StoreName;
use stillpoint_core::ports::{EngineError, within};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Workload;
use stillpoint_pg::{Endpoint, Login, PgError, Session};

use super::PostgresStore;
use crate::Setting;
use crate::toolbox::{Secret, guarded};

pub(super) const PORT: u16 = 5432;

/// How long clients may wait for the locks of a backup, in seconds.
const MAX_BLOCKED: u64 = 60;

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
    /// The port that the server listens on, over the network and by its socket.
    pub(super) port: u16,
    /// How long clients may wait for the locks of a backup.
    pub(super) max_blocked: Duration,
    /// The variable that overrides the password.
    variable: String,
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Self, StoreError> {
        let own = |name: &str| workload.environment.get(name).cloned();
        let set = |what: &str| setting(&crate::variable(store.as_str(), what));
        let user = set("USER").or_else(|| own("POSTGRES_USER"));
        let password = Secret::known(set("PASSWORD"))
            .or_else(|| Secret::in_file(set("PASSWORD_FILE")))
            .or_else(|| Secret::known(own("POSTGRES_PASSWORD")))
            .or_else(|| Secret::in_file(own("POSTGRES_PASSWORD_FILE")))
            .unwrap_or(Secret::None);
        let user = user.map_or_else(|| "postgres".to_owned(), |user| user.expose_secret().to_owned());
        let max_blocked = set("MAX_BLOCKED_SECONDS").map(|text| text.expose_secret().to_owned());
        let max_blocked = number(store, "MAX_BLOCKED_SECONDS", max_blocked)?.unwrap_or(MAX_BLOCKED);
        let port = set("PORT").map(|port| port.expose_secret().to_owned());
        let port = port.or_else(|| port_of(workload));
        Ok(Self {
            user,
            password,
            port: number(store, "PORT", port)?.unwrap_or(PORT),
            max_blocked: Duration::from_secs(max_blocked),
            variable: crate::variable(store.as_str(), "PASSWORD"),
        })
    }
}

/// A setting that is a number.
fn number<T: FromStr>(store: &StoreName, what: &str, set: Option<String>) -> Result<Option<T>, StoreError> {
    let unfit = |text: &String| {
        let variable = crate::variable(store.as_str(), what);
        StoreError::Unfit(format!("{store}: `{text}` is no such number: set {variable} to one"))
    };
    set.map(|text| text.trim().parse().map_err(|_| unfit(&text)))
        .transpose()
}

/// The port that the server was started with: its command line stands above its environment.
fn port_of(workload: &Workload) -> Option<String> {
    let words: Vec<&str> = workload.command.words().collect();
    let told = words.iter().enumerate().filter_map(|(at, word)| {
        let next = || words.get(at + 1).copied();
        match *word {
            "-p" | "--port" => next(),
            "-c" | "--set" => next()?.strip_prefix("port="),
            word => ["--port=", "-cport=", "-p"]
                .iter()
                .find_map(|option| word.strip_prefix(option)),
        }
    });
    let told = told.map(|port| port.trim().to_owned()).next_back();
    told.or_else(|| {
        workload
            .environment
            .get("PGPORT")
            .map(|port| port.expose_secret().to_owned())
    })
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
            port: self.access.port,
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

    use stillpoint_core::workload::CommandLine;

    use super::*;
    use crate::labels::tests::{container, settings_of};

    /// User and password; a file's path with `file` before it.
    fn login(labels: &[(&str, &str)], above: &[(&'static str, &'static str)]) -> (String, String) {
        let environment = ["POSTGRES_USER=own", "POSTGRES_PASSWORD=own"];
        let workload = container(labels, &environment);
        let access = Access::of(&StoreName::new("db"), &workload, &settings_of(&workload, above)).unwrap();
        let password = match access.password {
            Secret::None => "none".to_owned(),
            Secret::Known(password) => password.expose_secret().to_owned(),
            Secret::InFile(path) => format!("file {}", path.expose_secret()),
        };
        (access.user, password)
    }

    #[test]
    fn the_port_is_found_where_the_server_was_told_it() {
        let port = |command: &[&str], environment: &[&str], labels: &[(&str, &str)]| {
            let mut workload = container(labels, environment);
            workload.command = CommandLine::new(command.iter().map(|word| (*word).to_owned()));
            let access = Access::of(&StoreName::new("db"), &workload, &settings_of(&workload, &[]));
            access.map(|access| access.port).ok()
        };
        assert_eq!(port(&["postgres"], &[], &[]), Some(5432));
        for command in [
            &["postgres", "-p", "5433"][..],
            &["postgres", "-p5433"],
            &["postgres", "--port=5433"],
            &["postgres", "-c", "fsync=off", "-c", "port=5433"],
        ] {
            assert_eq!(port(command, &["PGPORT=1"], &[]), Some(5433), "{command:?}");
        }
        assert_eq!(port(&["postgres"], &["PGPORT=5434"], &[]), Some(5434));
        let label = [("stillpoint.port", "5435")];
        assert_eq!(port(&["postgres", "-p", "5433"], &[], &label), Some(5435));
        assert_eq!(port(&[], &[], &[("stillpoint.port", "none")]), None);
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
