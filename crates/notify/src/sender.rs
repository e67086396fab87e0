//! Sends what a channel has made of a notice. Every attempt is bounded; no error holds an address, a token or a password.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::ports::notices::Notice;

use crate::channels::{Channel, Way};

/// So long one attempt may take, whatever the receiver does.
pub const ATTEMPT: Duration = Duration::from_secs(10);

/// So long the connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// So much of an answer is read.
const ANSWER: usize = 4096;

/// So much of it is told.
const TOLD: usize = 200;

/// Carries a notice to a channel.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Carries it, and returns what the receiver answered; or why it has not got it, in words that hold no secret. Takes no
    /// longer than [`ATTEMPT`].
    async fn carry(&self, channel: &Channel, notice: &Notice) -> Result<String, String>;
}

/// A request that a channel has made of a notice.
pub(crate) struct Call {
    pub(crate) url: Url,
    pub(crate) headers: Vec<(&'static str, SecretString)>,
    pub(crate) basic: Option<(String, SecretString)>,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
}

impl Call {
    /// JSON to an address.
    pub(crate) fn json(url: Url, body: &serde_json::Value) -> Self {
        Self {
            url,
            headers: Vec::new(),
            basic: None,
            body: body.to_string(),
            content_type: "application/json",
        }
    }
}

/// The sender to real receivers.
#[derive(Clone, Default)]
pub struct Sender {
    /// Made when something is to be sent: most runs send nothing, and none fails because nothing could be.
    http: OnceLock<Result<Client, String>>,
    /// All requests go there instead: tests have no Slack.
    instead: Option<Url>,
}

impl Sender {
    /// Over HTTP and SMTP; believes the authorities that this host trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with every request sent to this server.
    #[cfg(test)]
    pub(crate) fn to(server: &str) -> Self {
        let instead = Url::parse(server).ok();
        Self { instead, ..Self::new() }
    }

    /// Sends a request. Returns what was answered, or why it was not taken.
    pub(crate) async fn call(&self, call: Call) -> Result<String, String> {
        let mut url = call.url;
        if let Some(instead) = &self.instead {
            let _ = url.set_scheme(instead.scheme());
            let _ = url.set_host(instead.host_str());
            let _ = url.set_port(instead.port());
        }
        let http = self.http.get_or_init(client).as_ref().map_err(Clone::clone)?;
        let mut request = http.post(url).header("content-type", call.content_type);
        for (name, value) in call.headers {
            request = request.header(name, value.expose_secret());
        }
        if let Some((user, password)) = call.basic {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        let sent = request.body(call.body).send().await;
        let mut response = sent.map_err(why)?;
        let status = response.status();
        let mut body = Vec::new();
        while body.len() < ANSWER {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if status.is_success() => {
                    tracing::debug!(error = %error.without_url(), "the rest of an answer was lost");
                    break;
                }
                Err(error) => return Err(why(error)),
            }
        }
        body.truncate(ANSWER);
        let body = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            return Ok(body);
        }
        let line = body.lines().next().unwrap_or_default().trim();
        let line: String = line.chars().take(TOLD).collect();
        let line = if line.is_empty() {
            String::new()
        } else {
            format!(": {line}")
        };
        let moved = if status.is_redirection() {
            "; give the address to which it leads"
        } else {
            ""
        };
        Err(format!("it answered {status}{line}{moved}"))
    }
}

#[async_trait]
impl Carrier for Sender {
    async fn carry(&self, channel: &Channel, notice: &Notice) -> Result<String, String> {
        let sending = async {
            match &channel.way {
                Way::Http(shape) => {
                    let answer = self.call(shape.call(notice)).await?;
                    shape.check(&answer)?;
                    Ok("taken".to_owned())
                }
                Way::Mail(mail) => mail.send(notice).await,
            }
        };
        let sent = tokio::time::timeout(ATTEMPT, sending).await;
        let sent = sent.unwrap_or_else(|_| Err(late()));
        sent.map_err(|why| hidden(&why, &channel.secrets))
    }
}

/// What stands for an attempt that took too long.
pub(crate) fn late() -> String {
    format!("it did not answer within {} s", ATTEMPT.as_secs())
}

/// What is shorter is no secret, and stands in every other word.
const SECRET: usize = 4;

/// A text without these secrets.
pub(crate) fn hidden(text: &str, secrets: &[SecretString]) -> String {
    let mut secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
    // One may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut text = text.to_owned();
    for secret in secrets.into_iter().filter(|secret| secret.len() >= SECRET) {
        text = text.replace(secret, "(hidden)");
    }
    text
}

fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return late();
    }
    let is_connect = error.is_connect();
    let error = error.without_url();
    let mut inner: &dyn Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    if is_connect {
        format!("no connection: {inner}")
    } else {
        chain(&error)
    }
}

/// An error with what caused it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        source = inner.source();
    }
    told
}

fn client() -> Result<Client, String> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .http1_only()
        // Headers and paths hold secrets: they go where they were meant to go.
        .redirect(Policy::none())
        .user_agent(concat!("stillpoint/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(ATTEMPT);
    client.build().map_err(|error| chain(&error))
}

/// Believes the authorities of this host, by *ring* like everything else here.
fn tls() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|cause| cause.to_string())?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
