//! One exchange with Neo4j's HTTP interface, in JSON.
//!
//! Never here: what is asked, and what an answer means.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use stillpoint_core::ports::reach::ByteStream;

pub(super) use crate::toolbox::Broken;
use crate::toolbox::exchange_http;

/// By which the server's lists of connections tell us from others.
pub(super) const AGENT: &str = "stillpoint";

/// More than any answer has: the counts of a graph with very many labels.
const LARGEST_ANSWER: usize = 64 << 20;

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) path: &'a str,
    /// The header that says who asks.
    pub(super) login: Option<&'a SecretString>,
    /// What is sent along; none: it is only read.
    pub(super) body: Option<&'a Value>,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// Asks once. The stream is used up.
pub(super) async fn exchange(stream: Box<dyn ByteStream>, ask: &Ask<'_>) -> Result<Answer, Broken> {
    let answer = exchange_http(stream, request(ask)?, LARGEST_ANSWER).await?;
    let status = answer.status().as_u16();
    let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    Ok(Answer { status, body })
}

fn request(ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, Broken> {
    let json = HeaderValue::from_static("application/json");
    let (method, body) = match ask.body {
        Some(body) => (Method::POST, serde_json::to_vec(body)?),
        None => (Method::GET, Vec::new()),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(ask.path)
        .header(HOST, "neo4j")
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .header(ACCEPT, &json)
        .header(CONTENT_TYPE, &json);
    if let Some(login) = ask.login {
        let mut login = HeaderValue::from_str(login.expose_secret())?;
        login.set_sensitive(true);
        request = request.header(AUTHORIZATION, login);
    }
    Ok(request.body(Full::new(Bytes::from(body)))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What is answered to a question, and what was asked.
    fn asked(answer: &'static str) -> (Result<Answer, Broken>, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = duplex(1 << 16);
            let server = async {
                let mut heard = vec![0; 4096];
                let length = theirs.read(&mut heard).await.unwrap();
                theirs.write_all(answer.as_bytes()).await.unwrap();
                drop(theirs);
                String::from_utf8_lossy(&heard[..length]).into_owned()
            };
            let login = SecretString::from("Basic bmVvNGo6eA==");
            let body = json!({"statement": "RETURN 1"});
            let ask = Ask {
                path: "/db/neo4j/query/v2",
                login: Some(&login),
                body: Some(&body),
            };
            futures::join!(exchange(Box::new(ours), &ask), server)
        })
    }

    #[test]
    fn an_answer_comes_back_however_it_is_framed() {
        for answer in [
            "HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\n{\"a\": 1}",
            "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n4\r\n: 1}\r\n0\r\n\r\n",
            "HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n{\"a\": 1}",
        ] {
            let (answer, heard) = asked(answer);
            let answer = answer.unwrap();
            assert_eq!((answer.status, answer.body), (202, json!({"a": 1})));
            assert!(heard.starts_with("POST /db/neo4j/query/v2 HTTP/1.1\r\n"), "{heard}");
            assert!(heard.ends_with(r#"{"statement":"RETURN 1"}"#), "{heard}");
        }
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\"",
            "SSH-2.0-OpenSSH_9.2\r\n",
        ] {
            assert!(asked(answer).0.is_err(), "{answer}");
        }
    }
}
