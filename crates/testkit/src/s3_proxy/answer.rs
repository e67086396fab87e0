//! Answers that the server never gave: S3's errors, and other dates and `ETag`s in what it said.

use anyhow::{Result, anyhow};
use hyper::Response;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use super::body::{Body, whole};
use super::rule::What;

/// No content has this one.
const WRONG_ETAG: &str = "\"00000000000000000000000000000bad\"";

/// An error as S3 words it.
pub(super) fn error(code: u16, s3_code: &str, path: &str) -> Result<Response<Body>> {
    refusal(code, s3_code, "A rule of the test says so.", path)
}

/// An error with the words of the server that gives it.
pub(super) fn refusal(code: u16, s3_code: &str, message: &str, path: &str) -> Result<Response<Body>> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{s3_code}</Code><Message>{message}</Message>\
         <Resource>{}</Resource><RequestId>0</RequestId></Error>",
        path.replace('&', "&amp;").replace('<', "&lt;")
    );
    Ok(Response::builder()
        .status(code)
        .header(CONTENT_TYPE, "application/xml")
        .body(whole(xml))?)
}

/// As Amazon says that a bucket lies elsewhere; a HEAD is told so by the header alone.
pub(super) fn other_region(region: &'static str, path: &str) -> Result<Response<Body>> {
    let mut answer = error(400, "AuthorizationHeaderMalformed", path)?;
    let headers = answer.headers_mut();
    headers.insert("x-amz-bucket-region", HeaderValue::from_static(region));
    Ok(answer)
}

/// As a server answers that wrote without having looked.
pub(super) fn careless() -> Result<Response<Body>> {
    Ok(Response::builder().header(ETAG, WRONG_ETAG).body(whole(""))?)
}

/// Whether a rule lies about what an answer says, rather than breaking it.
pub(super) fn is_lie(what: &What) -> bool {
    matches!(what, What::WrongETag | What::WrongDate(_))
}

/// Changes the headers; what is not there is not added.
pub(super) fn lie_in_headers(what: &What, headers: &mut HeaderMap) -> Result<()> {
    let names: &[HeaderName] = match what {
        What::WrongETag => &[ETAG],
        What::WrongDate(_) => &[DATE, LAST_MODIFIED],
        _ => &[],
    };
    for name in names {
        if let Some(value) = headers.get_mut(name) {
            *value = match what {
                What::WrongDate(by) => moved(value.to_str()?, *by)?.parse()?,
                _ => HeaderValue::from_static(WRONG_ETAG),
            };
        }
    }
    Ok(())
}

pub(super) fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.contains("xml"))
}

/// The same in a body of XML, and its new length.
pub(super) fn lie_in_xml(what: &What, xml: &str, headers: &mut HeaderMap) -> Result<String> {
    let told = match what {
        What::WrongETag => replaced(xml, "ETag", |_| Ok(WRONG_ETAG.replace('"', "&quot;")))?,
        What::WrongDate(by) => {
            let later = |text: &str| Ok(text.parse::<Timestamp>()?.checked_add(*by)?.to_string());
            let told = replaced(xml, "LastModified", later)?;
            replaced(&told, "Initiated", later)?
        }
        _ => xml.to_owned(),
    };
    headers.insert(CONTENT_LENGTH, told.len().into());
    Ok(told)
}

/// Changes the text of every element of that name.
fn replaced(xml: &str, element: &str, change: impl Fn(&str) -> Result<String>) -> Result<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let mut told = String::new();
    let mut rest = xml;
    while let Some((before, after)) = rest.split_once(&open) {
        let (text, after) = after
            .split_once(&close)
            .ok_or_else(|| anyhow!("{element} has no end in {xml}"))?;
        told.extend([before, &open, &change(text)?, &close]);
        rest = after;
    }
    Ok(told + rest)
}

/// A date of HTTP, moved.
fn moved(date: &str, by: SignedDuration) -> Result<String> {
    let date = rfc2822::parse(date)?.timestamp().checked_add(by)?;
    Ok(rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_moved_in_headers_and_in_lists() {
        let by = What::WrongDate(SignedDuration::from_mins(-20));
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("Tue, 01 Dec 2026 00:10:00 GMT"));
        lie_in_headers(&by, &mut headers).unwrap();
        assert_eq!(headers[DATE], "Mon, 30 Nov 2026 23:50:00 GMT");
        assert!(!headers.contains_key(LAST_MODIFIED));

        let xml = "<a><LastModified>2026-12-01T00:10:00Z</LastModified><b>1</b><LastModified>2026-12-01T00:20:00Z</LastModified></a>";
        let told = lie_in_xml(&by, xml, &mut headers).unwrap();
        assert_eq!(
            told,
            "<a><LastModified>2026-11-30T23:50:00Z</LastModified><b>1</b><LastModified>2026-12-01T00:00:00Z</LastModified></a>"
        );
        assert_eq!(headers[CONTENT_LENGTH], told.len().to_string().as_str());
    }

    #[test]
    fn etags_are_others_in_lists() {
        let told = replaced("<x><ETag>\"a\"</ETag></x>", "ETag", |_| Ok("b".to_owned())).unwrap();
        assert_eq!(told, "<x><ETag>b</ETag></x>");
    }
}
