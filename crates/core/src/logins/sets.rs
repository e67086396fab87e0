//! Logins in several variables that begin alike: `PGHOST`, `PGUSER`, `PGPASSWORD`; `REDIS_HOST`,
//! `REDIS_PASSWORD`; `DB_HOST`, `DB_USERNAME`, `DB_PASS`, `DB_NAME`, `DB_PORT`.

use secrecy::{ExposeSecret, SecretString};

use super::url::host_and_port;
use super::{Found, Login};
use crate::workload::Environment;

const HOST: &str = "HOST";
const USERS: &[&str] = &["USER", "USERNAME"];
const PASSWORDS: &[&str] = &["PASSWORD", "PASS"];
const DATABASES: &[&str] = &["DB", "DATABASE", "DBNAME", "NAME"];
const PORTS: &[&str] = &["PORT"];

/// Where the password stands in a file of the client's container.
const FILES: &[&str] = &["PASSWORD_FILE", "PASS_FILE", "PASSFILE"];

/// The logins that stand in sets of variables.
pub(super) fn logins(environment: &Environment) -> Vec<Found> {
    let hosts = environment.iter().filter_map(|(name, value)| {
        let prefix = name.strip_suffix(HOST).filter(|prefix| !prefix.is_empty())?;
        Some((prefix, value.expose_secret()))
    });
    hosts
        .filter_map(|(prefix, host)| Set { environment, prefix }.found(host))
        .collect()
}

struct Set<'a> {
    environment: &'a Environment,
    prefix: &'a str,
}

impl Set<'_> {
    fn found(&self, host: &str) -> Option<Found> {
        let (user, password) = (self.first(USERS), self.first(PASSWORDS));
        if password.is_none() && self.first(FILES).is_some() {
            return None;
        }
        let variable = password.as_ref().or(user.as_ref())?.0.clone();
        let value = |set: Option<(String, SecretString)>| set.map(|(_, value)| value);
        let text = |set| value(set).map(|value| value.expose_secret().to_owned());
        let (host, port) = host_and_port(host);
        Some(Found {
            variable,
            host: host.to_owned(),
            login: Login {
                user: text(user),
                password: value(password),
                database: text(self.first(DATABASES)),
                port: text(self.first(PORTS)).and_then(|port| port.parse().ok()).or(port),
            },
        })
    }

    /// The first of these that is set and not empty.
    fn first(&self, names: &[&str]) -> Option<(String, SecretString)> {
        names.iter().find_map(|name| {
            let variable = format!("{}{name}", self.prefix);
            let value = self.environment.get(&variable)?;
            (!value.expose_secret().is_empty()).then(|| (variable, value.clone()))
        })
    }
}
