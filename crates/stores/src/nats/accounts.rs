//! Whether every account that has streams has a login, and every login shows the account that it was
//! given for. A stream that nobody looks at is in no backup, and nobody would miss it before a restore.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::access::{Access, Login};
use super::monitoring::{Account, Overview};
use super::streams::Stream;

/// A stream and when it was made: no two streams of a server have both alike.
type Identity = (String, Result<Timestamp, String>);

/// What a login shows.
pub(super) struct Seen<'a> {
    pub(super) login: &'a Login,
    pub(super) streams: &'a [Stream],
}

/// Why the logins are not those of all accounts with streams; none if they are, as far as can be seen.
pub(super) fn objection(access: &Access, seen: &[Seen<'_>], overview: Option<&Overview>) -> Option<String> {
    twice(seen).or_else(|| {
        let accounts = overview?.accounts.as_slice();
        match seen {
            [one] if one.login.account.is_none() => of_one(access, one, accounts),
            _ => of_several(access, seen, accounts),
        }
    })
}

/// Two logins of one account: the other account would be missing.
fn twice(seen: &[Seen<'_>]) -> Option<String> {
    for (nth, one) in seen.iter().enumerate() {
        let here = identities(one.streams);
        let other = seen[nth + 1..]
            .iter()
            .find(|other| !here.is_disjoint(&identities(other.streams)))?;
        if !here.is_empty() {
            return Some(format!(
                "the logins of {} and {} show the same streams: one of them is of another account; {}",
                one.login.told(),
                other.login.told(),
                other.login.remedy()
            ));
        }
    }
    None
}

fn of_one(access: &Access, one: &Seen<'_>, accounts: &[Account]) -> Option<String> {
    let not_ours = accounts.iter().filter(|account| !shows(one, account));
    let names: Vec<&str> = not_ours.map(name).collect();
    if names.is_empty() {
        return None;
    }
    Some(format!(
        "there is no login for {} with streams: set {}=NAME,… to the names of all accounts that have streams, and for \
         each {}",
        listed(&names),
        access.accounts_variable,
        Login {
            account: None,
            prefix: format!("{}_<ACCOUNT>", one.login.prefix),
            ..one.login.clone()
        }
        .remedy()
        .trim_start_matches("set "),
    ))
}

fn of_several(access: &Access, seen: &[Seen<'_>], accounts: &[Account]) -> Option<String> {
    let login = |account: &Account| {
        let is_named = |seen: &&Seen<'_>| {
            seen.login
                .account
                .as_ref()
                .is_some_and(|name| account.names.contains(name))
        };
        seen.iter().find(is_named)
    };
    let missing: Vec<&str> = accounts
        .iter()
        .filter(|account| login(account).is_none())
        .map(name)
        .collect();
    if !missing.is_empty() {
        let prefix = &access.prefix;
        return Some(format!(
            "there is no login for {} with streams: name it in {} and set {prefix}_<ACCOUNT>_USER and \
             {prefix}_<ACCOUNT>_PASSWORD (or …_TOKEN, …_NKEY_SEED, …_CREDS)",
            listed(&missing),
            access.accounts_variable,
        ));
    }
    let strange = accounts
        .iter()
        .find_map(|account| login(account).filter(|seen| !shows(seen, account)));
    strange.map(|seen| {
        format!(
            "the login given for {} is of another account: it shows none of its streams; {}",
            seen.login.told(),
            seen.login.remedy()
        )
    })
}

/// Whether a login shows a stream of the account. Clients may make and remove others meanwhile.
fn shows(seen: &Seen<'_>, account: &Account) -> bool {
    let theirs: BTreeSet<Identity> = account
        .streams
        .iter()
        .map(|(name, created)| (name.clone(), moment(created)))
        .collect();
    !identities(seen.streams).is_disjoint(&theirs)
}

fn identities(streams: &[Stream]) -> BTreeSet<Identity> {
    streams
        .iter()
        .map(|stream| (stream.name().to_owned(), moment(&stream.created)))
        .collect()
}

/// The same moment may be written in several ways.
fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| text.to_owned())
}

fn name(account: &Account) -> &str {
    account.names.first().map_or("(no name)", String::as_str)
}

fn listed(names: &[&str]) -> String {
    let word = if names.len() == 1 { "account" } else { "accounts" };
    format!("{word} {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::access::{Proof, Tls};
    use super::super::monitoring::Reserved;
    use super::*;

    fn login(account: Option<&str>) -> Login {
        Login {
            account: account.map(Into::into),
            proof: Proof::None,
            prefix: "STILLPOINT_NATS".into(),
        }
    }

    fn streams(names: &[&str]) -> Vec<Stream> {
        let stream = |name: &&str| {
            let config = json!({"name": name});
            Stream::of(&json!({"config": config, "state": {}, "created": "2026-01-01T00:00:00Z"}))
        };
        names.iter().map(stream).collect()
    }

    fn account(name: &str, streams: &[&str]) -> Account {
        let born = |name: &&str| ((*name).to_owned(), "2026-01-01T01:00:00+01:00".to_owned());
        Account {
            names: vec![name.into()],
            streams: streams.iter().map(born).collect(),
        }
    }

    fn objects(logins: &[(Option<&str>, &[&str])], accounts: Option<Vec<Account>>) -> Option<String> {
        let logins: Vec<_> = logins
            .iter()
            .map(|(account, names)| (login(*account), streams(names)))
            .collect();
        let access = Access {
            logins: Vec::new(),
            port: 0,
            tls: Tls::default(),
            accounts_variable: "STILLPOINT_NATS_ACCOUNTS".into(),
            prefix: "STILLPOINT_NATS".into(),
        };
        let seen: Vec<_> = logins.iter().map(|(login, streams)| Seen { login, streams }).collect();
        let overview = accounts.map(|accounts| Overview {
            accounts,
            file_limit: None,
            file_bytes: 0,
            folder: None,
            reserved: Reserved::default(),
        });
        objection(&access, &seen, overview.as_ref())
    }

    #[test]
    fn every_account_with_streams_needs_a_login() {
        let both = || Some(vec![account("APP", &["S"]), account("OTHER", &["T"])]);
        let told = objects(&[(Some("APP"), &["S"])], both()).unwrap();
        assert!(
            told.contains("account OTHER") && told.contains("STILLPOINT_NATS_ACCOUNTS"),
            "{told}"
        );
        let told = objects(&[(None, &["S"])], both()).unwrap();
        assert!(
            told.contains("account OTHER") && told.contains("STILLPOINT_NATS_<ACCOUNT>_USER"),
            "{told}"
        );
        assert_eq!(objects(&[(Some("APP"), &["S"]), (Some("OTHER"), &["T"])], both()), None);
    }

    #[test]
    fn one_login_is_enough_for_one_account() {
        assert_eq!(
            objects(&[(None, &["S", "NEW"])], Some(vec![account("$G", &["S", "GONE"])])),
            None
        );
        assert_eq!(objects(&[(None, &[])], Some(vec![])), None);
        assert_eq!(objects(&[(None, &["S"])], None), None);
    }

    #[test]
    fn a_login_of_another_account_is_noticed() {
        let swapped: [(Option<&str>, &[&str]); 2] = [(Some("APP"), &["T"]), (Some("OTHER"), &[])];
        let told = objects(&swapped, Some(vec![account("APP", &["S"]), account("OTHER", &["T"])])).unwrap();
        assert!(told.contains("account APP is of another account"), "{told}");
        let told = objects(&[(Some("APP"), &["S"]), (Some("OTHER"), &["S"])], None).unwrap();
        assert!(told.contains("show the same streams"), "{told}");
    }
}
