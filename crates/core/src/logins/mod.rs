//! The logins that clients hold in their environments, as clients spell them: in a URL, or in variables that
//! begin alike. Pure, and knows no kind of store: which store a host is, and what a user or a database means to
//! it, others say.
//!
//! Never here: what stands in a file that a variable names, which lies in the client's container. Nothing here
//! shows a secret.

mod passwords;
mod sets;
mod url;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::workload::Environment;

pub use passwords::Passwords;

/// What a client says to a store to be let in.
#[derive(Clone, Default)]
pub struct Login {
    /// The user. Without a password it may be no name but a secret itself.
    pub user: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The database, where the client names one.
    pub database: Option<String>,
    /// The port, where the client names one.
    pub port: Option<u16>,
}

/// A login that stands in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The variable to look at when it is refused.
    pub variable: String,
    /// Whom it is for, in the client's words.
    pub host: String,
    /// The login.
    pub login: Login,
}

/// Every login in an environment, in the order of its variables. What names neither a user nor a password is none.
pub fn find(environment: &Environment) -> Vec<Found> {
    let in_urls = environment.iter().flat_map(|(variable, value)| {
        let found = url::logins(value.expose_secret()).into_iter();
        found.map(|(host, login)| Found {
            variable: variable.to_owned(),
            host,
            login,
        })
    });
    in_urls.chain(sets::logins(environment)).collect()
}

impl Login {
    fn is_empty(&self) -> bool {
        self.user.is_none() && self.password.is_none()
    }

    fn password(&self) -> Option<&str> {
        self.password.as_ref().map(ExposeSecret::expose_secret)
    }
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        let parts = |login: &Self| (login.user.clone(), login.database.clone(), login.port);
        parts(self) == parts(other) && self.password() == other.password()
    }
}

/// Who it is, for messages: a name that stands alone is not shown, it may be a token.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.user, &self.password) {
            (Some(user), Some(_)) => write!(f, "user `{user}`")?,
            (Some(_), None) => f.write_str("a user without a password")?,
            (None, _) => f.write_str("no user, a password")?,
        }
        match &self.database {
            Some(database) => write!(f, ", database `{database}`"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({self})")
    }
}

#[cfg(test)]
mod tests;
