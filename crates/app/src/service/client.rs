//! A command beside a running service: what is to be done is handed to it, and shown as if it was done here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::history::{Ending, RunRecord};
use tokio::net::UnixStream;

use super::socket;
use super::{Problem, Service, Submission, Told};
use crate::failure::Failure;

/// How long a service may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);

/// Between the end of what it tells and the next question.
const COME_BACK: Duration = Duration::from_millis(200);

/// How long it may take for anything else but to tell what happens.
const ANSWER: Duration = Duration::from_mins(1);

/// A service that answers.
pub(crate) struct Client {
    socket: PathBuf,
    /// Who it is.
    pub(crate) service: Service,
}

impl Client {
    /// The service of this state directory, if one runs.
    pub(crate) async fn find(state_dir: &Path) -> Option<Self> {
        let socket = socket::path(state_dir);
        let asked = fetch(&socket, Method::GET, "/api/v1/service", &());
        // One that hangs is as good as none: what it holds, it holds by locks.
        let service = tokio::time::timeout(HELLO, asked).await.ok()?.ok()?;
        Some(Self { socket, service })
    }

    /// Hands an order over.
    pub(crate) async fn submit(&self, submission: &Submission) -> Result<RunRecord, Failure> {
        fetch(&self.socket, Method::POST, "/api/v1/runs", submission).await
    }

    /// Ends a run.
    pub(crate) async fn cancel(&self, run: &str) -> Result<RunRecord, Failure> {
        fetch(&self.socket, Method::POST, &format!("/api/v1/runs/{run}/cancel"), &()).await
    }

    /// Tells what happens in a run until it is over, and how it ended. Whoever tells may have fallen behind and begins again
    /// where it was.
    pub(crate) async fn follow(&self, run: &RunRecord, mut tell: impl FnMut(Told)) -> Result<Ending, Failure> {
        let mut after = 0;
        loop {
            let place = format!("/api/v1/runs/{}/events?after={after}", run.run);
            let answer = request(&self.socket, Method::GET, &place, &()).await;
            let mut lines = Lines::of(refused(answer.map_err(|error| gone(run, after > 0, &error))?).await?);
            while let Some(line) = lines.next().await {
                match line.strip_prefix("data:").map(|told| serde_json::from_str(told.trim())) {
                    Some(Ok(Told::Ended(ending))) => return Ok(ending),
                    Some(Ok(told)) => {
                        if let Told::Event(event) = &told {
                            after = after.max(event.seq);
                        }
                        tell(told);
                    }
                    // A heartbeat, or something that a newer service tells.
                    _ => {}
                }
            }
            tokio::time::sleep(COME_BACK).await;
        }
    }
}

/// The lines of a body that comes bit by bit.
struct Lines {
    body: Incoming,
    rest: Vec<u8>,
}

impl Lines {
    fn of(answer: Response<Incoming>) -> Self {
        Self {
            body: answer.into_body(),
            rest: Vec::new(),
        }
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.rest.extend_from_slice(&data);
            }
        }
    }
}

/// The service is gone from under a run that was handed to it.
fn gone(run: &RunRecord, has_begun: bool, error: &str) -> Failure {
    let name = run.called();
    if !has_begun {
        return Failure::Ended(Box::new(Ending {
            exit: Some(Exit::RunFailed as u8),
            reason: Some(format!("the service has gone before run {name} began: {error}")),
            hint: Some("it begins with the next `stillpoint serve`".to_owned()),
            ..Ending::default()
        }));
    }
    Failure::Ended(Box::new(Ending {
        exit: Some(Exit::RecoveryIncomplete as u8),
        reason: Some(format!("the service has gone while it did run {name}: {error}")),
        hint: Some(format!(
            "its watchdog brings the platform back; `stillpoint containers recover` does the same and waits for it, \
             `stillpoint runs show {name}` says what became of the run"
        )),
        ..Ending::default()
    }))
}

async fn fetch<T: DeserializeOwned>(
    socket: &Path,
    method: Method,
    place: &str,
    body: &impl Serialize,
) -> Result<T, Failure> {
    let failed = |error: String| Failure::usage(format!("the service does not answer: {error}"), "look at its log");
    let answer = tokio::time::timeout(ANSWER, request(socket, method, place, body)).await;
    let answer = answer.map_err(|late| failed(late.to_string()))?.map_err(failed)?;
    let text = refused(answer).await?.into_body().collect().await;
    let text = text.map_err(|error| failed(error.to_string()))?.to_bytes();
    serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))
}

/// The answer, unless it is a refusal.
async fn refused(answer: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
        title: format!("the service refuses: {status} {}", String::from_utf8_lossy(&body)),
        hint: "program and service may be of different versions: restart the service".to_owned(),
        status: status.as_u16(),
        exit: Exit::Usage as u8,
    });
    Err(Failure::Ended(Box::new(Ending {
        exit: Some(problem.exit),
        reason: Some(problem.title),
        hint: Some(problem.hint),
        ..Ending::default()
    })))
}

async fn request(
    socket: &Path,
    method: Method,
    place: &str,
    body: &impl Serialize,
) -> Result<Response<Incoming>, String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // Ends with the answer, or with the process.
    tokio::spawn(connection);
    let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
    let request = Request::builder()
        .method(method)
        .uri(place)
        .header("host", "stillpoint")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    sender.send_request(request).await.map_err(|error| error.to_string())
}
