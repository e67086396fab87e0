//! One request: judged, passed on, its answer passed back. A connection of its own to the server for
//! each, so that a fault hits this request alone. An error closes the client's connection.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer;
use super::body::{self, Body, Note, Progress, Shape};
use super::picky;
use super::record::{Ending, State};
use super::rule::What;
use super::wire::{Scissors, Wire};

/// A request on its way.
struct Passage {
    state: Arc<State>,
    number: usize,
    fault: Option<What>,
    ending: Option<Ending>,
    client: Scissors,
}

/// Answers a request, or fails to: then the connection is closed.
pub(super) async fn pass(request: Request<Incoming>, state: Arc<State>, client: Scissors) -> Result<Response<Body>> {
    let (number, fault) = state.arrived(request.method(), request.uri());
    let ending = Some(state.ending(number));
    let mut passage = Passage {
        state,
        number,
        fault,
        ending,
        client,
    };
    let answer = passage.answer(request).await?;
    let status = answer.status().as_u16();
    passage.state.update(number, |seen| seen.status = Some(status));
    Ok(answer)
}

impl Passage {
    async fn answer(&mut self, request: Request<Incoming>) -> Result<Response<Body>> {
        match &self.fault {
            Some(What::Drop) => bail!("dropped by a rule"),
            Some(What::Hang) => {
                body::swallow(request.into_body(), self.request()).await?;
                std::future::pending().await
            }
            Some(What::Status { code, s3_code }) => {
                let path = request.uri().path().to_owned();
                body::swallow(request.into_body(), self.request()).await?;
                Ok(self.in_one_piece(answer::error(*code, s3_code, &path)?))
            }
            Some(What::OtherRegion(region)) => {
                let (region, path) = (*region, request.uri().path().to_owned());
                body::swallow(request.into_body(), self.request()).await?;
                Ok(self.in_one_piece(answer::other_region(region, &path)?))
            }
            Some(what) if picky::minds(what, &request, &self.state.seen()) => {
                let (what, path) = (what.clone(), request.uri().path().to_owned());
                body::swallow(request.into_body(), self.request()).await?;
                Ok(self.in_one_piece(picky::refusal(&what, &path)?))
            }
            Some(What::NoConditions) => {
                let answer = self.forward(request).await?;
                if answer.status() != StatusCode::PRECONDITION_FAILED {
                    return self.back(answer).await;
                }
                body::collected(answer.into_body()).await?;
                Ok(self.in_one_piece(answer::careless()?))
            }
            Some(What::DropAfter) => {
                let answer = self.forward(request).await?;
                body::collected(answer.into_body()).await?;
                bail!("the answer is dropped by a rule")
            }
            Some(What::Delay(time)) => {
                tokio::time::sleep(*time).await;
                let answer = self.forward(request).await?;
                self.back(answer).await
            }
            _ => {
                let answer = self.forward(request).await?;
                self.back(answer).await
            }
        }
    }

    /// The server's answer to the request as it came.
    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Incoming>> {
        let upstream = self.state.upstream();
        let stream = TcpStream::connect(&upstream)
            .await
            .with_context(|| format!("cannot reach {upstream}"))?;
        let wire = Wire::new(stream);
        let scissors = wire.scissors();
        let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await?;
        // Ends with the answer; its errors are those of the answer.
        tokio::spawn(connection);
        let shape = Shape {
            cut_after: match self.fault {
                Some(What::CutRequest { after }) => Some(after),
                _ => None,
            },
            bytes_per_second: self.rate(),
            ..Shape::default()
        };
        let request = request.map(|body| body::shaped(body, shape, scissors, self.request()));
        Ok(sender.send_request(request).await?)
    }

    /// The answer, as the client gets it.
    async fn back(&mut self, answer: Response<Incoming>) -> Result<Response<Body>> {
        let (mut head, incoming) = answer.into_parts();
        if let Some(what) = self.fault.as_ref().filter(|what| answer::is_lie(what)) {
            answer::lie_in_headers(what, &mut head.headers)?;
            if answer::is_xml(&head.headers) {
                let xml = body::collected(incoming).await?;
                let told = answer::lie_in_xml(what, std::str::from_utf8(&xml)?, &mut head.headers)?;
                return Ok(self.in_one_piece(Response::from_parts(head, body::whole(told))));
            }
        }
        let mut shape = Shape {
            bytes_per_second: self.rate(),
            ..Shape::default()
        };
        match self.fault {
            Some(What::CutBody { after }) => shape.cut_after = Some(after),
            Some(What::FlipByte { at }) => shape.flip_at = Some(at),
            Some(What::Truncate { to }) => {
                shape.end_after = Some(to);
                shorten(&mut head.headers, to);
            }
            _ => {}
        }
        let progress = Progress {
            ending: self.ending.take(),
            ..self.progress(|seen, at| seen.bytes_out = at)
        };
        let body = body::shaped(incoming, shape, self.client.clone(), progress);
        Ok(Response::from_parts(head, body))
    }

    /// An answer that is there already.
    fn in_one_piece(&self, answer: Response<Body>) -> Response<Body> {
        let length = hyper::body::Body::size_hint(answer.body()).exact().unwrap_or_default();
        self.state.update(self.number, |seen| seen.bytes_out = length);
        answer
    }

    fn rate(&self) -> Option<u64> {
        match self.fault {
            Some(What::Slow { bytes_per_second }) => Some(bytes_per_second),
            _ => None,
        }
    }

    fn request(&self) -> Progress {
        self.progress(|seen, at| seen.bytes_in = at)
    }

    fn progress(&self, note: Note) -> Progress {
        Progress {
            state: self.state.clone(),
            number: self.number,
            note,
            ending: None,
        }
    }
}

fn shorten(headers: &mut HeaderMap, to: u64) {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > to) {
        headers.insert(CONTENT_LENGTH, to.into());
    }
}
