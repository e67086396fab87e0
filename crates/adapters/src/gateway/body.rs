//! Reading what a client sends: to its end, of the announced length, and with the announced checksums, or an error. A client
//! that sends nothing for [`IDLE`] is given up: it holds memory that others wait for.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, StdError, TrailingHeaders, s3_error};
use tokio::time::timeout;

use super::checks::Checks;

/// Longer than any client pauses within a body.
const IDLE: Duration = Duration::from_mins(1);

/// The body of a request.
pub(super) struct Incoming {
    body: Option<StreamingBlob>,
    size: u64,
    left: u64,
    checks: Checks,
    trailers: Option<TrailingHeaders>,
}

impl Incoming {
    /// `body` and `length` are those of the request's input.
    pub(super) fn of<T>(request: &S3Request<T>, body: Option<StreamingBlob>, length: Option<i64>) -> S3Result<Self> {
        let size = length.and_then(|length| u64::try_from(length).ok());
        let size = size.ok_or_else(|| s3_error!(MissingContentLength))?;
        Ok(Self {
            body,
            size,
            left: size,
            checks: Checks::of(&request.headers)?,
            trailers: request.trailing_headers.clone(),
        })
    }

    /// Its length in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The next piece; none at the end, after which [`Self::compare`] says whether it was all.
    pub(super) async fn next(&mut self) -> S3Result<Option<Bytes>> {
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        let piece = timeout(IDLE, body.next()).await;
        let piece = piece
            .map_err(|_| s3_error!(RequestTimeout))?
            .transpose()
            .map_err(|error| broken(&error))?;
        if let Some(piece) = &piece {
            let left = self.left.checked_sub(piece.len() as u64);
            self.left = left.ok_or_else(|| s3_error!(IncompleteBody, "it is longer than announced"))?;
            self.checks.add(piece);
        }
        Ok(piece)
    }

    /// That all of it came, and nothing else.
    pub(super) fn compare(self) -> S3Result<()> {
        if self.left > 0 {
            return Err(s3_error!(IncompleteBody));
        }
        let trailers = self.trailers.as_ref().and_then(TrailingHeaders::take);
        self.checks.compare(trailers.as_ref())
    }
}

/// `s3s` names what it has found in its text alone.
fn broken(error: &StdError) -> S3Error {
    let said = error.to_string();
    if said.contains("Sha256Mismatch") {
        let mut error = S3Error::new(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()));
        error.set_status_code(StatusCode::BAD_REQUEST);
        error
    } else if said.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch)
    } else {
        s3_error!(IncompleteBody, "{said}")
    }
}
