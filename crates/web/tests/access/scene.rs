//! The service's port over a real socket, with accounts in memory, and a client that sends what it is told to, byte by byte.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{Hashed, Role, Session, Token, User};
use stillpoint_testkit::fakes::FakeAccounts;
use stillpoint_web::auth::{Access, Rules, password, secrets};
use stillpoint_web::server::{Limits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::platform::Empty;

/// What everybody's password is.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// No answer takes so long.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) struct Scene {
    pub(crate) accounts: FakeAccounts,
    pub(crate) access: Arc<Access>,
    pub(crate) platform: Empty,
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    pub(crate) address: SocketAddr,
    _end: DropGuard,
}

pub(crate) async fn scene() -> Result<Scene> {
    scene_with(Rules::default(), Limits::default()).await
}

pub(crate) async fn scene_with(rules: Rules, limits: Limits) -> Result<Scene> {
    let platform = Empty {
        now: Arc::new(Mutex::new(Timestamp::constant(1_771_286_400, 0))),
        orders: Arc::default(),
        told: Arc::default(),
    };
    let (accounts, said) = (FakeAccounts::default(), Arc::<Mutex<Vec<String>>>::default());
    let log = said.clone();
    let say = Arc::new(move |line| log.lock().unwrap().push(line));
    let served = Arc::new(platform.clone());
    let access = Access::new(rules, Arc::new(accounts.clone()), served.clone(), say);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let end = CancellationToken::new();
    let router = stillpoint_web::network(served, access.clone());
    tokio::spawn(serve(listener, router, limits, end.clone()));
    Ok(Scene {
        accounts,
        access,
        platform,
        said,
        address,
        _end: end.drop_guard(),
    })
}

fn hashed() -> Result<Hashed> {
    static HASHED: OnceLock<Hashed> = OnceLock::new();
    if let Some(hashed) = HASHED.get() {
        return Ok(hashed.clone());
    }
    let hashed = password::hashed(PASSWORD).map_err(anyhow::Error::msg)?;
    Ok(HASHED.get_or_init(|| hashed).clone())
}

impl Scene {
    pub(crate) fn now(&self) -> Timestamp {
        *self.platform.now.lock().unwrap()
    }

    /// Time passes.
    pub(crate) fn pass(&self, time: SignedDuration) {
        *self.platform.now.lock().unwrap() += time;
    }

    /// A user whose password is [`PASSWORD`].
    pub(crate) async fn user(&self, name: &str, role: Role) -> Result<()> {
        let user = User {
            name: name.to_owned(),
            role,
            made_at: self.now(),
            made_by: "test".to_owned(),
            signed_in_at: None,
        };
        ensure!(self.accounts.add_user(&user, &hashed()?).await?);
        Ok(())
    }

    /// A user who has signed in. Returns the cookie.
    pub(crate) async fn signed_in(&self, name: &str, role: Role) -> Result<String> {
        self.user(name, role).await?;
        let id = secrets::fresh();
        let session = Session {
            id: secrets::hashed(&id),
            user: name.to_owned(),
            since: self.now(),
            used_at: self.now(),
        };
        ensure!(self.accounts.begin_session(&session).await?);
        Ok(format!("stillpoint={id}"))
    }

    /// A token. Returns what its bearer sends.
    pub(crate) async fn token(&self, name: &str, role: Role, expires_at: Option<Timestamp>) -> Result<String> {
        let secret = secrets::fresh_token();
        let token = Token {
            name: name.to_owned(),
            role,
            made_at: self.now(),
            made_by: "test".to_owned(),
            expires_at,
            used_at: None,
        };
        ensure!(self.accounts.add_token(&token, &secrets::hashed(&secret)).await?);
        Ok(format!("Bearer {secret}"))
    }

    /// Sends these bytes and reads to the end of the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Result<Answer> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut reader, mut writer) = stream.into_split();
        let sent = bytes.to_vec();
        // Whoever is refused before he has sent everything cannot send the rest.
        let sending = tokio::spawn(async move {
            let _ = writer.write_all(&sent).await;
            writer
        });
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let read = tokio::time::timeout(LIMIT, reader.read(&mut chunk))
                .await
                .context("no answer")?;
            match read {
                // What was sent in vain resets the connection after the answer.
                Ok(0) | Err(_) => break,
                Ok(count) => text.extend_from_slice(&chunk[..count]),
            }
        }
        drop(sending.await?);
        Answer::of(&text)
    }

    pub(crate) async fn ask(&self, asked: &Asked<'_>) -> Result<Answer> {
        self.raw(asked.text(self.address).as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(&Asked::get(path)).await
    }

    /// Fills in the form of the page to sign in.
    pub(crate) async fn sign_in(&self, name: &str, password: &str, next: &str) -> Result<Answer> {
        let form = form(&[("name", name), ("password", password), ("next", next)]);
        self.ask(&Asked::post("/sign-in").of_ours().form(&form)).await
    }
}

/// A request.
pub(crate) struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    host: Option<&'a str>,
    body: &'a str,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(method: &'a str, path: &'a str) -> Self {
        Self {
            method,
            path,
            headers: vec![("Accept", "text/html")],
            host: None,
            body: "",
        }
    }

    pub(crate) fn get(path: &'a str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &'a str) -> Self {
        Self::new("POST", path)
    }

    pub(crate) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// From a page of the service.
    pub(crate) fn of_ours(self) -> Self {
        self.with("Sec-Fetch-Site", "same-origin")
    }

    pub(crate) fn host(mut self, host: &'a str) -> Self {
        self.host = Some(host);
        self
    }

    pub(crate) fn form(mut self, body: &'a str) -> Self {
        self.body = body;
        self.with("Content-Type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn json(mut self, body: &'a str) -> Self {
        self.body = body;
        self.with("Content-Type", "application/json")
    }

    fn text(&self, address: SocketAddr) -> String {
        let host = self.host.map_or_else(|| address.to_string(), ToOwned::to_owned);
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        text
    }
}

/// A form as a browser sends it.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let plain = |text: &str| {
        text.bytes().fold(String::new(), |mut plain, byte| {
            let _ = write!(plain, "%{byte:02X}");
            plain
        })
    };
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect();
    fields.join("&")
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn of(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .with_context(|| format!("no answer: {text:?}"))?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Self {
            status: status.with_context(|| format!("no status: {head}"))?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The cookie that is set, as a browser sends it back.
    pub(crate) fn cookie(&self) -> Result<String> {
        let cookie = self.header("set-cookie").context("no cookie is set")?;
        Ok(cookie.split(';').next().unwrap_or_default().to_owned())
    }

    /// Fails unless it has this status.
    pub(crate) fn must_be(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "{status} was wanted: {}\n\n{}",
            self.head,
            self.body
        );
        Ok(self)
    }
}
