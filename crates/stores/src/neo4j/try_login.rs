//! Trying the logins that clients hold. They speak Bolt as a rule; who is let in is the same over HTTP.

use serde_json::json;
use stillpoint_core::logins;
use stillpoint_core::stores::{Cx, StoreError};

use super::Neo4jStore;
use super::access::Login;
use super::session::{AskError, SYSTEM, Session, Way};

impl Neo4jStore {
    /// Every user may ask who he is.
    pub(super) async fn try_login(&self, cx: &Cx, login: &logins::Login) -> Result<(), StoreError> {
        let who = match (&login.user, &login.password) {
            (Some(user), Some(password)) => Some(Login {
                user: user.clone(),
                password: password.clone(),
            }),
            _ => None,
        };
        let way = Way::Port(&self.workload, self.access.port);
        let asked = async {
            let session = Session::open(cx, way, who.as_ref()).await?;
            session
                .ask(SYSTEM, "SHOW CURRENT USER YIELD user RETURN user", json!({}))
                .await
        };
        match asked.await {
            Ok(_) => Ok(()),
            Err(trouble) if trouble.is_login() => Err(StoreError::Credential {
                store: self.name.clone(),
                user: login.to_string(),
                cause: match trouble {
                    AskError::Refused { message, .. } => message,
                    _ => String::new(),
                },
                remedy:
                    "give the client's user the client's password (ALTER USER … SET PASSWORD …), or change the client's"
                        .to_owned(),
            }),
            Err(trouble) => Err(self.failed("logging in from here", trouble)),
        }
    }
}
