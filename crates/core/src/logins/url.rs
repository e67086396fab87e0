//! Logins in URLs: `scheme://user:password@host:port/database` (RFC 3986), also several in one value, one with
//! several hosts, and one whose user and password are parameters, as JDBC has them.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::Login;

/// What no store speaks: pages, and a store's monitoring.
const PAGES: [&str; 2] = ["http", "https"];

const AFTER_SCHEME: &str = "://";

/// The logins in a value, with their hosts.
pub(super) fn logins(value: &str) -> Vec<(String, Login)> {
    let begins: Vec<(usize, usize)> = value
        .match_indices(AFTER_SCHEME)
        .map(|(at, mark)| (scheme_before(value, at), at + mark.len()))
        .collect();
    let ends = begins.iter().skip(1).map(|(scheme, _)| *scheme).chain([value.len()]);
    let urls = begins.iter().zip(ends).filter_map(|((scheme, after), end)| {
        let scheme = value.get(*scheme..after - AFTER_SCHEME.len())?;
        let is_one = !scheme.is_empty() && !PAGES.contains(&scheme.to_ascii_lowercase().as_str());
        is_one.then(|| value.get(*after..end)).flatten()
    });
    urls.flat_map(|rest| in_url(rest.split(ends_url).next().unwrap_or_default()))
        .collect()
}

fn scheme_before(value: &str, at: usize) -> usize {
    let is_scheme = |char: char| char.is_ascii_alphanumeric() || "+-.".contains(char);
    let before = value.get(..at).unwrap_or_default();
    before.trim_end_matches(is_scheme).len()
}

fn ends_url(char: char) -> bool {
    char.is_whitespace() || "\"'`<>".contains(char)
}

/// The logins of one URL, from behind its scheme: one for each host.
fn in_url(rest: &str) -> Vec<(String, Login)> {
    let rest = rest.trim_end_matches(',');
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user_info, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let login = Login {
        user: decoded(user).or_else(|| parameter(query, "user")),
        password: decoded(password)
            .or_else(|| parameter(query, "password"))
            .map(SecretString::from),
        database: decoded(path),
        port: None,
    };
    if login.is_empty() {
        return Vec::new();
    }
    let hosts = hosts.split(',').filter(|host| !host.is_empty());
    hosts
        .map(|host| {
            let (host, port) = host_and_port(host);
            (host.to_owned(), Login { port, ..login.clone() })
        })
        .collect()
}

/// `host` or `host:port`.
pub(super) fn host_and_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (text, None),
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    decoded(pairs.find(|(key, _)| *key == name)?.1)
}

/// Without percent signs; none if it is empty.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    (!text.is_empty()).then(|| text.into_owned())
}
