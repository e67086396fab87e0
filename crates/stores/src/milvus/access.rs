//! Who we are to the server and how we reach it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::StoreName;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Workload;

use super::MilvusStore;
use super::config::Config;
use crate::Setting;
use crate::settings::{self, PASSWORD, USER};
use crate::toolbox::Secret;

/// Where the server speaks gRPC.
const PORT: u16 = 19530;

/// The user that every server has, and its password until somebody changes it.
const DEFAULT_USER: &str = "root";
const DEFAULT_PASSWORD: &str = "Milvus";

/// What our configuration and the container's say about the login.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) user: String,
    password: Secret,
    port: Option<u16>,
    /// The variable that overrides the password.
    pub(super) variable: String,
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: SecretString,
}

impl Login {
    /// The header in which a server expects it.
    pub(super) fn header(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.user, self.password.expose_secret()))
    }
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Self, StoreError> {
        let own = |name: &str| workload.environment.get(name).cloned();
        let password = Secret::known(setting.secret(&PASSWORD))
            .or_else(|| Secret::in_file(setting.in_file(&PASSWORD)))
            .or_else(|| Secret::known(own("COMMON_SECURITY_DEFAULTROOTPASSWORD")))
            .unwrap_or_else(|| Secret::Known(SecretString::from(DEFAULT_PASSWORD)));
        let port = setting.number(&settings::PORT, None);
        Ok(Self {
            user: setting.text(&USER).unwrap_or_else(|| DEFAULT_USER.to_owned()),
            password,
            port: port.map_err(|wrong| StoreError::Unfit(format!("{store}: {wrong}")))?,
            variable: setting.variable(&PASSWORD),
        })
    }

    pub(super) fn port(&self, config: &Config) -> u16 {
        let told = || u16::try_from(config.number("proxy.port", PORT.into())).ok();
        self.port.or_else(told).unwrap_or(PORT)
    }
}

impl MilvusStore {
    /// The login; none where the server asks for none.
    pub(super) async fn login(&self, cx: &Cx, config: &Config) -> Result<Option<Login>, StoreError> {
        if !config.is_on("common.security.authorizationEnabled") {
            return Ok(None);
        }
        let password = self.access.password.read(cx, &self.workload).await?;
        Ok(password.map(|password| Login {
            user: self.access.user.clone(),
            password,
        }))
    }
}
