//! Who we are to the server: one login for each account, from our settings, else the one login with
//! which the container was started. JetStream's API shows an account nothing of the others, so an
//! account without a login cannot be backed up at all.

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::workload::Workload;

use crate::Setting;
use crate::settings::{self, Key, PASSWORD, Shape, USER};

/// Where clients connect, unless a setting or the command line says otherwise.
pub(super) const PORT: u16 = 4222;

/// The accounts that have a login each.
const ACCOUNTS: Key = Key {
    name: "accounts",
    shape: Shape::List,
    fallback: "one, found out",
    about: "The accounts that have a login each; an account's settings have its name before the key.",
    parts: None,
};

const TOKEN: Key = Key {
    name: "token",
    about: "A token as the proof who we are.",
    ..PASSWORD
};

const NKEY_SEED: Key = Key {
    name: "nkey_seed",
    about: "The seed of an nkey as the proof who we are.",
    ..PASSWORD
};

const CREDS: Key = Key {
    name: "creds",
    about: "The text of a credentials file as the proof who we are.",
    ..PASSWORD
};

/// Pages of letters, which stand in a file. No secret, but nothing to be shown either.
const TLS_CA: Key = Key {
    name: "tls_ca",
    shape: Shape::Secret,
    fallback: "the system's",
    about: "Certificates (PEM) of authorities that vouch for the server.",
    parts: None,
};

const TLS_CERT: Key = Key {
    name: "tls_cert",
    fallback: "none",
    about: "Our own certificate (PEM), where the server asks for one.",
    ..TLS_CA
};

const TLS_KEY: Key = Key {
    name: "tls_key",
    fallback: "none",
    about: "The key of our own certificate (PEM).",
    ..TLS_CA
};

const TLS_NAME: Key = Key {
    name: "tls_name",
    shape: Shape::Text,
    fallback: "the service's, the container's, or `localhost`",
    about: "The name in the server's certificate.",
    parts: None,
};

/// What this kind can be told.
pub(super) const KEYS: [Key; 11] = [
    settings::PORT,
    USER,
    PASSWORD,
    TOKEN,
    NKEY_SEED,
    CREDS,
    ACCOUNTS,
    TLS_CA,
    TLS_CERT,
    TLS_KEY,
    TLS_NAME,
];

/// The settings by which a login proves who it is.
const PROOFS: [&Key; 5] = [&CREDS, &NKEY_SEED, &TOKEN, &USER, &PASSWORD];

/// What our settings and the container say.
#[derive(Clone)]
pub(super) struct Access {
    /// One for each account; never empty.
    pub(super) logins: Vec<Login>,
    pub(super) port: u16,
    pub(super) tls: Tls,
    /// The variable that names the accounts.
    pub(super) accounts_variable: String,
    /// What the names of the store's variables begin with: `STILLPOINT_NATS`.
    pub(super) prefix: String,
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
    pub(super) fn of(workload: &Workload, setting: &Setting) -> Result<Self, String> {
        let accounts_variable = setting.variable(&ACCOUNTS);
        let accounts = setting.list(&ACCOUNTS);
        let logins = if accounts.is_empty() {
            vec![unnamed(workload, setting)?]
        } else {
            if let Some(key) = PROOFS.into_iter().find(|key| setting.secret(key).is_some()) {
                let variable = setting.variable(key);
                return Err(format!(
                    "{variable} has no effect where {accounts_variable} names accounts: set it for one of them, with the \
                     account's name before {}",
                    word(key)
                ));
            }
            let named = |account| named(account, setting);
            accounts.into_iter().map(named).collect::<Result<_, _>>()?
        };
        let (certificate, key) = (setting.secret(&TLS_CERT), setting.secret(&TLS_KEY));
        if certificate.is_some() != key.is_some() {
            let both = [&TLS_CERT, &TLS_KEY].map(|key| setting.variable(key));
            return Err(format!("{} and {} have an effect only together", both[0], both[1]));
        }
        let port = setting.number(&settings::PORT, option(workload, &["-p", "--port"]))?;
        Ok(Self {
            logins,
            port: port.unwrap_or(PORT),
            tls: Tls {
                authorities: setting.secret(&TLS_CA),
                client: certificate.zip(key),
                names: names(workload, setting.text(&TLS_NAME)),
            },
            accounts_variable,
            prefix: setting.prefix(),
        })
    }
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

fn named(account: String, setting: &Setting) -> Result<Login, String> {
    let setting = setting.part(&account);
    Ok(Login {
        proof: own(&setting)?.unwrap_or(Proof::None),
        account: Some(account),
        prefix: setting.prefix(),
    })
}

/// Our settings first; then what the container's command line sets up.
fn unnamed(workload: &Workload, setting: &Setting) -> Result<Login, String> {
    let proof = own(setting)?.or_else(|| of_command(workload));
    Ok(Login {
        account: None,
        proof: proof.unwrap_or(Proof::None),
        prefix: setting.prefix(),
    })
}

/// How a variable of the setting ends.
fn word(key: &Key) -> String {
    key.name.to_ascii_uppercase()
}

fn own(setting: &Setting) -> Result<Option<Proof>, String> {
    let set: Vec<(&Key, SecretString)> = PROOFS
        .into_iter()
        .filter_map(|key| Some((key, setting.secret(key)?)))
        .collect();
    let user = |user: &SecretString, password| Proof::Password {
        user: user.expose_secret().to_owned(),
        password,
    };
    let proof = match &set[..] {
        [] => return Ok(None),
        [(key, text)] if **key == CREDS => Proof::Credentials(text.clone()),
        [(key, text)] if **key == NKEY_SEED => Proof::Seed(text.clone()),
        [(key, text)] if **key == TOKEN => Proof::Token(text.clone()),
        [(key, name)] if **key == USER => user(name, SecretString::default()),
        [(key, name), (proof, password)] if **key == USER && **proof == PASSWORD => user(name, password.clone()),
        [_] => {
            let [password, user] = [&PASSWORD, &USER].map(|key| setting.variable(key));
            return Err(format!("{password} has no effect without {user}"));
        }
        several => {
            let words: Vec<String> = several.iter().map(|(key, _)| word(key)).collect();
            return Err(format!(
                "a login has one proof, and {}_ is followed by {} in what is set",
                setting.prefix(),
                words.join(", ")
            ));
        }
    };
    Ok(Some(proof))
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
fn names(workload: &Workload, own: Option<String>) -> Vec<String> {
    match own {
        Some(name) => vec![name],
        None => vec![
            workload.address.service.clone(),
            workload.container.clone(),
            "localhost".to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests;
