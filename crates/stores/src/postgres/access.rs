//! What is ours of the way into a server: the settings of the store, and what becomes of the server's errors. Every
//! connection of this store is opened here.

use std::time::Duration;

use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::names::StoreName;
use stillpoint_core::ports::{EngineError, within};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Workload;
use stillpoint_pg::{Credentials, PgError, Server, Session, Via};

pub(super) use stillpoint_pg::MAINTENANCE;

use super::PostgresStore;
use crate::Setting;
use crate::settings::{Key, PASSWORD, PORT, Shape, USER};
use crate::toolbox::guarded;

/// How long clients may wait for the locks of a backup, in seconds.
const MAX_BLOCKED: u64 = 60;

/// How long clients may wait for the locks of a backup.
pub(super) const MAX_BLOCKED_SECONDS: Key = Key {
    name: "max_blocked_seconds",
    shape: Shape::Seconds,
    fallback: "`60`",
    about: "How long clients may wait for the locks of a backup, before it lets them go on and fails.",
    parts: None,
};

/// The databases of Dagster.
pub(super) const DAGSTER_DB: Key = Key {
    name: "dagster_db",
    shape: Shape::List,
    fallback: "`DAGSTER_DB`, else `dagster`",
    about: "Dagster's databases: a backup waits for the runs that are in progress there, and maintenance keeps them lean.",
    parts: None,
};

/// The platform's own variable for it.
const PLATFORMS_DAGSTER_DB: &str = "DAGSTER_DB";
const USUAL_DAGSTER_DB: &str = "dagster";

/// The server, and what our environment says about it.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) server: Server,
    /// How long clients may wait for the locks of a backup.
    pub(super) max_blocked: Duration,
    /// The databases of Dagster, if they are there.
    pub(super) dagster: Vec<String>,
    /// Their operator has named them.
    pub(super) dagster_is_named: bool,
    /// The variable that overrides the password.
    variable: String,
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Self, StoreError> {
        let unfit = |wrong| StoreError::Unfit(format!("{store}: {wrong}"));
        let set = |what: &str| match what {
            "USER" => setting.secret(&USER),
            "PASSWORD" => setting.secret(&PASSWORD),
            "PASSWORD_FILE" => setting.in_file(&PASSWORD),
            "PORT" => setting.secret(&PORT),
            _ => None,
        };
        let credentials = Credentials::of(workload, set)
            .map_err(|none| unfit(format!("{none}: set {} to one", setting.variable(&PORT))))?;
        let max_blocked = setting.number(&MAX_BLOCKED_SECONDS, None).map_err(unfit)?;
        let mut dagster = setting.list(&DAGSTER_DB);
        if dagster.is_empty() {
            let platforms = setting.of_platform(PLATFORMS_DAGSTER_DB).unwrap_or_default();
            let names = platforms.split(',').map(str::trim).filter(|name| !name.is_empty());
            dagster.extend(names.map(ToOwned::to_owned));
        }
        let dagster_is_named = !dagster.is_empty();
        if !dagster_is_named {
            dagster.push(USUAL_DAGSTER_DB.to_owned());
        }
        Ok(Self {
            dagster,
            dagster_is_named,
            server: Server::new(workload.id.clone(), credentials),
            max_blocked: Duration::from_secs(max_blocked.unwrap_or(MAX_BLOCKED)),
            variable: setting.variable(&PASSWORD),
        })
    }

    /// The role that we log in as.
    pub(super) fn user(&self) -> &str {
        &self.server.credentials().user
    }
}

/// By what a store's call reaches its server.
pub(super) fn via(cx: &Cx) -> Via {
    Via {
        shell: cx.shell.clone(),
        reach: cx.reach.clone(),
        clock: cx.clock.clone(),
        limit: cx.idle_limit,
    }
}

impl PostgresStore {
    /// Connects to a database of the server.
    pub(super) async fn open(&self, cx: &Cx, database: &str) -> Result<Session, StoreError> {
        let opened = self.access.server.open(&via(cx), database).await;
        opened.map_err(|error| self.login_failed(error))
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
                    self.access.user()
                );
                StoreError::Credential {
                    store,
                    user: self.access.user().to_owned(),
                    cause,
                    remedy,
                }
            }
            PgError::Engine(error @ EngineError::Refused { .. }) => StoreError::Silent {
                store,
                cause: error.into(),
            },
            PgError::NotReady(cause) | PgError::Broken(cause) => StoreError::Silent {
                store,
                cause: cause.into(),
            },
            PgError::Overdue(overdue) => StoreError::Silent {
                store,
                cause: overdue.into(),
            },
            error => server("logging in", error),
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
        PgError::Tool {
            doing,
            tool,
            code,
            errors,
        } => StoreError::Tool {
            doing,
            tool,
            code,
            errors,
        },
        error => StoreError::Server {
            doing: doing.into(),
            cause: error.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::iter::successors;

    use secrecy::ExposeSecret;
    use stillpoint_core::engine::errors::RunFailure;
    use stillpoint_core::workload::CommandLine;
    use stillpoint_pg::Password;

    use super::*;
    use crate::settings::tests::{container, settings_of};

    /// User and password; a file's path with `file` before it.
    fn login(labels: &[(&str, &str)], above: &[(&'static str, &'static str)]) -> (String, String) {
        let environment = ["POSTGRES_USER=own", "POSTGRES_PASSWORD=own"];
        let workload = container(labels, &environment);
        let access = Access::of(&StoreName::new("db"), &workload, &settings_of(&workload, above)).unwrap();
        let Credentials { user, password, .. } = access.server.credentials();
        let password = match password {
            Password::None => "none".to_owned(),
            Password::Known(password) => password.expose_secret().to_owned(),
            Password::InFile(path) => format!("file {}", path.expose_secret()),
        };
        (user.clone(), password)
    }

    #[test]
    fn what_the_server_answered_is_the_cause_and_not_only_its_words() {
        let answer = PgError::Statement {
            message: "no such table".to_owned(),
            code: "42P01".to_owned(),
        };
        let failed = server("looking", answer);
        assert_eq!(failed.to_string(), "looking: no such table (SQLSTATE 42P01)");
        let run = RunFailure::of(&StoreName::new("db"), failed);
        let chain: Vec<&(dyn Error + 'static)> = successors(run.source(), |error| (*error).source()).collect();
        let cause = chain.last().and_then(|cause| cause.downcast_ref::<PgError>());
        assert!(
            matches!(cause, Some(PgError::Statement { code, .. }) if code == "42P01"),
            "{chain:?}"
        );
    }

    #[test]
    fn the_port_is_found_where_the_server_was_told_it() {
        let port = |command: &[&str], environment: &[&str], labels: &[(&str, &str)]| {
            let mut workload = container(labels, environment);
            workload.command = CommandLine::new(command.iter().map(|word| (*word).to_owned()));
            let access = Access::of(&StoreName::new("db"), &workload, &settings_of(&workload, &[]));
            access.map(|access| access.server.credentials().port).ok()
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
