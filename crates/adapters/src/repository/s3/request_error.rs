//! What went wrong, in the server's own words or the system's, and what that means to the port.
//! `object_store` wraps both in sentences that fill a screen; an operator gets the core of them.

use std::error::Error;

use object_store::client::HttpError;
use serde::Deserialize;
use stillpoint_core::ports::RepositoryError;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestError {
    /// There was no answer; what was asked for may have happened all the same.
    Silent(String),
    /// The server said no.
    Refused {
        /// The status of HTTP.
        status: u16,
        /// S3's word for it; the phrase of HTTP where the answer has no body.
        code: String,
        /// S3's sentence; may be empty.
        message: String,
    },
    /// The answer is not to be understood, or nothing was asked.
    Other(String),
}

/// The body of a refusal.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Refusal {
    code: String,
    message: String,
}

/// What `object_store` puts before the status of an answer.
const STATUS: &str = "status code: ";

/// What it puts before a refusal that came with the status 200.
const RESPONSE: &str = "Server returned error response: ";

impl RequestError {
    /// Of an error of `object_store`, whose types for this are private: the transport's error is
    /// found in the chain, the server's words in the innermost sentence.
    pub(super) fn of(error: &object_store::Error) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        let mut last = String::new();
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<HttpError>() {
                return Self::transport(error);
            }
            last = error.to_string();
            next = error.source();
        }
        Self::said(&last).unwrap_or(Self::Other(last))
    }

    /// Of an error on the way: the innermost one names the cause.
    pub(super) fn transport(error: &HttpError) -> Self {
        let mut cause: &dyn Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Self::Silent(cause.to_string())
    }

    /// Of an answer.
    pub(super) fn answer(status: u16, body: &str) -> Self {
        let refusal: Refusal = quick_xml::de::from_str(body).unwrap_or_default();
        let phrase = http::StatusCode::from_u16(status).ok();
        let phrase = phrase
            .and_then(|status| status.canonical_reason())
            .unwrap_or("no success");
        Self::Refused {
            status,
            code: if refusal.code.is_empty() {
                phrase.into()
            } else {
                refusal.code
            },
            message: refusal.message,
        }
    }

    fn said(text: &str) -> Option<Self> {
        if let Some((_, body)) = text.split_once(RESPONSE) {
            return Some(Self::answer(200, body));
        }
        let (_, rest) = text.split_once(STATUS)?;
        let (status, body) = rest.split_once(": ").unwrap_or((rest, ""));
        let status = status.split_whitespace().next()?.parse().ok()?;
        Some(Self::answer(status, body))
    }

    /// Whether what was asked for may have been done.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Silent(_) | Self::Other(_) => true,
            Self::Refused { status, .. } => *status >= 500 || [200, 404, 409, 412].contains(status),
        }
    }

    /// Whether there is no such object (or upload).
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, code, .. } if code != "NoSuchBucket")
    }

    /// Whether a condition of the request did not hold.
    pub(super) fn is_condition(&self) -> bool {
        matches!(self, Self::Refused { status: 409 | 412, .. })
    }

    /// Whether the server does not know what the request asks of it.
    pub(super) fn is_unknown_to_it(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == NOT_IMPLEMENTED)
    }

    /// Whether asking again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::Other(_) => false,
        }
    }

    /// What it means for `key` in `bucket`.
    pub(super) fn at(self, key: &str, bucket: &str) -> RepositoryError {
        let cause = self.to_string();
        let key = key.to_owned();
        match self {
            Self::Silent(cause) => RepositoryError::Unreachable { cause },
            Self::Refused { code, .. } if code == "NoSuchBucket" => RepositoryError::NoBucket {
                bucket: bucket.to_owned(),
                why: String::new(),
            },
            Self::Refused { status: 404, .. } => RepositoryError::Missing { key },
            Self::Refused { status: 507, .. } => RepositoryError::Full { key, cause },
            Self::Refused { code, .. } if FULL.contains(&code.as_str()) => RepositoryError::Full { key, cause },
            Self::Refused { status: 401 | 403, .. } => RepositoryError::Denied { key, cause },
            Self::Refused { .. } | Self::Other(_) => RepositoryError::Failed { key, cause },
        }
    }
}

/// What servers call it that no space is left: Ceph and others; `MinIO`.
const FULL: [&str; 4] = [
    "QuotaExceeded",
    "InsufficientStorage",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
];

/// The server does not know what was asked for.
pub(super) const NOT_IMPLEMENTED: &str = "NotImplemented";

/// The clocks are too far apart for a signature to hold.
const SKEWED: &str = "RequestTimeTooSkewed";

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent(cause) | Self::Other(cause) => f.write_str(cause),
            Self::Refused { status, code, message } => {
                f.write_str(code)?;
                if !message.is_empty() {
                    write!(f, ": {}", message.trim_end_matches('.'))?;
                }
                if code == SKEWED {
                    f.write_str("; the clocks of this host and of the server differ: set them")?;
                }
                match code.as_str() {
                    NOT_IMPLEMENTED => f.write_str(" (501)"),
                    _ => write!(f, " ({status})"),
                }
            }
        }
    }
}
