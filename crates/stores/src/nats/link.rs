//! A connection to the server as one account, and questions to JetStream's API over it. Requests and
//! answers stay JSON as it came: a typed structure would drop what it does not know, and a stream's
//! configuration must come back whole.
//!
//! A connection that broke is never used again, although the client would make a new one: what was
//! under way is lost with it, and nobody would notice.

use async_nats::connection::State as ConnectionState;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, Message, RequestErrorKind, ServerError, Subscriber};
use bytes::Bytes;
use futures::future::{Either, select};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::ports::reach::Forward;
use stillpoint_core::ports::{EngineError, within};
use stillpoint_core::stores::{Cx, StoreError};
use tokio::sync::watch;

use super::NatsStore;
use super::access::{Login, Proof};
use super::tls;
use crate::toolbox::{cancellable, guarded};

/// How our connections call themselves, to the server's monitoring too.
pub(super) const CLIENT_NAME: &str = "stillpoint";

/// Rights without which a login cannot do its work; `docs/stores/nats.md` lists them.
const RIGHTS: &str = "docs/stores/nats.md lists the rights that it needs";

/// A connection as one account.
pub(super) struct Link {
    pub(super) login: Login,
    client: Client,
    trouble: watch::Receiver<Option<String>>,
    store: stillpoint_core::names::StoreName,
    _way: Forward,
}

/// An error of JetStream's API, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The number by which its documentation lists it.
    pub(super) code: u64,
    pub(super) words: String,
}

/// There is no such stream.
pub(super) const NO_STREAM: u64 = 10059;

impl NatsStore {
    /// Connects as one account.
    pub(super) async fn open(&self, cx: &Cx, login: &Login) -> Result<Link, StoreError> {
        self.open_at(cx, self.access.port, login).await
    }

    /// The same at another port.
    pub(super) async fn open_at(&self, cx: &Cx, port: u16, login: &Login) -> Result<Link, StoreError> {
        let way = cx.reach.forward(&self.workload, port).await?;
        let (tell, trouble) = watch::channel(None);
        let options = self.options(login)?.event_callback(move |event| {
            if let Some(words) = is_trouble(&event) {
                tell.send_replace(Some(words));
            }
            std::future::ready(())
        });
        let address = format!("127.0.0.1:{}", way.port());
        let connected = guarded(cx, "connecting to the server", Box::pin(options.connect(address))).await?;
        let client = connected.map_err(|error| self.not_connected(login, &error))?;
        Ok(Link {
            login: login.clone(),
            client,
            trouble,
            store: self.name.clone(),
            _way: way,
        })
    }

    fn options(&self, login: &Login) -> Result<ConnectOptions, StoreError> {
        let unfit = |what: String| StoreError::Unfit(format!("{}: {what}", self.name));
        let options = match &login.proof {
            Proof::None => ConnectOptions::new(),
            Proof::Password { user, password } => {
                ConnectOptions::with_user_and_password(user.clone(), password.expose_secret().to_owned())
            }
            Proof::Token(token) => ConnectOptions::with_token(token.expose_secret().to_owned()),
            Proof::Seed(seed) => ConnectOptions::with_nkey(seed.expose_secret().trim().to_owned()),
            Proof::Credentials(text) => ConnectOptions::with_credentials(text.expose_secret())
                .map_err(|_| unfit(format!("{}_CREDS is not a credentials file", login.prefix)))?,
        };
        let tls = tls::config(&self.access.tls).map_err(|what| unfit(format!("{}_{what}", self.prefix())))?;
        Ok(options
            .name(CLIENT_NAME)
            .tls_client_config(tls)
            .ignore_discovered_servers()
            .max_reconnects(1)
            .request_timeout(None)
            .skip_subject_validation(true))
    }

