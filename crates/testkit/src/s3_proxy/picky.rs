//! Servers that know less of S3 than Amazon's, or want more: which requests they mind, and in what words.

use anyhow::Result;
use hyper::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, Response};

use super::answer;
use super::body::Body;
use super::record::Seen;
use super::rule::What;

/// Whether such a server refuses this request; `seen` are those before it.
pub(super) fn minds<B>(what: &What, request: &Request<B>, seen: &[Seen]) -> bool {
    let query = request.uri().query().unwrap_or_default();
    match what {
        What::UnknownConditions => {
            let headers = request.headers();
            headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MATCH)
        }
        What::WantsChecksum => request.method() == Method::PUT && !has_checksum(request.headers()),
        What::EqualParts => request.method() == Method::POST && upload(query).is_some_and(|id| unequal(id, seen)),
        _ => false,
    }
}

fn has_checksum(headers: &HeaderMap) -> bool {
    let mut names = headers.keys().map(hyper::header::HeaderName::as_str);
    names.any(|name| name == "content-md5" || name.starts_with("x-amz-checksum-"))
}

fn upload(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("uploadId="))
}

fn unequal(id: &str, seen: &[Seen]) -> bool {
    let number = |seen: &Seen| -> Option<u32> {
        let mut pairs = seen.query.split('&');
        pairs.find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok())
    };
    let of_it = seen.iter().filter(|seen| upload(&seen.query) == Some(id));
    let mut parts: Vec<(u32, u64)> = of_it.filter_map(|seen| Some((number(seen)?, seen.bytes_in))).collect();
    parts.sort_unstable();
    let but_last = &parts[..parts.len().saturating_sub(1)];
    but_last.windows(2).any(|pair| pair[0].1 != pair[1].1)
}

/// The words of such a server.
pub(super) fn refusal(what: &What, path: &str) -> Result<Response<Body>> {
    let (status, code, message) = match what {
        What::UnknownConditions => (
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        ),
        What::WantsChecksum => (
            400,
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
        ),
        _ => (400, "InvalidPart", "All non-trailing parts must have the same length."),
    };
    answer::refusal(status, code, message, path)
}
