//! Trying the logins that clients hold: by name and password, or by a token, which URLs have in the name's place.

use stillpoint_core::logins;
use stillpoint_core::stores::{Cx, StoreError};

use super::NatsStore;
use super::access::{Login, Proof};

impl NatsStore {
    pub(super) async fn try_login(&self, cx: &Cx, login: &logins::Login) -> Result<(), StoreError> {
        let proof = match (login.user.clone(), login.password.clone()) {
            (Some(user), Some(password)) => Proof::Password { user, password },
            (Some(token), None) => Proof::Token(token.into()),
            (None, Some(token)) => Proof::Token(token),
            (None, None) => Proof::None,
        };
        let login_of_client = Login {
            account: None,
            proof,
            prefix: self.prefix().to_owned(),
        };
        let port = login.port.unwrap_or(self.access.port);
        match Box::pin(self.open_at(cx, port, &login_of_client)).await {
            Ok(link) => {
                drop(link);
                Ok(())
            }
            Err(StoreError::Credential { store, user, cause, .. }) => Err(StoreError::Credential {
                store,
                user,
                cause,
                remedy: "give the server's configuration and the client the same login".to_owned(),
            }),
            Err(error) => Err(error),
        }
    }
}
