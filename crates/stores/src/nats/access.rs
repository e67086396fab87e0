//! Who we are to the server: one login for each account, from our settings, else the one login with
//! which the container was started. JetStream's API shows an account nothing of the others, so an
//! account without a login cannot be backed up at all.

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::StoreName;
use stillpoint_core::workload::Workload;

use crate::Setting;

/// Where clients connect, unless a setting or the command line says otherwise.
const PORT: u16 = 4222;

/// The settings by which a login proves who it is.
const PROOFS: [&str; 5] = ["CREDS", "NKEY_SEED", "TOKEN", "USER", "PASSWORD"];

/// What our settings and the container say.
#[derive(Clone)]
pub(super) struct Access {
    /// One for each account; never empty.
    pub(super) logins: Vec<Login>,
    pub(super) port: u16,
    pub(super) tls: Tls,
    /// The variable that names the accounts.
    pub(super) accounts_variable: String,
}

/// A login.
#[derive(Clone)]
pub(super) struct Login {
    /// The account it belongs to, where somebody named it.
    pub(super) account: Option<String>,
    pub(super) proof: Proof,
    /// The variables of this login, up to the last word: `STILLPOINT_NATS_APP`.
    pub(super) prefix: String,
}

/// How a login proves who it is.
#[derive(Clone)]
pub(super) enum Proof {
    /// Not at all: the server lets everybody in, or knows an account for those without a name.
    None,
    Password {
        user: String,
        password: SecretString,
    },
    Token(SecretString),
    /// The seed of an nkey.
    Seed(SecretString),
    /// The text of a credentials file: a JWT and the seed of its key.
    Credentials(SecretString),
}

/// How a server with TLS proves who it is, and we to it.
#[derive(Clone, Default)]
pub(super) struct Tls {
    /// Certificates, as PEM, by which the server's must be signed; the system's if none.
    pub(super) authorities: Option<SecretString>,
    /// Our own certificate and its key, as PEM.
    pub(super) client: Option<(SecretString, SecretString)>,
    /// The names of which the server's certificate must bear one.
    pub(super) names: Vec<String>,
}

impl Access {
    /// An error, in words, names a setting that could have no effect as it stands.
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Self, String> {
        let asked = |what: &str| setting(&crate::variable(store.as_str(), what));
        let accounts_variable = crate::variable(store.as_str(), "ACCOUNTS");
        let accounts = asked("ACCOUNTS").map_or_else(Vec::new, |list| split(list.expose_secret()));
        let logins = if accounts.is_empty() {
            vec![unnamed(store, workload, setting)?]
        } else {
            if let Some(what) = PROOFS.iter().find(|what| asked(what).is_some()) {
                let variable = crate::variable(store.as_str(), what);
                return Err(format!(
                    "{variable} has no effect where {accounts_variable} names accounts: set it for one of them, with the \
                     account's name before {what}"
                ));
            }
            let named = |account| named(store, account, setting);
            accounts.into_iter().map(named).collect::<Result<_, _>>()?
        };
        let (certificate, key) = (asked("TLS_CERT"), asked("TLS_KEY"));
        if certificate.is_some() != key.is_some() {
            let both = ["TLS_CERT", "TLS_KEY"].map(|what| crate::variable(store.as_str(), what));
            return Err(format!("{} and {} have an effect only together", both[0], both[1]));
        }
        Ok(Self {
            logins,
            port: port(store, workload, asked("PORT"))?,
            tls: Tls {
                authorities: asked("TLS_CA"),
                client: certificate.zip(key),
                names: names(workload, asked("TLS_NAME")),
            },
            accounts_variable,
        })
    }
}

fn port(store: &StoreName, workload: &Workload, set: Option<SecretString>) -> Result<u16, String> {
    let set = set.map(|port| port.expose_secret().to_owned());
    let Some(port) = set.or_else(|| option(workload, &["-p", "--port"])) else {
        return Ok(PORT);
    };
    let variable = crate::variable(store.as_str(), "PORT");
    let number = port.parse().ok().filter(|port| *port > 0);
    number.ok_or_else(|| format!("`{port}` is no port: set {variable} to one"))
}

impl Login {
    /// How messages and inventories call what belongs to this login.
    pub(super) fn label(&self, stream: &str) -> String {
        match &self.account {
            Some(account) => format!("{account}/{stream}"),
            None => stream.to_owned(),
        }
    }

