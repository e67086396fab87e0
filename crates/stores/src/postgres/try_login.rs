//! Trying the logins that clients hold. Over the network alone, as a client does: what the server's socket says of a
//! login is not what its clients hear.

use stillpoint_core::logins;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::quote::ident;
use stillpoint_pg::{Endpoint, Login, PgError};

use super::PostgresStore;
use super::access::server;

impl PostgresStore {
    /// In the database that the login names, or the one of its user's name, which is libpq's default.
    pub(super) async fn try_login(&self, cx: &Cx, login: &logins::Login) -> Result<(), StoreError> {
        let Some(user) = &login.user else {
            return Err(StoreError::Unfit("it names no user".to_owned()));
        };
        let database = login.database.as_ref().unwrap_or(user);
        let endpoint = Endpoint {
            reach: cx.reach.clone(),
            clock: cx.clock.clone(),
            workload: self.workload.clone(),
            port: login.port.unwrap_or(self.access.server.credentials().port),
            login: Login {
                user: user.clone(),
                password: login.password.clone(),
            },
            options: String::new(),
        };
        match endpoint.open(database).await {
            Ok(session) => {
                session.close().await;
                Ok(())
            }
            Err(PgError::Refused { message, code }) => Err(StoreError::Credential {
                store: self.name.clone(),
                user: user.clone(),
                cause: message,
                remedy: remedy(&code, user, database),
            }),
            Err(error) => Err(server("logging in from here", error)),
        }
    }
}

/// By the code of the refusal (manual, appendix A).
fn remedy(code: &str, user: &str, database: &str) -> String {
    let (role, database) = (ident(user), ident(database));
    match code {
        "28000" => format!("make the role with CREATE ROLE {role} LOGIN, or ALTER ROLE {role} LOGIN"),
        "42501" => format!("GRANT CONNECT ON DATABASE {database} TO {role}"),
        "3D000" => {
            format!("make the database with CREATE DATABASE {database} OWNER {role}, or name the client another")
        }
        _ => format!("give the role the client's password with ALTER ROLE {role} PASSWORD, or the client the role's"),
    }
}
