//! Over which port the service is asked, by which names, and whose word it takes.

use std::net::SocketAddr;

use ipnet::IpNet;
use stillpoint_web::auth::{PublicAddress, Rules, SignOn};

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 9] = [LISTEN, PUBLIC, HOSTS, PROXIES, USER, GROUPS, ADMINS, OPERATORS, METRICS];

const LISTEN: Key = Key {
    path: "service.listen",
    variable: "STILLPOINT_LISTEN",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("127.0.0.1:3004"),
    about: "Address and port of the pages and the API; `off`: none, the socket alone.",
};

const PUBLIC: Key = Key {
    path: "service.public_url",
    variable: "STILLPOINT_PUBLIC_URL",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Words("none"),
    about: "The address by which browsers reach the service through a proxy; with `https`, cookies are for TLS alone.",
};

const HOSTS: Key = Key {
    path: "service.allowed_hosts",
    variable: "STILLPOINT_ALLOWED_HOSTS",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Words("none"),
    about: "More host names by which the service is asked, beside `localhost`, IP addresses and that of `service.public_url`.",
};

const PROXIES: Key = Key {
    path: "service.trusted_proxies",
    variable: "STILLPOINT_TRUSTED_PROXIES",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Words("none"),
    about: "Addresses or networks (`10.0.0.0/8`) of the proxies whose word counts about clients and, with `service.user_header`, users.",
};

const USER: Key = Key {
    path: "service.user_header",
    variable: "STILLPOINT_USER_HEADER",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Words("none: nobody is signed in by a proxy"),
    about: "The header in which a trusted proxy names who has signed in there, as `Remote-User`.",
};

const GROUPS: Key = Key {
    path: "service.groups_header",
    variable: "STILLPOINT_GROUPS_HEADER",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Words("none"),
    about: "The header in which a trusted proxy lists that user's groups, as `Remote-Groups`.",
};

const ADMINS: Key = Key {
    path: "service.admin_groups",
    variable: "STILLPOINT_ADMIN_GROUPS",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Words("none"),
    about: "Groups whose members are administrators.",
};

const OPERATORS: Key = Key {
    path: "service.operator_groups",
    variable: "STILLPOINT_OPERATOR_GROUPS",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Words("none"),
    about: "Groups whose members are operators.",
};

const METRICS: Key = Key {
    path: "service.metrics",
    variable: "STILLPOINT_METRICS",
    flag: None,
    shape: Shape::Text,
    fallback: Fallback::Value("viewers"),
    about: "Who may read `/metrics`: `viewers`, with a token of their own, or `open`: everybody.",
};

/// Access over the network.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Where the service listens, if it does.
    pub(crate) listen: Option<SocketAddr>,
    /// Who is let in.
    pub(crate) rules: Rules,
}

pub(super) fn read(settings: &Settings) -> Result<Access, Failure> {
    let public = settings.text(&PUBLIC).map(|text| text.parse::<PublicAddress>());
    let public = public.transpose().map_err(|why| settings.refuse(&PUBLIC, why))?;
    Ok(Access {
        listen: listen(settings)?,
        rules: Rules {
            public,
            hosts: hosts(settings)?,
            proxies: proxies(settings)?,
            sign_on: sign_on(settings)?,
            open_metrics: open_metrics(settings)?,
        },
    })
}

fn open_metrics(settings: &Settings) -> Result<bool, Failure> {
    match settings.text_or_default(&METRICS).as_str() {
        "viewers" => Ok(false),
        "open" => Ok(true),
        other => Err(settings.refuse(&METRICS, format!("`{other}` is neither `viewers` nor `open`"))),
    }
}

fn listen(settings: &Settings) -> Result<Option<SocketAddr>, Failure> {
    let text = settings.text_or_default(&LISTEN);
    match text.trim() {
        "off" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            let why = format!("`{text}` is no address with a port, as `127.0.0.1:3004` or `0.0.0.0:3004`, nor `off`");
            settings.refuse(&LISTEN, why)
        }),
    }
}

fn hosts(settings: &Settings) -> Result<Vec<String>, Failure> {
    let hosts = settings.list(&HOSTS);
    let is_name = |host: &String| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    match hosts.iter().find(|host| !is_name(host)) {
        Some(wrong) => {
            let why = format!("`{wrong}` is no host name, as `backup.example.org`, without scheme and port");
            Err(settings.refuse(&HOSTS, why))
        }
        None => Ok(hosts),
    }
}

fn proxies(settings: &Settings) -> Result<Vec<IpNet>, Failure> {
    let network = |text: String| {
        let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or(address.ok());
        network.ok_or_else(|| settings.refuse(&PROXIES, format!("`{text}` is no address or network, as `10.0.0.0/8`")))
    };
    settings.list(&PROXIES).into_iter().map(network).collect()
}

fn sign_on(settings: &Settings) -> Result<Option<SignOn>, Failure> {
    let header = |key: &Key| {
        let named = settings.text(key).map(|name| SignOn::header(&name));
        named.transpose().map_err(|why| settings.refuse(key, why))
    };
    let (user, groups) = (header(&USER)?, header(&GROUPS)?);
    let Some(user) = user else {
        return Ok(None);
    };
    if settings.list(&PROXIES).is_empty() {
        let why = format!(
            "nobody's word counts: name the proxies that set it in `{}`",
            PROXIES.path
        );
        return Err(settings.refuse(&USER, why));
    }
    Ok(Some(SignOn {
        user,
        groups,
        admins: settings.list(&ADMINS),
        operators: settings.list(&OPERATORS),
    }))
}
