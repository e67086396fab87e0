//! What is set of access over a network port.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderName, header};
use ipnet::IpNet;

/// What is set of access over a network port. As it comes, loopback names and addresses are answered, and no proxy is believed.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The address under which browsers know the service.
    pub public: Option<PublicAddress>,
    /// More names by which it is asked, without a port.
    pub hosts: Vec<String>,
    /// Whose word counts about the client's address and, with `sign_on`, about who it is.
    pub proxies: Vec<IpNet>,
    /// How a proxy says who has signed in there.
    pub sign_on: Option<SignOn>,
    /// Everybody may read the metrics.
    pub open_metrics: bool,
}

/// How a proxy says who has signed in there.
#[derive(Clone, Debug)]
pub struct SignOn {
    /// The header that holds his name.
    pub user: HeaderName,
    /// The header that holds his groups, parted by commas.
    pub groups: Option<HeaderName>,
    /// Whoever is in one of these is an administrator.
    pub admins: Vec<String>,
    /// Whoever is in one of these is an operator.
    pub operators: Vec<String>,
}

impl SignOn {
    /// Refuses a header that everybody sends, or that means something else.
    pub fn header(name: &str) -> Result<HeaderName, String> {
        let known = [header::AUTHORIZATION, header::COOKIE, header::HOST, header::ORIGIN];
        match HeaderName::from_str(name) {
            Ok(name) if known.contains(&name) => Err(format!("`{name}` means something else")),
            named => named.map_err(|_| format!("`{name}` is no name of a header")),
        }
    }
}

/// The address under which browsers know the service: scheme and host, with the port if it is not the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress {
    /// It is reached over TLS, so cookies are for TLS alone.
    pub is_secure: bool,
    /// Host and port, as browsers write them.
    pub authority: String,
}

impl FromStr for PublicAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address such as `https://backup.example.org`");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().map(Authority::as_str).unwrap_or_default();
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(format!("`{text}` has a path: the service needs a host name of its own"));
        }
        if authority.is_empty() || authority.contains('@') {
            return Err(wrong());
        }
        let usual = if is_secure { ":443" } else { ":80" };
        let authority = authority.strip_suffix(usual).unwrap_or(authority).to_ascii_lowercase();
        Ok(Self { is_secure, authority })
    }
}

impl std::fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.is_secure { "https" } else { "http" },
            self.authority
        )
    }
}

impl Rules {
    /// Whether a proxy that is believed has this address.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }

    /// Cookies are for TLS alone.
    pub(crate) fn is_secure(&self) -> bool {
        self.public.as_ref().is_some_and(|public| public.is_secure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_a_scheme_and_a_host() {
        let address = |text: &str| text.parse::<PublicAddress>().map(|address| address.to_string());
        assert_eq!(
            address("https://Backup.example.org:443/").unwrap(),
            "https://backup.example.org"
        );
        assert_eq!(address("http://10.0.0.7:3004").unwrap(), "http://10.0.0.7:3004");
        for wrong in [
            "backup.example.org",
            "ftp://a",
            "https://a/b",
            "https://u@a",
            "https://",
            "",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_header_that_browsers_send_never_says_who_it_is() {
        assert!(SignOn::header("Remote-User").is_ok());
        for wrong in ["cookie", "Authorization", "Host", "a b", ""] {
            assert!(SignOn::header(wrong).is_err(), "{wrong}");
        }
    }
}