    /// The account, for messages.
    pub(super) fn told(&self) -> String {
        match &self.account {
            Some(account) => format!("account {account}"),
            None => "the account".to_owned(),
        }
    }

    /// Who is refused, for messages.
    pub(super) fn user(&self) -> &str {
        match &self.proof {
            Proof::None => "(none)",
            Proof::Password { user, .. } => user,
            Proof::Token(_) => "(token)",
            Proof::Seed(_) => "(nkey)",
            Proof::Credentials(_) => "(credentials)",
        }
    }

    /// How to give another.
    pub(super) fn remedy(&self) -> String {
        let prefix = &self.prefix;
        format!(
            "set {prefix}_USER and {prefix}_PASSWORD, or one of {prefix}_TOKEN, {prefix}_NKEY_SEED, {prefix}_CREDS \
             (each secret also as a file: …_FILE)"
        )
    }
}

fn split(list: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn named(store: &StoreName, account: String, setting: &Setting) -> Result<Login, String> {
    let prefix = crate::variable(store.as_str(), &plain(&account));
    Ok(Login {
        proof: own(&prefix, setting)?.unwrap_or(Proof::None),
        account: Some(account),
        prefix,
    })
}

/// Our settings first; then what the container's command line sets up.
fn unnamed(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Login, String> {
    let prefix = crate::variable(store.as_str(), "");
    let prefix = prefix.trim_end_matches('_').to_owned();
    let proof = own(&prefix, setting)?.or_else(|| of_command(workload));
    Ok(Login {
        account: None,
        proof: proof.unwrap_or(Proof::None),
        prefix,
    })
}

/// An account's name as a part of a variable's, like a store's.
fn plain(account: &str) -> String {
    let plain = |char: char| {
        if char.is_ascii_alphanumeric() {
            char.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    account.chars().map(plain).collect()
}

fn own(prefix: &str, setting: &Setting) -> Result<Option<Proof>, String> {
    let asked = |what: &str| setting(&format!("{prefix}_{what}"));
    let set: Vec<&str> = PROOFS.into_iter().filter(|what| asked(what).is_some()).collect();
    match set[..] {
        [] => Ok(None),
        ["CREDS"] => Ok(asked("CREDS").map(Proof::Credentials)),
        ["NKEY_SEED"] => Ok(asked("NKEY_SEED").map(Proof::Seed)),
        ["TOKEN"] => Ok(asked("TOKEN").map(Proof::Token)),
        ["USER"] | ["USER", "PASSWORD"] => Ok(asked("USER").map(|user| Proof::Password {
            user: user.expose_secret().to_owned(),
            password: asked("PASSWORD").unwrap_or_default(),
        })),
        ["PASSWORD"] => Err(format!("{prefix}_PASSWORD has no effect without {prefix}_USER")),
        _ => Err(format!(
            "a login has one proof, and {prefix}_ is followed by {} in what is set",
            set.join(", ")
        )),
    }
}

/// The server's options (`nats-server --help`): `--user` with `--pass`, or `--auth` with a token.
fn of_command(workload: &Workload) -> Option<Proof> {
    if let Some(user) = option(workload, &["--user"]) {
        let password = option(workload, &["--pass"]).unwrap_or_default();
        let password = SecretString::from(password);
        return Some(Proof::Password { user, password });
    }
    option(workload, &["--auth"]).map(|token| Proof::Token(token.into()))
}

/// The value of an option; Go's flags take one or two dashes, and `=` or a word of its own.
fn option(workload: &Workload, names: &[&str]) -> Option<String> {
    let is_it = |word: &str| {
        let bare = |text: &str| text.trim_start_matches('-').to_owned();
        word.starts_with('-') && names.iter().any(|name| bare(name) == bare(word))
    };
    let mut words = workload.command.words();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((name, value)) if is_it(name) => return Some(value.to_owned()),
            None if is_it(word) => return words.next().map(ToOwned::to_owned),
            _ => {}
        }
    }
    None
}

/// What the platform calls the server: its certificate was made for one of these.
fn names(workload: &Workload, own: Option<SecretString>) -> Vec<String> {
    match own {
        Some(name) => vec![name.expose_secret().to_owned()],
        None => vec![
            workload.address.service.clone(),
            workload.container.clone(),
            "localhost".to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests;
