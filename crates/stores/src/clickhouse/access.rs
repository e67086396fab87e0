//! Who we are to the server and how we reach it: found in its container's environment, overridden by our own.

use stillpoint_core::names::{StoreName, WorkloadId};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Workload;

use super::http::Login;
use crate::Setting;
use crate::settings::{self, PASSWORD, USER};
use crate::toolbox::Secret;

/// Where the server speaks HTTP.
pub(super) const PORT: u16 = 8123;

/// The user that a server has before anybody makes one.
const DEFAULT_USER: &str = "default";

/// What the container and our environment say about the login.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) user: String,
    password: Secret,
    pub(super) port: u16,
    /// The variable that overrides the password.
    pub(super) variable: String,
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Self, StoreError> {
        let own = |name: &str| workload.environment.get(name).cloned();
        let text = |name: &str| {
            use secrecy::ExposeSecret;
            own(name)
                .map(|text| text.expose_secret().to_owned())
                .filter(|text| !text.is_empty())
        };
        let password = Secret::known(setting.secret(&PASSWORD))
            .or_else(|| Secret::in_file(setting.in_file(&PASSWORD)))
            .or_else(|| Secret::known(own("CLICKHOUSE_PASSWORD")))
            .or_else(|| Secret::in_file(own("CLICKHOUSE_PASSWORD_FILE")))
            .unwrap_or(Secret::None);
        let port = setting.number(&settings::PORT, None);
        let port = port.map_err(|wrong| StoreError::Unfit(format!("{store}: {wrong}")))?;
        let user = setting.text(&USER).or_else(|| text("CLICKHOUSE_USER"));
        Ok(Self {
            user: user.unwrap_or_else(|| DEFAULT_USER.to_owned()),
            password,
            port: port.unwrap_or(PORT),
            variable: setting.variable(&PASSWORD),
        })
    }

    pub(super) async fn login(&self, cx: &Cx, place: &WorkloadId) -> Result<Login, StoreError> {
        Ok(Login {
            user: self.user.clone(),
            password: self.password.read(cx, place).await?,
        })
    }
}
