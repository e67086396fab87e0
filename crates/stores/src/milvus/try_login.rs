//! Trying the logins that clients hold.

use secrecy::ExposeSecret;
use stillpoint_core::logins;
use stillpoint_core::stores::{Cx, StoreError};

use super::MilvusStore;
use super::access::Login;
use super::session::{Session, Trouble};

impl MilvusStore {
    /// Who may not ask this is let in all the same.
    pub(super) async fn try_login(&self, cx: &Cx, login: &logins::Login) -> Result<(), StoreError> {
        let config = self.config(cx, &self.workload).await?;
        let password = login
            .password
            .clone()
            .filter(|password| !password.expose_secret().is_empty());
        let who = login.user.clone().zip(password);
        let who = who.map(|(user, password)| Login { user, password });
        let session = Session::of(cx, &self.workload, self.access.port(&config), who.as_ref())?;
        match session.databases().await {
            Ok(_) | Err(Trouble::Denied(_)) => Ok(()),
            Err(Trouble::Login(cause)) => Err(StoreError::Credential {
                store: self.name.clone(),
                user: login.to_string(),
                cause,
                remedy: "give the client's user the client's password (update_password), or change the client's"
                    .to_owned(),
            }),
            Err(trouble) => Err(self.failed("logging in from here", trouble)),
        }
    }
}
