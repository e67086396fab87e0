//! For whom a request was meant and from which site it comes. Both are told by the browser: a name that is not ours means
//! that somebody's name leads here (DNS rebinding), another site that somebody's page asks in the name of who has signed in.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

use super::rules::Rules;

/// Whether the host that a request names is one by which the service is asked. An address is always: no name led here.
pub(super) fn is_ours(rules: &Rules, headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let named = host.to_str().is_ok_and(|host| knows(rules, host));
    named && uri.authority().is_none_or(|authority| knows(rules, authority.as_str()))
}

fn knows(rules: &Rules, authority: &str) -> bool {
    let host = without_port(authority).to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let public = rules.public.as_ref();
    let mut ours = rules.hosts.iter().map(String::as_str);
    is_address
        || host == "localhost"
        || public.is_some_and(|public| without_port(&public.authority) == host)
        || ours.any(|ours| ours.eq_ignore_ascii_case(host))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether a request that changes something comes from a page of ours. `Sec-Fetch-Site` says it (Fetch Metadata, W3C) where
/// a browser trusts the connection, else `Origin` does; text browsers send `Referer` alone. Who says nothing is refused.
pub(super) fn is_from_us(rules: &Rules, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(from) = text("origin").or_else(|| text("referer")) else {
        return false;
    };
    let host = text("host").unwrap_or_default();
    let Some((scheme, rest)) = from.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_web = scheme == "http" || scheme == "https";
    let is_public = |public: &super::PublicAddress| {
        let ours = public.to_string();
        from.strip_prefix(&ours)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    };
    is_web && authority.eq_ignore_ascii_case(host) || rules.public.as_ref().is_some_and(is_public)
}

/// A path of our own, where somebody is led to after he has signed in; anything else leads to the overview.
pub(crate) fn own_path(next: Option<&str>) -> &str {
    let next = next.unwrap_or("/");
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let leads_away = !next.starts_with('/') || next.starts_with("//");
    let goes_round = ["/sign-in", "/sign-out", "/setup/", "/api/"];
    if !is_plain || leads_away || goes_round.iter().any(|round| next.starts_with(round)) {
        return "/";
    }
    next
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(named: &[(&'static str, &str)]) -> HeaderMap {
        let named = named.iter();
        named
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn rules() -> Rules {
        Rules {
            public: Some("https://backup.example.org".parse().unwrap()),
            hosts: vec!["backup-stillpoint".to_owned()],
            ..Rules::default()
        }
    }

    fn is_answered(host: &str) -> bool {
        is_ours(&rules(), &headers(&[("host", host)]), &Uri::from_static("/"))
    }

    #[test]
    fn names_of_ours_and_addresses_are_answered_and_no_other_name() {
        for ours in [
            "localhost:3004",
            "LOCALHOST",
            "127.0.0.1:3004",
            "[::1]:3004",
            "192.168.1.7",
            "backup.example.org",
            "backup-stillpoint:3004",
        ] {
            assert!(is_answered(ours), "{ours}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example:3004",
            "127.0.0.1.nip.io",
            "example.org",
            "backup.example.org.evil",
            "evil.example:localhost",
            "",
        ] {
            assert!(!is_answered(other), "{other}");
        }
    }

    #[test]
    fn neither_a_second_host_nor_one_in_the_address_gets_around_it() {
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert!(!is_ours(&rules(), &headers(&[]), &Uri::from_static("/")));
        let mut both = HeaderMap::new();
        for (name, value) in two {
            both.append(name, HeaderValue::from_static(value));
        }
        assert!(!is_ours(&rules(), &both, &Uri::from_static("/")));
        let away = Uri::from_static("http://evil.example/");
        assert!(!is_ours(&rules(), &headers(&[("host", "localhost")]), &away));
    }

    fn passes(named: &[(&'static str, &str)]) -> bool {
        let named = [&[("host", "localhost:3004")], named].concat();
        is_from_us(&rules(), &headers(&named))
    }

    #[test]
    fn what_changes_something_comes_from_a_page_of_ours() {
        assert!(passes(&[("sec-fetch-site", "same-origin")]));
        assert!(passes(&[("origin", "http://localhost:3004")]));
        assert!(passes(&[("referer", "http://localhost:3004/runs?x=1")]));
        assert!(
            passes(&[("origin", "https://backup.example.org")]),
            "the proxy renames the host"
        );
        assert!(!passes(&[]));
        for site in ["cross-site", "same-site", "none", ""] {
            let lies = [("sec-fetch-site", site), ("origin", "http://localhost:3004")];
            assert!(!passes(&lies), "{site}");
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://localhost",
            "http://localhost:30044",
            "https://backup.example.org.evil",
            "ftp://localhost:3004",
            "http://evil.example/http://localhost:3004",
        ] {
            assert!(!passes(&[("origin", origin)]), "{origin}");
            assert!(
                !passes(&[("origin", origin), ("referer", "http://localhost:3004/")]),
                "{origin}"
            );
        }
    }

    #[test]
    fn nobody_is_led_elsewhere_after_he_has_signed_in() {
        for own in ["/", "/runs/42?log=err#l7", "/backups/2026-02-17_00-00-00"] {
            assert_eq!(own_path(Some(own)), own);
        }
        for away in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil.example",
            "",
            "/a\r\nb",
            "/\t/evil.example",
            "/sign-out",
            "javascript:alert(1)",
        ] {
            assert_eq!(own_path(Some(away)), "/", "{away:?}");
        }
        assert_eq!(own_path(None), "/");
    }
}
