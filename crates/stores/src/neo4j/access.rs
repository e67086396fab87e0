//! Who we are to the server and how we reach it: found in its container's environment, overridden by our own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::{StoreName, WorkloadId};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Workload;

use crate::Setting;
use crate::settings::{self, PASSWORD, USER};
use crate::toolbox::Secret;

/// Where the server speaks HTTP.
pub(super) const PORT: u16 = 7474;

/// The user that a server has before anybody makes one; no other can be named in `NEO4J_AUTH`.
const DEFAULT_USER: &str = "neo4j";

/// What the official image says where nobody logs in.
const NO_AUTH: &str = "none";

/// Files in the container that hold what `NEO4J_AUTH` would: the official image's variable, and the usual one.
const AUTH_FILES: [&str; 2] = ["NEO4J_AUTH_PATH", "NEO4J_AUTH_FILE"];

/// What the container and our environment say about the login.
#[derive(Clone)]
pub(super) struct Access {
    user: Option<String>,
    proof: Proof,
    pub(super) port: u16,
    /// The variable that overrides the password.
    pub(super) variable: String,
}

/// What proves who we are.
#[derive(Clone)]
enum Proof {
    /// A password.
    Password(Secret),
    /// `neo4j/PASSWORD`, or `none`, as in `NEO4J_AUTH`.
    Auth(Secret),
}

/// A user with his password.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: SecretString,
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Self, StoreError> {
        let own = |name: &str| workload.environment.get(name).cloned();
        let told = Secret::known(setting.secret(&PASSWORD)).or_else(|| Secret::in_file(setting.in_file(&PASSWORD)));
        let auth = Secret::known(own("NEO4J_AUTH"))
            .or_else(|| AUTH_FILES.iter().find_map(|name| Secret::in_file(own(name))))
            .unwrap_or(Secret::None);
        let found = own("NEO4J_server_http_listen__address").and_then(|address| port_of(address.expose_secret()));
        let port = setting.number(&settings::PORT, found);
        let port = port.map_err(|wrong| StoreError::Unfit(format!("{store}: {wrong}")))?;
        Ok(Self {
            user: setting.text(&USER),
            proof: told.map_or(Proof::Auth(auth), Proof::Password),
            port: port.unwrap_or(PORT),
            variable: setting.variable(&PASSWORD),
        })
    }

    pub(super) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(DEFAULT_USER)
    }

    /// The login; none where nobody needs one, as far as its container says. `place` is where files are read: the store's
    /// container, or one beside it.
    pub(super) async fn login(&self, cx: &Cx, place: &WorkloadId) -> Result<Option<Login>, StoreError> {
        let password = match &self.proof {
            Proof::Password(secret) => secret.read(cx, place).await?,
            Proof::Auth(secret) => secret.read(cx, place).await?.and_then(|auth| password_in(&auth)),
        };
        Ok(password.map(|password| Login {
            user: self.user().to_owned(),
            password,
        }))
    }
}

impl Login {
    /// The header of HTTP's basic authentication (RFC 7617).
    pub(super) fn header(&self) -> SecretString {
        let plain = format!("{}:{}", self.user, self.password.expose_secret());
        SecretString::from(format!("Basic {}", STANDARD.encode(plain)))
    }
}

/// The password in `neo4j/PASSWORD`, `neo4j/PASSWORD/true`; none in `none`. The official entry point lets no password have a
/// stroke.
fn password_in(auth: &SecretString) -> Option<SecretString> {
    let auth = auth.expose_secret().trim();
    if auth == NO_AUTH {
        return None;
    }
    let (_, password) = auth.split_once('/')?;
    let password = match password.rsplit_once('/') {
        Some((password, flag)) if flag.is_empty() || flag.eq_ignore_ascii_case("true") => password,
        _ => password,
    };
    Some(SecretString::from(password))
}

fn port_of(address: &str) -> Option<String> {
    let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
    (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then(|| port.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_found_in_what_the_image_takes() {
        let found = |auth: &str| password_in(&SecretString::from(auth)).map(|found| found.expose_secret().to_owned());
        assert_eq!(found("neo4j/s3cret").as_deref(), Some("s3cret"));
        assert_eq!(found("neo4j/s3cret/true\n").as_deref(), Some("s3cret"));
        assert_eq!(found("neo4j/s3cret/TRUE").as_deref(), Some("s3cret"));
        assert_eq!(found("neo4j/s3cret/").as_deref(), Some("s3cret"));
        assert_eq!(found("neo4j/s3:c ret").as_deref(), Some("s3:c ret"));
        assert_eq!(found("none"), None);
        assert_eq!(found("nonsense"), None);
    }

    #[test]
    fn the_port_is_found_in_an_address() {
        assert_eq!(port_of("0.0.0.0:8474").as_deref(), Some("8474"));
        assert_eq!(port_of(":8474").as_deref(), Some("8474"));
        assert_eq!(port_of("[::]:8474").as_deref(), Some("8474"));
        assert_eq!(port_of("0.0.0.0"), None);
        assert_eq!(port_of("0.0.0.0:"), None);
    }
}
