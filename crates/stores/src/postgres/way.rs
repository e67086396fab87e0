//! By which way the server lets us in: over the network with a password, or, where `pg_hba.conf` lets nobody in from there,
//! by its socket through its own psql. Tools are run by whichever user the socket lets in: the container's own, or
//! the one whom the server runs as (peer authentication).

use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::{PSQL, PgError, Session};

use super::PostgresStore;
use super::access::MAINTENANCE;
use crate::toolbox::{Doing, collect};

/// The server insists that its data is its user's own.
const OWNER: [&str; 3] = ["sh", "-c", "stat -c %u \"$PGDATA\""];

impl PostgresStore {
    /// Over the network where that is possible. A password that is wrong is not got round by the socket.
    pub(super) async fn enter(&self, cx: &Cx, database: &str, options: String) -> Result<Session, StoreError> {
        let refused = match self.endpoint(cx, options.clone()).await?.open(database).await {
            Ok(session) => return Ok(session),
            Err(refused @ PgError::NotFromHere(_)) => refused,
            Err(error) => return Err(self.login_failed(error)),
        };
        let user = self.tool_user(cx).await?;
        let session = self.by_socket(cx, database, options, user.as_deref()).await;
        // What the socket says may only be that nobody of that name is at home.
        session.map_err(|_| self.login_failed(refused))
    }

    /// Whom of the container the socket lets in; none is the container's own user. Found out once.
    pub(super) async fn tool_user(&self, cx: &Cx) -> Result<Option<String>, StoreError> {
        if let Some(known) = self.tool_user.get() {
            return Ok(known.clone());
        }
        for user in [None, self.owner(cx).await] {
            let session = self.by_socket(cx, MAINTENANCE, String::new(), user.as_deref()).await;
            if let Ok(session) = session {
                session.close().await;
                return Ok(self.tool_user.get_or_init(|| user).clone());
            }
        }
        Ok(None)
    }

    async fn by_socket(
        &self,
        cx: &Cx,
        database: &str,
        options: String,
        user: Option<&str>,
    ) -> Result<Session, PgError> {
        let password = self.password(cx).await.ok().flatten();
        let mut command = Command::new(PSQL)
            .env("PGUSER", self.access.user.as_str().into())
            .env("PGDATABASE", database.into())
            .env("PGPORT", self.access.port.to_string().into())
            .env("PGOPTIONS", options.into())
            .env("PGAPPNAME", "stillpoint".into())
            .env("PGCLIENTENCODING", "UTF8".into())
            .user(user)
            .with_input();
        if let Some(password) = password {
            command = command.env("PGPASSWORD", password);
        }
        let process = cx.shell.exec(&self.workload, command).await?;
        Session::through(process, cx.clock.clone()).await
    }

    /// The number of the user whom the data belongs to. An image may lack what tells it.
    async fn owner(&self, cx: &Cx) -> Option<String> {
        let process = cx.shell.exec(&self.workload, Command::new(OWNER)).await.ok()?;
        let doing = Doing {
            what: "asking whose the data is",
            tool: "stat",
        };
        let said = collect(cx, doing, process).await.ok()?;
        Some(said.trim().to_owned()).filter(|number| number.parse::<u32>().is_ok())
    }
}
