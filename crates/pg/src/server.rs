//! The way into a server: over the network with a password, or, where `pg_hba.conf` lets nobody in from there, by its
//! socket through its own psql. Tools are run by the user that the socket accepts: the container's own, or the one that
//! the server runs as (peer authentication).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Clock, Command, Reach, Shell, within};
use tokio::io::AsyncReadExt;

use crate::credentials::{Credentials, Password};
use crate::session::LOGIN;
use crate::{Endpoint, Login, PSQL, PgError, Session, quiet};

/// The database from which others are renamed, created and dropped: it exists on every server and
/// nobody keeps data in it.
pub const MAINTENANCE: &str = "template1";

/// Settings without which a session of ours could be ended from outside.
const SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
    SET lock_timeout = '60s'; SET search_path = pg_catalog; SET client_min_messages = warning";

/// The server insists that its data is its user's own.
const OWNER: [&str; 3] = ["sh", "-c", "stat -c %u \"$PGDATA\""];

/// More than a password or a number may have.
const SHORT: u64 = 64 << 10;

/// By what a server is reached.
#[derive(Clone)]
pub struct Via {
    /// Runs programs in its container.
    pub shell: Arc<dyn Shell>,
    /// Dials its port.
    pub reach: Arc<dyn Reach>,
    /// Measures deadlines.
    pub clock: Arc<dyn Clock>,
    /// How long one of the statements that prepare a session may take.
    pub limit: Duration,
}

/// What our sessions are to a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// They leave no trace: nothing of the server's own fires because of them. Only a superuser can be so.
    Quiet,
    /// They are like those of any client.
    Ordinary,
}

/// A server in a container. What was found out about it once is not asked again.
#[derive(Clone)]
pub struct Server {
    workload: WorkloadId,
    credentials: Credentials,
    manner: Manner,
    /// What every login says, once the server's version is known.
    options: OnceLock<String>,
    /// The system user of its container that the server's socket accepts.
    tool_user: OnceLock<Option<String>>,
}

impl Server {
    /// The server in this container. Asks nothing yet.
    pub fn new(workload: WorkloadId, credentials: Credentials) -> Self {
        Self {
            workload,
            credentials,
            manner: Manner::Quiet,
            options: OnceLock::new(),
            tool_user: OnceLock::new(),
        }
    }

    /// The same server for work that is like any client's: triggers fire for it, and no privilege is needed to log in. No
    /// limit that is set for a role or a database ends it.
    #[must_use]
    pub fn ordinary(&self) -> Self {
        Self {
            manner: Manner::Ordinary,
            ..Self::new(self.workload.clone(), self.credentials.clone())
        }
    }

    /// Who we are to it.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The container that it is in.
    pub fn workload(&self) -> &WorkloadId {
        &self.workload
    }

    /// Connects to a database, over the network where that is possible. A password that is wrong is not got round by
    /// the socket. The session is quiet: see [`Server::logged_in`].
    pub async fn open(&self, via: &Via, database: &str) -> Result<Session, PgError> {
        let options = self.options(via).await?;
        self.log_in(via, database, options).await
    }

    /// The same program of the server's container, run by the user that the server accepts, that finds in its environment how to
    /// log in to a database. What it does there is as quiet as a session: no setting of the database or the role holds
    /// for it, and event triggers stay silent.
    pub async fn logged_in(&self, via: &Via, command: Command, database: &str) -> Result<Command, PgError> {
        let options = self.options(via).await?;
        let password = self.password(via).await?;
        let user = self.tool_user(via).await?;
        Ok(self.told(command, database, options, password).user(user.as_deref()))
    }

    /// The options of every login. They follow from the server's version, which the first one asks for in a database that
    /// nobody keeps anything in.
    async fn options(&self, via: &Via) -> Result<String, PgError> {
        if let Some(known) = self.options.get() {
            return Ok(known.clone());
        }
        let session = match self.log_in(via, MAINTENANCE, quiet::PATIENT.to_owned()).await {
            // A library that the role loads at its login may be gone.
            Err(first @ (PgError::NotReady(_) | PgError::Broken(_))) => {
                let without = format!("{} {}", quiet::PATIENT, quiet::NO_LIBRARIES);
                let opened = self.log_in(via, MAINTENANCE, without).await;
                opened.map_err(|_| first)?
            }
            opened => opened?,
        };
        let version = session.value(via.limit, "SHOW server_version_num").await;
        session.close().await;
        let version = version?.parse().unwrap_or(0);
        let options = match self.manner {
            Manner::Quiet => quiet::options(version),
            Manner::Ordinary => quiet::ordinary(version),
        };
        Ok(self.options.get_or_init(|| options).clone())
    }

