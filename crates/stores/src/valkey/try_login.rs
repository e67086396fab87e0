//! Trying the logins that clients hold.

use stillpoint_core::logins;
use stillpoint_core::stores::{Cx, StoreError};

use super::ValkeyStore;
use super::access::server;
use super::session::{Login, Session, Trouble};

impl ValkeyStore {
    pub(super) async fn try_login(&self, cx: &Cx, login: &logins::Login) -> Result<(), StoreError> {
        self.log_in_as(cx, login).await.map_err(|trouble| match trouble {
            Trouble::Refused(cause) => StoreError::Credential {
                store: self.name.clone(),
                user: login.to_string(),
                cause,
                remedy:
                    "let the client's user in with the client's password (ACL SETUSER, `requirepass`), or change the \
                         client's"
                        .to_owned(),
            },
            trouble => server("logging in from here", trouble),
        })
    }

    /// `AUTH` may succeed for a user who may do nothing else; a client that names a database begins by selecting it.
    async fn log_in_as(&self, cx: &Cx, login: &logins::Login) -> Result<(), Trouble> {
        let port = login.port.unwrap_or(self.access.port);
        let who = Login {
            user: login.user.clone(),
            password: login.password.clone(),
        };
        let session = Session::enter(cx, &self.workload, port, &who).await?;
        let database = login
            .database
            .as_deref()
            .filter(|database| database.parse::<u32>().is_ok());
        if let Some(database) = database {
            return match session.ask(&["SELECT", database]).await {
                Err(Trouble::Answer(cause)) => Err(Trouble::Refused(cause)),
                answer => answer.map(drop),
            };
        }
        match session.ask(&["PING"]).await {
            Err(Trouble::Refused(cause)) if cause.starts_with("NOPERM") => Ok(()),
            answer => answer.map(drop),
        }
    }
}
