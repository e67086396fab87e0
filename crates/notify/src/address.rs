//! Addresses as operators write them: parted, and taken apart. What is refused is named by its place in the list and its
//! scheme; the rest of an address is a secret.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Why an address cannot be taken, without what is secret of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub(crate) String);

/// Parts a list of addresses: by white space, and by a comma after which another address begins. Addresses may hold commas.
pub fn parted(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for word in text.split_whitespace() {
        let mut rest = word;
        while let Some(at) = next_address(rest) {
            parts.push(&rest[..at]);
            rest = &rest[at + 1..];
        }
        parts.push(rest);
    }
    let parts = parts.into_iter().map(|part| part.trim_matches(','));
    parts.filter(|part| !part.is_empty()).collect()
}

/// Where a comma stands that parts two addresses.
fn next_address(text: &str) -> Option<usize> {
    let begins = |rest: &str| {
        let scheme = rest.split("://").next().unwrap_or_default();
        // A heartbeat has the name of its job before its address.
        rest.contains("://") && !scheme.is_empty() && scheme.bytes().all(is_of_scheme)
    };
    let commas = text.match_indices(',').map(|(at, _)| at);
    commas.into_iter().find(|at| begins(&text[at + 1..]))
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-._=".contains(&byte)
}

/// An address taken apart.
pub(crate) struct Parts {
    /// The scheme, without what may follow it as `+https`.
    pub(crate) scheme: String,
    /// What follows it.
    pub(crate) over: Option<String>,
    /// All of it.
    pub(crate) url: Url,
    /// What was asked for in the query.
    asked: Vec<(String, String)>,
    /// Which of it nobody has asked about yet.
    unheeded: Vec<String>,
}

impl Parts {
    /// Takes an address apart. The refusal names no part of it.
    pub(crate) fn of(text: &str) -> Result<Self, Refusal> {
        let url = Url::parse(text).map_err(|why| Refusal(format!("it is no address ({why})")))?;
        let (scheme, over) = match url.scheme().split_once('+') {
            Some((scheme, over)) => (scheme.to_owned(), Some(over.to_owned())),
            None => (url.scheme().to_owned(), None),
        };
        let asked: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
            .collect();
        let unheeded = asked.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self {
            scheme,
            over,
            url,
            asked,
            unheeded,
        })
    }

    /// The host, as it was written.
    pub(crate) fn host(&self) -> Result<String, Refusal> {
        match self.url.host_str().filter(|host| !host.is_empty()) {
            Some(host) => Ok(decoded(host)),
            None => Err(Refusal("it names no host".to_owned())),
        }
    }

    /// The user, if there is one.
    pub(crate) fn user(&self) -> Option<String> {
        Some(decoded(self.url.username())).filter(|user| !user.is_empty())
    }

    /// The password, if there is one.
    pub(crate) fn password(&self) -> Option<String> {
        self.url.password().map(decoded).filter(|password| !password.is_empty())
    }

    /// The parts of its path.
    pub(crate) fn path(&self) -> Vec<String> {
        let path = self.url.path().split('/');
        path.filter(|part| !part.is_empty()).map(decoded).collect()
    }

    /// What stands after `#`.
    pub(crate) fn fragment(&self) -> Option<String> {
        self.url.fragment().map(decoded).filter(|fragment| !fragment.is_empty())
    }

    /// What the query says of one of these names.
    pub(crate) fn asked(&mut self, names: &[&str]) -> Option<String> {
        self.unheeded.retain(|name| !names.contains(&name.as_str()));
        let mut asked = self.asked.iter();
        let found = asked.find(|(name, value)| names.contains(&name.as_str()) && !value.is_empty());
        found.map(|(_, value)| value.clone())
    }

    /// What of the query has no effect.
    pub(crate) fn unheeded(&self) -> &[String] {
        &self.unheeded
    }

    /// An address at the same host and port, over TLS or not.
    pub(crate) fn at(&self, secure: bool, path: &str) -> Result<Url, Refusal> {
        let scheme = if secure { "https" } else { "http" };
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let text = format!("{scheme}://{}{port}{path}", self.url.host_str().unwrap_or_default());
        Url::parse(&text).map_err(|why| Refusal(format!("it leads nowhere ({why})")))
    }
}

/// `true`, `yes`, `1`, `on`.
pub(crate) fn is_yes(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1" | "on")
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
