//! Trying the logins that clients hold. Many speak the native protocol; who is let in is the same over HTTP.

use secrecy::ExposeSecret;
use stillpoint_core::logins;
use stillpoint_core::stores::{Cx, StoreError};

use super::ClickhouseStore;
use super::http::Login;
use super::session::{DENIED, Session, Trouble};

impl ClickhouseStore {
    /// Every user may ask this.
    pub(super) async fn try_login(&self, cx: &Cx, login: &logins::Login) -> Result<(), StoreError> {
        let who = Login {
            user: login.user.clone().unwrap_or_else(|| "default".to_owned()),
            password: login
                .password
                .clone()
                .filter(|password| !password.expose_secret().is_empty()),
        };
        match Session::of(cx, self, who).ask_plainly("SELECT 1").await {
            Ok(_) => Ok(()),
            Err(trouble) if trouble.is_login() || trouble.code() == Some(DENIED) => Err(StoreError::Credential {
                store: self.name.clone(),
                user: login.to_string(),
                cause: match trouble {
                    Trouble::Refused { message, .. } => message,
                    Trouble::Silent(_) | Trouble::Store(_) => String::new(),
                },
                remedy: "give the client's user the client's password (ALTER USER … IDENTIFIED BY …), or change the client's"
                    .to_owned(),
            }),
            Err(trouble) => Err(self.failed("logging in from here", trouble)),
        }
    }
}