    fn not_connected(&self, login: &Login, error: &async_nats::ConnectError) -> StoreError {
        let store = self.name.clone();
        // The client's own error names its source already.
        let cause = error.to_string();
        let of_tls = error.kind() == ConnectErrorKind::Tls || cause.contains("certificate");
        match error.kind() {
            _ if of_tls => StoreError::Unfit(format!(
                "{store}: TLS: {cause}; give the certificates to trust with {0}_TLS_CA_FILE, and the name in the server's \
                 certificate with {0}_TLS_NAME",
                self.prefix()
            )),
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => StoreError::Credential {
                store,
                user: login.user().to_owned(),
                cause: "the server does not accept it".to_owned(),
                remedy: login.remedy(),
            },
            _ => StoreError::Silent {
                store,
                cause: cause.into(),
            },
        }
    }

    /// Waits until the server answers every account: it reads all streams before it does.
    pub(super) async fn wait_until_ready(&self, cx: &Cx) -> Result<(), StoreError> {
        let attempts = async {
            loop {
                match Box::pin(self.answers(cx)).await {
                    Ok(()) => return Ok(()),
                    Err(StoreError::Silent { .. } | StoreError::Engine(EngineError::Refused { .. })) => {}
                    Err(error) => return Err(error),
                }
                guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
            }
        };
        let what = format!("{} taking connections", self.name);
        within(&*cx.clock, STORE_READY, &what, attempts).await?
    }

    async fn answers(&self, cx: &Cx) -> Result<(), StoreError> {
        for login in &self.access.logins {
            let link = self.open(cx, login).await?;
            link.ask(cx, "looking for JetStream", "STREAM.LIST", &json!({"offset": 0}))
                .await?;
        }
        Ok(())
    }
}

fn is_trouble(event: &Event) -> Option<String> {
    match event {
        Event::ServerError(ServerError::Other(words)) => Some(words.clone()),
        Event::ServerError(error) => Some(error.to_string()),
        Event::Disconnected | Event::Closed => Some("the connection broke".to_owned()),
        Event::SlowConsumer(_) => Some("messages were lost on the way".to_owned()),
        Event::Connected | Event::LameDuckMode | Event::Draining | Event::ClientError(_) => None,
    }
}

impl Link {
    /// The server's version.
    pub(super) fn version(&self) -> String {
        self.client.server_info().version
    }

    /// Whether the server is one of several.
    pub(super) fn clustered(&self) -> bool {
        self.client.server_info().cluster.is_some_and(|name| !name.is_empty())
    }

    /// The most bytes that a message may have.
    pub(super) fn largest_message(&self) -> usize {
        self.client.max_payload()
    }

    /// Asks JetStream's API; what it refuses is an error.
    pub(super) async fn ask(&self, cx: &Cx, doing: &str, what: &str, request: &Value) -> Result<Value, StoreError> {
        let answer = self.try_ask(cx, doing, what, request).await?;
        answer.map_err(|refusal| self.refused(doing, &refusal))
    }

    /// Asks JetStream's API.
    pub(super) async fn try_ask(
        &self,
        cx: &Cx,
        doing: &str,
        what: &str,
        request: &Value,
    ) -> Result<Result<Value, Refusal>, StoreError> {
        let body = Bytes::from(request.to_string());
        let answer = self.request(cx, doing, format!("$JS.API.{what}"), body).await?;
        Self::read(doing, &answer.payload)
    }

    /// One request, one answer, of at most the idle limit.
    pub(super) async fn request(
        &self,
        cx: &Cx,
        doing: &str,
        subject: String,
        body: Bytes,
    ) -> Result<Message, StoreError> {
        let answer = guarded(cx, doing, self.sound(doing, self.client.request(subject, body))).await??;
        self.answered(doing, answer)
    }

    /// One request, and an answer that may take as long as a stream is large.
    pub(super) async fn request_by_size(&self, cx: &Cx, doing: &str, subject: String) -> Result<Message, StoreError> {
        let asked = self.sound(doing, self.client.request(subject, Bytes::new()));
        let answer = within(&*cx.clock, crate::toolbox::BY_SIZE, doing, cancellable(cx, asked)).await???;
        self.answered(doing, answer)
    }

