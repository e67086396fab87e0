//! One exchange of HTTP over a stream of ours: hyper speaks, the store's port or a process beside it carries.
//!
//! Never here: what is asked, and what an answer means.

use std::pin::pin;

use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use stillpoint_core::ports::reach::ByteStream;

/// Why nothing was answered.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Asks once, and reads the answer whole, which has at most so many bytes. The stream is used up.
pub(crate) async fn exchange(
    stream: Box<dyn ByteStream>,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<Response<Bytes>, Broken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answered = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, largest).collect().await?;
        Ok::<_, Broken>(Response::from_parts(head, body.to_bytes()))
    };
    // The connection moves the bytes; its end is told by the answer.
    match select(pin!(answered), pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answered)) => answered.await,
    }
}
