//! E-mail: `smtp://[USER:PASSWORD@]HOST[:PORT]/?from=A&to=B,C`, also `fromAddress` and `toAddresses` as shoutrrr writes them;
//! `smtps://…` is TLS from the first byte. `encryption` is `Auto` (STARTTLS where it is offered), `ExplicitTLS`,
//! `ImplicitTLS` or `None`. A password is never sent without TLS to another host.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use stillpoint_core::ports::notices::Notice;

use super::{Made, Way, words};
use crate::address::{Parts, Refusal, is_yes};
use crate::hex::hex;
use crate::sender::{ATTEMPT, chain};

const MOST: usize = 20_000;

/// How a connection is kept from others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// TLS where the server offers it.
    Offered,
    /// TLS after a first word in the open.
    Explicit,
    /// TLS from the first byte.
    Implicit,
    None,
}

/// A mailbox or several, and the server that takes mail for them.
pub(crate) struct Mail {
    host: String,
    port: u16,
    encryption: Encryption,
    login: Option<(String, SecretString)>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let host = parts.host()?;
    let from = parts.asked(&["from", "fromaddress"]);
    let to = parts.asked(&["to", "toaddresses"]).unwrap_or_default();
    let from_name = parts.asked(&["fromname"]);
    let encryption = encryption(parts)?;
    let port = parts.url.port().unwrap_or(match encryption {
        Encryption::Implicit => 465,
        Encryption::Explicit => 587,
        Encryption::Offered if parts.user().is_some() => 587,
        Encryption::Offered | Encryption::None => 25,
    });
    let Some(from) = from else {
        return Err(Refusal(
            "it says not from whom: add `?from=ADDRESS&to=ADDRESS`".to_owned(),
        ));
    };
    let mut from = mailbox(&from)?;
    if from_name.is_some() {
        from.name = from_name;
    }
    let to: Result<Vec<Mailbox>, Refusal> = to
        .split(',')
        .map(str::trim)
        .filter(|to| !to.is_empty())
        .map(mailbox)
        .collect();
    let to = to?;
    if to.is_empty() {
        return Err(Refusal("it says not to whom: add `&to=ADDRESS`".to_owned()));
    }
    let login = parts.user().zip(parts.password());
    if login.is_some() && encryption == Encryption::None && !is_this_host(&host) {
        return Err(Refusal(
            "a password would go through the network in the open: leave `encryption=None` away".to_owned(),
        ));
    }
    let secrets = login.iter().map(|(_, password)| SecretString::from(password.clone()));
    Ok(Made {
        kind: "email",
        host: host.clone(),
        secrets: secrets.collect(),
        way: Way::Mail(Box::new(Mail {
            host,
            port,
            encryption,
            login: login.map(|(user, password)| (user, password.into())),
            from,
            to,
        })),
    })
}

fn encryption(parts: &mut Parts) -> Result<Encryption, Refusal> {
    if parts
        .asked(&["usestarttls", "starttls"])
        .is_some_and(|text| is_yes(&text))
    {
        return Ok(Encryption::Explicit);
    }
    let asked = parts.asked(&["encryption"]).map(|text| text.to_ascii_lowercase());
    match (parts.scheme.as_str(), asked.as_deref()) {
        ("smtps", None) | (_, Some("implicittls")) => Ok(Encryption::Implicit),
        (_, Some("explicittls")) => Ok(Encryption::Explicit),
        (_, Some("none")) => Ok(Encryption::None),
        (_, None | Some("auto")) if parts.url.port() == Some(465) => Ok(Encryption::Implicit),
        // Who sends a password wants it kept.
        (_, None | Some("auto")) if parts.password().is_some() => Ok(Encryption::Explicit),
        (_, None | Some("auto")) => Ok(Encryption::Offered),
        _ => Err(Refusal(
            "`encryption` is none of `Auto`, `ExplicitTLS`, `ImplicitTLS` and `None`".to_owned(),
        )),
    }
}

fn is_this_host(host: &str) -> bool {
    let loopback = |ip: std::net::IpAddr| ip.is_loopback();
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(loopback)
}

fn mailbox(text: &str) -> Result<Mailbox, Refusal> {
    text.parse()
        .map_err(|why| Refusal(format!("`{text}` is no address of e-mail ({why})")))
}

impl Mail {
    /// Hands it to the server, and returns what that answered.
    pub(crate) async fn send(&self, notice: &Notice) -> Result<String, String> {
        let message = self.message(notice)?;
        let answer = self.transport()?.send(message).await.map_err(|error| chain(&error))?;
        Ok(answer.message().next().unwrap_or("taken").to_owned())
    }

    fn message(&self, notice: &Notice) -> Result<Message, String> {
        let digest = Sha256::digest(notice.key.as_bytes());
        let id: String = hex(&digest).chars().take(24).collect();
        let mut message = Message::builder()
            .from(self.from.clone())
            // One that is sent again is the same one.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .subject(format!("[Stillpoint] {}", words::cut(&notice.title, 200)))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        message.body(words::body(notice, MOST)).map_err(|error| chain(&error))
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let tls = || TlsParameters::new(self.host.clone()).map_err(|error| chain(&error));
        let tls = match self.encryption {
            Encryption::None => Tls::None,
            Encryption::Offered => Tls::Opportunistic(tls()?),
            Encryption::Explicit => Tls::Required(tls()?),
            Encryption::Implicit => Tls::Wrapper(tls()?),
        };
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
            .port(self.port)
            .tls(tls)
            .timeout(Some(ATTEMPT));
        if let Some((user, password)) = &self.login {
            server = server.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(server.build())
    }
}