    fn answered(&self, doing: &str, answer: Result<Message, async_nats::RequestError>) -> Result<Message, StoreError> {
        answer.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => StoreError::Server {
                doing: doing.to_owned(),
                cause: format!(
                    "JetStream is not enabled for {}; a server that is to keep no streams is left alone with the label \
                     stillpoint.kind=none",
                    self.login.told()
                )
                .into(),
            },
            _ => StoreError::Silent {
                store: self.store.clone(),
                cause: format!("{doing}: {error}").into(),
            },
        })
    }

    /// An answer of the API as JSON.
    pub(super) fn read(doing: &str, answer: &[u8]) -> Result<Result<Value, Refusal>, StoreError> {
        let answer: Value = serde_json::from_slice(answer).map_err(|error| StoreError::Server {
            doing: doing.to_owned(),
            cause: format!("an answer that is not JSON: {error}").into(),
        })?;
        Ok(match answer.get("error") {
            Some(error) => Err(Refusal::of(error)),
            None => Ok(answer),
        })
    }

    /// A refusal as an error, with the account that was refused.
    pub(super) fn refused(&self, doing: &str, refusal: &Refusal) -> StoreError {
        StoreError::Server {
            doing: format!("{doing} ({})", self.login.told()),
            cause: format!("{} (error {})", refusal.words, refusal.code).into(),
        }
    }

    /// A place for answers that nobody else knows.
    pub(super) fn inbox(&self) -> String {
        self.client.new_inbox()
    }

    /// Listens to an inbox.
    pub(super) async fn listen(&self, cx: &Cx, inbox: &str) -> Result<Subscriber, StoreError> {
        let listening = async {
            let listening = self.client.subscribe(inbox.to_owned()).await;
            let listening = listening.map_err(|error| self.broken(&error.to_string()))?;
            // The server must know of it before it is asked for anything.
            self.client
                .flush()
                .await
                .map_err(|error| self.broken(&error.to_string()))?;
            Ok(listening)
        };
        guarded(cx, "listening for answers", listening).await?
    }

    /// Publishes, with a place for the answer if there is to be one.
    pub(super) async fn send(
        &self,
        cx: &Cx,
        subject: String,
        answer: Option<&str>,
        body: Bytes,
    ) -> Result<(), StoreError> {
        let sent = async {
            match answer {
                Some(inbox) => self.client.publish_with_reply(subject, inbox.to_owned(), body).await,
                None => self.client.publish(subject, body).await,
            }
        };
        let sent = guarded(cx, "sending to the server", self.sound("sending", sent)).await??;
        sent.map_err(|error| self.broken(&error.to_string()))
    }

    /// Awaits `future`, unless the connection gets into trouble first.
    pub(super) async fn sound<F: Future>(&self, doing: &str, future: F) -> Result<F::Output, StoreError> {
        let mut trouble = self.trouble.clone();
        let troubled = async move {
            let found = trouble.wait_for(Option::is_some).await.ok();
            found.and_then(|words| words.clone())
        };
        match select(std::pin::pin!(future), std::pin::pin!(troubled)).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right((words, _)) => Err(self.in_trouble(doing, &words.unwrap_or_default())),
        }
    }

    fn in_trouble(&self, doing: &str, words: &str) -> StoreError {
        if words.to_lowercase().contains("permissions violation") {
            return StoreError::Credential {
                store: self.store.clone(),
                user: self.login.user().to_owned(),
                cause: format!("{doing}: {words}"),
                remedy: format!(
                    "give {} the right, or {}; {RIGHTS}",
                    self.login.told(),
                    self.login.remedy()
                ),
            };
        }
        self.broken(&format!("{doing}: {words}"))
    }

    fn broken(&self, cause: &str) -> StoreError {
        let state = match self.client.connection_state() {
            ConnectionState::Connected => "",
            _ => " (not connected)",
        };
        StoreError::Silent {
            store: self.store.clone(),
            cause: format!("{cause}{state}").into(),
        }
    }
}

impl Refusal {
    /// From the `error` of an answer.
    pub(super) fn of(error: &Value) -> Self {
        let code = error.get("err_code").or_else(|| error.get("code"));
        let words = error.get("description").and_then(Value::as_str).unwrap_or("refused");
        Self {
            code: code.and_then(Value::as_u64).unwrap_or(0),
            words: words.to_owned(),
        }
    }
}
