//! One exchange with ClickHouse's HTTP interface over a stream of ours. What came of it is told by the exception's code: an error
//! that comes late follows a status of 200.
//!
//! Never here: what is asked. Never a credential in a URL.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use stillpoint_core::ports::reach::ByteStream;

pub(super) use crate::toolbox::Broken;
use crate::toolbox::exchange_http;

/// By which the server's lists tell us from others.
pub(super) const AGENT: &str = "stillpoint";

/// More than any answer has: the tables of a server with very many.
const LARGEST_ANSWER: usize = 256 << 20;

/// More of an answer that is no ClickHouse's is not told.
const TOLD: usize = 200;

const USER: &str = "X-ClickHouse-User";
const KEY: &str = "X-ClickHouse-Key";
const CODE: &str = "X-ClickHouse-Exception-Code";

/// Rows of texts.
pub(super) type Rows = Vec<Vec<String>>;

/// Who asks.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Option<SecretString>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Rows(Rows),
    /// An exception: its code, and the server's words.
    Refused(u32, String),
}

/// Asks once. The stream is used up.
pub(super) async fn exchange(
    stream: Box<dyn ByteStream>,
    path: &str,
    login: &Login,
    statement: Bytes,
) -> Result<Answer, Broken> {
    let answer = exchange_http(stream, request(path, login, statement)?, LARGEST_ANSWER).await?;
    let code = answer.headers().get(CODE).and_then(|code| code.to_str().ok());
    let code = code.and_then(|code| code.trim().parse().ok());
    understood(answer.status().as_u16(), code, answer.body())
}

fn request(path: &str, login: &Login, statement: Bytes) -> Result<Request<Full<Bytes>>, Broken> {
    let mut request = Request::post(path)
        .header(HOST, "clickhouse")
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "text/plain; charset=UTF-8")
        .header(USER, HeaderValue::from_bytes(login.user.as_bytes())?);
    if let Some(password) = &login.password {
        let mut key = HeaderValue::from_bytes(password.expose_secret().as_bytes())?;
        key.set_sensitive(true);
        request = request.header(KEY, key);
    }
    Ok(request.body(Full::new(statement))?)
}

/// What an answer means.
fn understood(status: u16, code: Option<u32>, body: &[u8]) -> Result<Answer, Broken> {
    let text = String::from_utf8_lossy(body);
    if let Some(code) = code {
        return Ok(Answer::Refused(code, words(&text)));
    }
    if text.trim().is_empty() && status == 200 {
        return Ok(Answer::Rows(Vec::new()));
    }
    if let Ok(json) = serde_json::from_str::<Value>(&text)
        && let Some(rows) = rows(&json)
    {
        return Ok(Answer::Rows(rows));
    }
    if let Some((code, message)) = exception(&text) {
        return Ok(Answer::Refused(code, words(message)));
    }
    let told: String = text.trim().chars().take(TOLD).collect();
    Err(format!("it answers with status {status}, and not as ClickHouse does: {told}").into())
}

/// In the format `JSONCompactStrings`.
fn rows(json: &Value) -> Option<Rows> {
    let row = |row: &Value| -> Option<Vec<String>> {
        let cells = row.as_array()?.iter();
        cells.map(|cell| Some(cell.as_str()?.to_owned())).collect()
    };
    json.get("data")?.as_array()?.iter().map(row).collect()
}

/// The exception that ends an answer: `Code: 60. DB::Exception: …`.
fn exception(text: &str) -> Option<(u32, &str)> {
    const MARK: &str = "Code: ";
    let mut end = text.len();
    while let Some(at) = text[..end].rfind(MARK) {
        let digits = text[at + MARK.len()..]
            .split_once(". DB::")
            .map_or("", |(digits, _)| digits);
        if let Ok(code) = digits.parse() {
            return Some((code, &text[at..]));
        }
        end = at;
    }
    None
}

/// The server's words without its version, its stack, and the code that stands before them.
pub(super) fn words(text: &str) -> String {
    let text = text.split(", Stack trace").next().unwrap_or(text);
    let text = text.split(" (version ").next().unwrap_or(text);
    let text = match text.split_once("DB::Exception: ") {
        Some((before, rest)) if before.starts_with("Code: ") => rest,
        _ => text,
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const ROWS: &str = "{\"meta\": [{\"name\": \"x\", \"type\": \"UInt64\"}],\n\"data\":\n[\n[\"18446744073709551615\"]\n],\n\"rows\": 1}";

    fn refused(code: u32, message: &str) -> Answer {
        Answer::Refused(code, message.to_owned())
    }

    #[test]
    fn an_answer_is_rows_or_an_exception() {
        let of = |status, code, body: &str| understood(status, code, body.as_bytes());
        assert_eq!(of(200, None, "").unwrap(), Answer::Rows(Vec::new()));
        let rows = vec![vec!["18446744073709551615".to_owned()]];
        assert_eq!(of(200, None, ROWS).unwrap(), Answer::Rows(rows));
        let said =
            "Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE) (version 26.9.2.1 (official build))\n";
        let expected = refused(60, "Table a.b does not exist. (UNKNOWN_TABLE)");
        assert_eq!(of(404, Some(60), said).unwrap(), expected);
        assert_eq!(of(500, None, said).unwrap(), expected, "a server that sends no code");
        let late = format!("{{\"meta\": [],\n\"data\":\n[\n[\"1\"],{said}");
        assert_eq!(of(200, None, &late).unwrap(), expected, "after a status of 200");
        assert!(of(502, None, "<html>Bad gateway</html>").is_err());
        assert!(of(404, None, "").is_err());
    }

    #[test]
    fn only_the_servers_own_words_are_told() {
        assert_eq!(
            words(
                "Code: 394. DB::Exception: Query was cancelled:\n While writing. (QUERY_WAS_CANCELLED), Stack trace: 0. x"
            ),
            "Query was cancelled: While writing. (QUERY_WAS_CANCELLED)"
        );
        assert_eq!(words("odd"), "odd");
    }

    #[test]
    fn who_asks_stands_in_headers_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (answer, heard) = runtime.block_on(async {
            let (ours, mut theirs) = duplex(1 << 16);
            let server = async {
                let mut heard = vec![0; 4096];
                let length = theirs.read(&mut heard).await.unwrap();
                let begin = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", ROWS.len());
                theirs.write_all(begin.as_bytes()).await.unwrap();
                theirs.write_all(ROWS.as_bytes()).await.unwrap();
                String::from_utf8_lossy(&heard[..length]).into_owned()
            };
            let login = Login {
                user: "app".into(),
                password: Some(SecretString::from("s3cret é")),
            };
            futures::join!(
                exchange(Box::new(ours), "/?database=system", &login, "SELECT 1".into()),
                server
            )
        });
        assert!(matches!(answer.unwrap(), Answer::Rows(_)));
        let line = heard.lines().next().unwrap();
        assert_eq!(line, "POST /?database=system HTTP/1.1");
        assert!(
            heard.contains("x-clickhouse-user: app") && heard.contains("x-clickhouse-key: s3cret é"),
            "{heard}"
        );
        assert!(heard.ends_with("SELECT 1"), "{heard}");
    }
}