    async fn log_in(&self, via: &Via, database: &str, options: String) -> Result<Session, PgError> {
        let session = self.enter(via, database, options).await?;
        session.run(via.limit, SETTINGS).await?;
        Ok(session)
    }

    async fn enter(&self, via: &Via, database: &str, options: String) -> Result<Session, PgError> {
        let endpoint = Endpoint {
            reach: via.reach.clone(),
            clock: via.clock.clone(),
            workload: self.workload.clone(),
            port: self.credentials.port,
            login: Login {
                user: self.credentials.user.clone(),
                password: self.password(via).await?,
            },
            options: options.clone(),
        };
        let refused = match endpoint.open(database).await {
            Err(refused @ PgError::NotFromHere(_)) => refused,
            opened => return opened,
        };
        let user = self.tool_user(via).await?;
        let session = self.by_socket(via, database, options, user.as_deref()).await;
        // What the socket says may only be that nobody of that name is at home.
        session.map_err(|_| refused)
    }

    /// The user of the container that the socket accepts; none is the container's own. Found out once.
    async fn tool_user(&self, via: &Via) -> Result<Option<String>, PgError> {
        if let Some(known) = self.tool_user.get() {
            return Ok(known.clone());
        }
        for user in [None, self.owner(via).await] {
            let session = self.by_socket(via, MAINTENANCE, String::new(), user.as_deref()).await;
            if let Ok(session) = session {
                session.close().await;
                return Ok(self.tool_user.get_or_init(|| user).clone());
            }
        }
        Ok(None)
    }

    async fn by_socket(
        &self,
        via: &Via,
        database: &str,
        options: String,
        user: Option<&str>,
    ) -> Result<Session, PgError> {
        let password = self.password(via).await.ok().flatten();
        let command = self
            .told(Command::new(PSQL), database, options, password)
            .env("PGAPPNAME", "stillpoint".into())
            .env("PGCLIENTENCODING", "UTF8".into())
            .user(user)
            .with_input();
        let process = via.shell.exec(&self.workload, command).await?;
        Session::through(process, via.clock.clone()).await
    }

    /// Names and passwords travel in the environment, never in the argument list: a database named `a=b` would be read as
    /// a connection string there (manual, `pg_dump -d`).
    fn told(&self, command: Command, database: &str, options: String, password: Option<SecretString>) -> Command {
        let command = command
            .env("PGUSER", self.credentials.user.as_str().into())
            .env("PGDATABASE", database.into())
            .env("PGPORT", self.credentials.port.to_string().into())
            // The container's own may be its server's name in the network, for its other programs.
            .env("PGHOST", "".into())
            .env("PGHOSTADDR", "".into())
            .env("PGOPTIONS", options.into());
        match password {
            Some(password) => command.env("PGPASSWORD", password),
            None => command,
        }
    }

    /// The password, read from inside the container where it is a file.
    async fn password(&self, via: &Via) -> Result<Option<SecretString>, PgError> {
        let path = match &self.credentials.password {
            Password::None => return Ok(None),
            Password::Known(password) => return Ok(Some(password.clone())),
            Password::InFile(path) => path.expose_secret(),
        };
        let text = self.ask(via, "reading the file of the password", ["cat", path]).await?;
        Ok(Some(SecretString::from(text.trim_end_matches('\n'))))
    }

    /// The number of the user that owns the data. An image may lack what tells it.
    async fn owner(&self, via: &Via) -> Option<String> {
        let said = self.ask(via, "asking whose the data is", OWNER).await.ok()?;
        Some(said.trim().to_owned()).filter(|number| number.parse::<u32>().is_ok())
    }

    /// Runs a program that says little, and returns what it says.
    async fn ask<const N: usize>(&self, via: &Via, doing: &str, argv: [&str; N]) -> Result<String, PgError> {
        let command = Command::new(argv);
        let tool = command.program().to_owned();
        let mut process = via.shell.exec(&self.workload, command).await?;
        let mut said = String::new();
        let mut output = process.output.take(SHORT);
        let read = within(&*via.clock, LOGIN, doing, output.read_to_string(&mut said)).await;
        let failed = match read {
            Ok(Ok(_)) if output.limit() > 0 => None,
            Ok(Ok(_)) => Some(PgError::Broken(format!("{doing}: more than {SHORT} bytes"))),
            Ok(Err(error)) => Some(PgError::Broken(format!("{doing}: {error}"))),
            Err(overdue) => Some(overdue.into()),
        };
        if let Some(failed) = failed {
            // What failed first is what is told; the end of the run reaps what is left.
            drop(process.control.kill().await);
            return Err(failed);
        }
        let exit = process.control.finish().await?;
        match exit.code {
            0 => Ok(said),
            code => Err(PgError::Tool {
                doing: doing.to_owned(),
                tool,
                code,
                errors: exit.errors.trim().to_owned(),
            }),
        }
    }
}
