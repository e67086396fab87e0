//! The server's monitoring port: the only place that knows of accounts for which we have no login.
//! Read-only, and not there on every server.

use serde_json::Value;
use stillpoint_core::ports::EngineError;
use stillpoint_core::stores::{Cx, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::NatsStore;
use super::link::CLIENT_NAME;
use crate::toolbox::guarded;

/// Where the official image's default configuration, and everybody's, puts it.
const PORT: u16 = 8222;

/// More than the description of any server has.
const LARGEST_ANSWER: u64 = 64 << 20;

/// An account that has streams, as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Its name, and where it has one beside it, its key.
    pub(super) names: Vec<String>,
    /// Name and birth of each stream: no two streams have both alike.
    pub(super) streams: Vec<(String, String)>,
}

/// What the server tells of JetStream as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overview {
    pub(super) accounts: Vec<Account>,
    /// Bytes that the files of all streams may have together.
    pub(super) file_limit: Option<u64>,
    /// Bytes that they have.
    pub(super) file_bytes: u64,
    /// Where they lie.
    pub(super) folder: Option<String>,
    pub(super) reserved: Reserved,
}

/// What the server has for all streams, and what they reserve of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reserved {
    pub(super) memory_limit: Option<u64>,
    pub(super) memory: u64,
    pub(super) file_limit: Option<u64>,
    pub(super) files: u64,
}

impl NatsStore {
    /// All accounts with streams; none if the server's monitoring cannot be read.
    pub(super) async fn overview(&self, cx: &Cx) -> Result<Option<Overview>, StoreError> {
        let answer = self.monitoring(cx, "/jsz?accounts=1&streams=1&limit=100000").await?;
        Ok(answer.as_ref().map(overview))
    }

    /// Who is connected apart from us.
    pub(super) async fn connected(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        let answer = self.monitoring(cx, "/connz?auth=1&limit=1000").await?;
        let connections = answer.as_ref().and_then(|answer| answer.get("connections")?.as_array());
        let others = connections
            .into_iter()
            .flatten()
            .filter(|it| text(it, "name") != CLIENT_NAME);
        Ok(others.map(described).collect())
    }

    /// An answer of the monitoring port; none where it is off or speaks TLS.
    async fn monitoring(&self, cx: &Cx, path: &str) -> Result<Option<Value>, StoreError> {
        let what = "asking the server's monitoring port";
        let mut stream = match guarded(cx, what, cx.reach.dial(&self.workload, PORT)).await? {
            Ok(stream) => stream,
            Err(EngineError::Refused { .. } | EngineError::Overdue { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Of HTTP the oldest: the answer is then neither chunked nor kept open.
        let request = format!("GET {path} HTTP/1.0\r\nHost: nats\r\n\r\n");
        let mut answer = Vec::new();
        let exchange = async {
            stream.write_all(request.as_bytes()).await?;
            (&mut stream).take(LARGEST_ANSWER).read_to_end(&mut answer).await
        };
        let read = guarded(cx, what, exchange).await?;
        Ok(read.ok().and_then(|_| body(&answer)))
    }
}

fn body(answer: &[u8]) -> Option<Value> {
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&answer[..split]).ok()?, &answer[split + 4..]);
    let status = head.split(' ').nth(1)?;
    (status == "200").then(|| serde_json::from_slice(body).ok())?
}

fn overview(answer: &Value) -> Overview {
    let accounts = answer.get("account_details").and_then(Value::as_array);
    let accounts = accounts.into_iter().flatten().map(account);
    let limit = |name: &str| answer.get("config")?.get(name)?.as_u64();
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    Overview {
        accounts: accounts.filter(|account| !account.streams.is_empty()).collect(),
        file_limit: limit("max_storage"),
        file_bytes: number("storage"),
        reserved: Reserved {
            memory_limit: limit("max_memory"),
            memory: number("reserved_memory"),
            file_limit: limit("max_storage"),
            files: number("reserved_storage"),
        },
        folder: answer
            .get("config")
            .and_then(|config| config.get("store_dir")?.as_str().map(str::to_owned)),
    }
}

fn account(detail: &Value) -> Account {
    let mut names = vec![text(detail, "name").to_owned(), text(detail, "id").to_owned()];
    names.retain(|name| !name.is_empty());
    names.dedup();
    let streams = detail.get("stream_detail").and_then(Value::as_array);
    let identity = |stream: &Value| (text(stream, "name").to_owned(), text(stream, "created").to_owned());
    Account {
        names,
        streams: streams.into_iter().flatten().map(identity).collect(),
    }
}

fn described(connection: &Value) -> String {
    let port = connection.get("port").and_then(Value::as_u64).unwrap_or(0);
    let parts = [
        ("user", "authorized_user"),
        ("account", "account"),
        ("program", "name"),
        ("client", "lang"),
        ("idle", "idle"),
    ];
    let told = parts.iter().map(|(word, key)| (word, text(connection, key)));
    let told: Vec<String> = told
        .filter(|(_, value)| !value.is_empty())
        .map(|(word, value)| format!("{word} {value}"))
        .collect();
    format!("{}:{port} {}", text(connection, "ip"), told.join(", "))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_with_streams_are_found_by_name_and_key() {
        let answer = body(
            b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"config\":{\"max_storage\":9},\"storage\":4,\
              \"account_details\":[{\"name\":\"APP\",\"id\":\"AKEY\",\"stream_detail\":[{\"name\":\"S\",\"created\":\"t\"}]},\
              {\"name\":\"EMPTY\",\"id\":\"EMPTY\"}]}",
        );
        let found = overview(&answer.unwrap());
        assert_eq!((found.file_limit, found.file_bytes), (Some(9), 4));
        let account = Account {
            names: vec!["APP".into(), "AKEY".into()],
            streams: vec![("S".into(), "t".into())],
        };
        assert_eq!(found.accounts, [account]);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for answer in [
            "",
            "HTTP/1.0 404 Not Found\r\n\r\n{}",
            "\x15\x03\x01",
            "HTTP/1.0 200 OK\r\n\r\n{",
        ] {
            assert_eq!(body(answer.as_bytes()), None, "{answer}");
        }
    }

    #[test]
    fn a_visitor_is_told_by_where_and_who() {
        let connection =
            serde_json::json!({"ip": "10.1.2.3", "port": 5555, "authorized_user": "app", "lang": "go", "idle": "3s"});
        assert_eq!(described(&connection), "10.1.2.3:5555 user app, client go, idle 3s");
    }
}
