//! Who asks: the bearer of a token, somebody for whom a trusted proxy speaks, or somebody who has signed in.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use jiff::SignedDuration;
use stillpoint_core::ports::accounts::{Hashed, Role};
use stillpoint_core::ports::history::Way;

use super::rules::{Rules, SignOn};
use super::{Access, Who, refusals, secrets};
use crate::wire::Problem;

/// Uses that follow each other faster are noted once.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The other end of the connection. Whoever serves the port says it with every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// From where somebody asks: his address, or what a trusted proxy says that it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Who asks, and by what we know.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) who: Who,
    pub(super) proof: Proof,
}

/// By what somebody is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A cookie with the id of a session.
    Session(Hashed),
    /// A token, which no browser sends by itself.
    Token,
    /// The word of a trusted proxy.
    Proxy,
}

/// From where somebody asks. Each proxy adds whom it has heard to `X-Forwarded-For`: the last one that is no proxy of ours
/// counts, what stands before it anybody can write.
pub(super) fn client_address(rules: &Rules, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
    let peer = peer.to_canonical();
    if !rules.is_proxy(peer) {
        return ClientAddress(peer);
    }
    let told = headers.get_all("x-forwarded-for").iter();
    let told: Vec<&str> = told.filter_map(|value| value.to_str().ok()).collect();
    let mut nearest = peer;
    for told in told.join(",").rsplit(',') {
        let Ok(address) = told.trim().trim_matches(['[', ']']).parse::<IpAddr>() else {
            break;
        };
        nearest = address.to_canonical();
        if !rules.is_proxy(nearest) {
            break;
        }
    }
    ClientAddress(nearest)
}

/// Who asks; none: nobody that we know. Fails where a token counts for nothing, or nobody can be known now.
pub(super) async fn identify(access: &Access, peer: IpAddr, headers: &HeaderMap) -> Result<Option<Identity>, Problem> {
    if let Some(token) = bearer(headers) {
        return of_token(access, token).await.map(Some);
    }
    if let Some(sign_on) = &access.rules.sign_on
        && access.rules.is_proxy(peer.to_canonical())
        && let Some(name) = text(headers, &sign_on.user)
    {
        return of_proxy(access, sign_on, name, headers).await.map(Some);
    }
    match access.cookie(headers) {
        Some(id) => of_session(access, secrets::hashed(&id)).await,
        None => Ok(None),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    // Two of them: somebody has added his own.
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let value = value.to_str().ok()?.trim();
    (!value.is_empty() && value.len() <= 256).then_some(value)
}

/// Whether somebody who was known by this is known still. Is no use of it: what only listens keeps no session alive.
pub(super) async fn still_counts(access: &Access, proof: &Proof, headers: &HeaderMap) -> bool {
    let now = access.now();
    let found = match proof {
        Proof::Session(id) => access.accounts.session(id, now).await.map(|found| found.is_some()),
        Proof::Token => {
            let token = secrets::hashed(bearer(headers).unwrap_or_default());
            access.accounts.token(&token, now).await.map(|found| found.is_some())
        }
        // The proxy's word was for this request.
        Proof::Proxy => Ok(true),
    };
    // Accounts that cannot be read say nothing against him.
    found.unwrap_or(true)
}

async fn of_token(access: &Access, token: &str) -> Result<Identity, Problem> {
    let now = access.now();
    let found = access.accounts.token(&secrets::hashed(token), now).await?;
    let token = found.ok_or_else(refusals::bad_token)?;
    if token.used_at.is_none_or(|used| now.duration_since(used) > NOTED_EVERY) {
        access.warn_of(access.accounts.use_token(&token.name, now).await);
    }
    Ok(Identity {
        who: Who {
            name: format!("token {}", token.name),
            role: token.role,
            way: Way::Api,
        },
        proof: Proof::Token,
    })
}

async fn of_session(access: &Access, id: Hashed) -> Result<Option<Identity>, Problem> {
    let now = access.now();
    let Some((session, user)) = access.accounts.session(&id, now).await? else {
        return Ok(None);
    };
    if now.duration_since(session.used_at) > NOTED_EVERY {
        access.warn_of(access.accounts.use_session(&id, now).await);
    }
    Ok(Some(Identity {
        who: Who {
            name: user.name,
            role: user.role,
            way: Way::Ui,
        },
        proof: Proof::Session(id),
    }))
}

/// The role is that of his groups; of somebody in none of them, that of the user of his name here; else he may look.
async fn of_proxy(access: &Access, sign_on: &SignOn, name: &str, headers: &HeaderMap) -> Result<Identity, Problem> {
    let groups = sign_on.groups.as_ref().and_then(|header| text(headers, header));
    let groups: Vec<&str> = groups
        .unwrap_or_default()
        .split([',', ';', '|'])
        .map(str::trim)
        .collect();
    let is_in = |wanted: &[String]| wanted.iter().any(|wanted| groups.contains(&wanted.as_str()));
    let role = if is_in(&sign_on.admins) {
        Role::Admin
    } else if is_in(&sign_on.operators) {
        Role::Operator
    } else {
        let known = access.accounts.user(name).await?;
        known.map_or(Role::Viewer, |(user, _)| user.role)
    };
    Ok(Identity {
        who: Who {
            name: name.to_owned(),
            role,
            way: Way::Ui,
        },
        proof: Proof::Proxy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let rules = Rules {
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Rules::default()
        };
        let mut headers = HeaderMap::new();
        for told in forwarded {
            headers.append("x-forwarded-for", told.parse().unwrap());
        }
        client_address(&rules, peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn only_a_proxy_that_is_trusted_says_for_whom_it_asks() {
        assert_eq!(address("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(address("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_somebody_has_written_himself_before_the_proxy_counts_for_nothing() {
        assert_eq!(
            address("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"]),
            "198.51.100.7"
        );
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
    }
}
