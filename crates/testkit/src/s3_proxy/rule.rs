//! Which requests something happens to, and what. Pure: nothing here does anything.

use std::time::Duration;

use hyper::Uri;
use jiff::SignedDuration;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which requests it is about.
    pub when: Match,
    /// What happens to them.
    pub what: What,
}

impl Rule {
    /// What happens to which requests.
    pub fn new(when: Match, what: What) -> Self {
        Self { when, what }
    }
}

/// Which requests a rule is about: everything that is set must hold. The default fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// In capitals, such as `PUT`.
    pub method: Option<String>,
    /// A part of the path (bucket and key) as it is sent: odd characters are percent-encoded.
    pub key_contains: Option<String>,
    /// A part of what follows `?`, such as `uploads`.
    pub query_contains: Option<String>,
    /// Whether it uploads a part of a multipart upload.
    pub is_upload_part: Option<bool>,
    /// The first of the fitting requests to act on, counted from 1; without it the first of all. Counted are all that fit,
    /// also those that another rule acts on.
    pub nth: Option<usize>,
    /// On how many of the fitting requests, from the first one on; without it on all.
    pub times: Option<usize>,
}

impl Match {
    /// All requests of a method whose path contains `key`.
    pub fn of(method: &str, key: &str) -> Self {
        Self {
            method: Some(method.to_owned()),
            key_contains: Some(key.to_owned()),
            ..Self::default()
        }
    }

    /// All uploads of parts.
    pub fn upload_part() -> Self {
        Self {
            is_upload_part: Some(true),
            ..Self::default()
        }
    }

    fn fits(&self, method: &str, uri: &Uri) -> bool {
        let query = uri.query().unwrap_or_default();
        let is_part = method == "PUT" && query.split('&').any(|pair| pair.starts_with("partNumber="));
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.key_contains.as_ref().is_none_or(|part| uri.path().contains(part))
            && self.query_contains.as_ref().is_none_or(|part| query.contains(part))
            && self.is_upload_part.is_none_or(|wanted| wanted == is_part)
    }

    /// Whether the `count`th fitting request, counted from 1, is one to act on.
    fn wants(&self, count: usize) -> bool {
        let first = self.nth.unwrap_or(1);
        count >= first && self.times.is_none_or(|times| count - first < times)
    }
}

/// What happens to a request or to its answer.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The connection is closed without an answer; the server never hears of the request.
    Drop,
    /// The server acts, then the connection is closed without an answer.
    DropAfter,
    /// The request is passed on this much later.
    Delay(Duration),
    /// The connection is closed after so many bytes of the answer's body; one that is shorter is whole.
    CutBody {
        /// In bytes.
        after: u64,
    },
    /// The server gets so many bytes of the request's body, then both connections are closed; a shorter
    /// request passes.
    CutRequest {
        /// In bytes.
        after: u64,
    },
    /// The request is read to its end and answered with an error of S3; the server never hears of it.
    Status {
        /// Of HTTP, such as 503.
        code: u16,
        /// S3's word for it, such as `SlowDown`.
        s3_code: &'static str,
    },
    /// Answered as Amazon does when a request is signed for another region than the bucket's, which is this one.
    OtherRegion(&'static str),
    /// An answer of 412 becomes one of 200: so a server answers that does not look at the conditions of a write. (What it holds
    /// is not replaced: conditions are signed, so they cannot be taken out.)
    NoConditions,
    /// As servers are that know no conditional writes (Backblaze B2): 501 to `If-None-Match` and `If-Match`.
    UnknownConditions,
    /// As a bucket with Object Lock wants it: an object that comes without `Content-MD5` and without a checksum is refused.
    WantsChecksum,
    /// An upload whose parts, but for the last, are not all of one size is refused when it completes, as Cloudflare's R2 does.
    EqualParts,
    /// Both bodies are passed on at this rate.
    Slow {
        /// At least 1.
        bytes_per_second: u64,
    },
    /// Every `ETag` of the answer, in its header and in an XML body, is another one.
    WrongETag,
    /// The dates of the answer are moved: `Date`, `Last-Modified`, and in an XML body `LastModified` and `Initiated`.
    WrongDate(SignedDuration),
    /// One bit of the answer's body is another one.
    FlipByte {
        /// The byte it is in, counted from 0.
        at: u64,
    },
    /// The answer's body ends early, and its `Content-Length` says so.
    Truncate {
        /// In bytes.
        to: u64,
    },
    /// The request is read to its end and never answered; the server never hears of it.
    Hang,
}

/// The rules of a proxy, with how often each one's requests have come.
#[derive(Default)]
pub(super) struct Rules(Vec<(Rule, usize)>);

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push((rule, 0));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this request. Every rule that it fits counts it.
    pub(super) fn judge(&mut self, method: &str, uri: &Uri) -> Option<What> {
        let mut verdict = None;
        for (rule, count) in &mut self.0 {
            if rule.when.fits(method, uri) {
                *count += 1;
                if verdict.is_none() && rule.when.wants(*count) {
                    verdict = Some(rule.what.clone());
                }
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(rules: &mut Rules, requests: &[(&str, &'static str)]) -> Vec<Option<What>> {
        let judge = |(method, uri): &(&str, &'static str)| rules.judge(method, &Uri::from_static(uri));
        requests.iter().map(judge).collect()
    }

    #[test]
    fn everything_that_is_set_must_hold() {
        let mut rules = Rules::default();
        rules.add(Rule::new(Match::of("GET", "/run.json"), What::Hang));
        rules.add(Rule::new(Match::upload_part(), What::Drop));
        let requests = [
            ("GET", "/b/x/run.json"),
            ("PUT", "/b/x/run.json"),
            ("GET", "/b/x?prefix=/run.json"),
            ("PUT", "/b/x?partNumber=2&uploadId=y"),
            ("GET", "/b/x?partNumber=2"),
        ];
        let expected = [Some(What::Hang), None, None, Some(What::Drop), None];
        assert_eq!(verdicts(&mut rules, &requests), expected);
    }

    #[test]
    fn a_rule_acts_from_its_nth_request_on_so_many_times_and_the_first_rule_wins() {
        let window = Match {
            nth: Some(2),
            times: Some(2),
            ..Match::default()
        };
        let mut rules = Rules::default();
        rules.add(Rule::new(window, What::Drop));
        let from_third = Match {
            nth: Some(3),
            ..Match::default()
        };
        rules.add(Rule::new(from_third, What::Hang));
        let expected = [None, Some(What::Drop), Some(What::Drop), Some(What::Hang)];
        assert_eq!(verdicts(&mut rules, &[("GET", "/"); 4]), expected);
    }
}
