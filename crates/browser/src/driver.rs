//! A Chromium without a window, and the program that drives it by the `WebDriver` protocol. Both have a folder of their own and end with
//! it; nothing of them reaches the network by itself.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::json;
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{CapabilitiesHelper, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};
use tokio::net::TcpStream;

/// No answer of the driver takes longer: it waits for pages to load.
const LIMIT: Duration = Duration::from_mins(1);

/// Debian's packages `chromium-driver` and `chromium`.
const PROGRAM: &str = "/usr/bin/chromedriver";

/// No window and no sandbox (a test may be root), and no word to anybody but the tested service.
const QUIET: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
];

/// The driver's process. Dropped, it is ended, and its browser with it.
pub(super) struct Process(Child);

impl Process {
    /// Starts it on a port that it finds by itself; the port.
    pub(super) fn start() -> Result<(Self, u16)> {
        let mut command = Command::new(PROGRAM);
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {PROGRAM}: run testbed/setup.sh"))?;
        let out = child.stdout.take();
        let process = Self(child);
        let mut lines = BufReader::new(out.context("standard output is not piped")?).lines();
        let port = loop {
            let line = lines.next().context("the driver has ended")??;
            let told = line.rsplit_once("started successfully on port ");
            if let Some((_, port)) = told {
                break port.trim_end_matches('.').parse().with_context(|| line.clone())?;
            }
        };
        // It must not wait for whoever reads what it says.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok((process, port))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A browser that has seen nothing yet, with its profile in this folder.
pub(super) async fn session(port: u16, profile: &Path, scripts: bool) -> Result<WebDriver> {
    let mut wanted = DesiredCapabilities::chrome();
    for option in QUIET {
        wanted.add_arg(option)?;
    }
    wanted.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    if !scripts {
        let blocked = json!({"profile.managed_default_content_settings.javascript": 2});
        wanted.add_experimental_option("prefs", blocked)?;
    }
    wanted.set("goog:loggingPrefs", json!({"browser": "ALL"}))?;
    let client = Client { port };
    let driver = WebDriver::builder(format!("http://127.0.0.1:{port}"), wanted).client(client);
    driver.await.context("no browser begins a session")
}

/// Requests over a connection each. The crate's own client would bring a second one for HTTPS, which nobody speaks here.
struct Client {
    port: u16,
}

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, request: http::Request<Body<'_>>) -> WebDriverResult<http::Response<Bytes>> {
        let (mut parts, body) = request.into_parts();
        let bytes = match body {
            Body::Empty => Bytes::new(),
            Body::Json(json) => Bytes::from(json.to_string()),
        };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = path.parse().map_err(fatal)?;
        let host = format!("127.0.0.1:{}", self.port).parse().map_err(fatal)?;
        parts.headers.insert(http::header::HOST, host);
        let request = http::Request::from_parts(parts, Full::new(bytes));
        tokio::time::timeout(LIMIT, self.answered(request))
            .await
            .map_err(fatal)?
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self { port: self.port })
    }
}

impl Client {
    async fn answered(&self, request: http::Request<Full<Bytes>>) -> WebDriverResult<http::Response<Bytes>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(fatal)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(fatal)?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(fatal)?;
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.map_err(fatal)?.to_bytes();
        connection.abort();
        Ok(http::Response::from_parts(parts, bytes))
    }
}

fn fatal(error: impl std::error::Error) -> WebDriverError {
    WebDriverError::FatalError(error.to_string())
}
