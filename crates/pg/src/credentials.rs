//! Who we are to a server, and which port it listens on: found in its container's environment and command line, below
//! what its operator has set.

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::workload::Workload;

/// Where a server listens unless it is told otherwise.
pub const PORT: u16 = 5432;

/// What is needed to log in.
#[derive(Clone)]
pub struct Credentials {
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// The port that the server listens on, over the network and by its socket.
    pub port: u16,
}

/// A password that need not be read yet.
#[derive(Clone)]
pub enum Password {
    /// The server is open to us, as far as its container says.
    None,
    /// This one.
    Known(SecretString),
    /// The content of a file inside the container (Docker secrets).
    InFile(SecretString),
}

/// What should be a number and is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a number")]
pub struct NoNumber(pub String);

impl Credentials {
    /// `set` tells what the operator has set of `USER`, `PASSWORD`, `PASSWORD_FILE` (a path inside the container) and
    /// `PORT`.
    pub fn of(workload: &Workload, set: impl Fn(&str) -> Option<SecretString>) -> Result<Self, NoNumber> {
        let own = |name: &str| workload.environment.get(name).cloned();
        let user = set("USER").or_else(|| own("POSTGRES_USER"));
        let password = set("PASSWORD")
            .map(Password::Known)
            .or_else(|| set("PASSWORD_FILE").map(Password::InFile))
            .or_else(|| own("POSTGRES_PASSWORD").map(Password::Known))
            .or_else(|| own("POSTGRES_PASSWORD_FILE").map(Password::InFile));
        let port = set("PORT").map(|port| port.expose_secret().to_owned());
        let port = port.or_else(|| port_of(workload));
        Ok(Self {
            user: user.map_or_else(|| "postgres".to_owned(), |user| user.expose_secret().to_owned()),
            password: password.unwrap_or(Password::None),
            port: match port {
                Some(text) => text.trim().parse().map_err(|_| NoNumber(text))?,
                None => PORT,
            },
        })
    }
}

/// The port that the server was started with: its command line stands above its environment.
fn port_of(workload: &Workload) -> Option<String> {
    let words: Vec<&str> = workload.command.words().collect();
    let told = words.iter().enumerate().filter_map(|(at, word)| {
        let next = || words.get(at + 1).copied();
        match *word {
            "-p" | "--port" => next(),
            "-c" | "--set" => next()?.strip_prefix("port="),
            word => ["--port=", "-cport=", "-p"]
                .iter()
                .find_map(|option| word.strip_prefix(option)),
        }
    });
    let told = told.map(|port| port.trim().to_owned()).next_back();
    told.or_else(|| {
        workload
            .environment
            .get("PGPORT")
            .map(|port| port.expose_secret().to_owned())
    })
}
