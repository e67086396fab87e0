//! A few words with Neo4j over its Query API, in the typed JSON that tells an integer from a float and a date from a text. Knows nothing
//! of what is in the graph. HTTP 1.0, a connection for each question: the server ends the answer by closing it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{containers, stores};

/// For a query over everything.
const LIMIT: Duration = Duration::from_mins(5);

/// The users of the seed: the name, a password, and whether it is valid. The valid one is last: a few wrong ones in a row lock a user out.
pub(super) const USERS: [(&str, &str); 5] = [
    ("neo4j", stores::NEO4J.1),
    ("reporter", "reporter-secret"),
    ("reporter", "changed-secret"),
    ("odd\"us'er%", "odd \"secret\" ✓"),
    ("newcomer", "newcomer-secret"),
];

/// A server, asked by one of its users.
pub(super) struct Neo4j {
    address: String,
    authorization: String,
}

impl Neo4j {
    /// The server in a container, as the user `neo4j`.
    pub(super) fn of(container: &str) -> Result<Self> {
        Self::by(container, "neo4j", stores::NEO4J.1)
    }

    /// The same, as another user.
    pub(super) fn by(container: &str, user: &str, password: &str) -> Result<Self> {
        Ok(Self {
            address: format!("{}:7474", containers::address(container)?),
            authorization: STANDARD.encode(format!("{user}:{password}")),
        })
    }

    /// The rows of a statement, each value with its type.
    pub(super) fn rows(&self, database: &str, statement: &str, parameters: &Value) -> Result<Vec<Vec<Value>>> {
        let mut answer = self.tried(database, statement, parameters)?;
        ensure!(answer.get("errors").is_none(), "{statement}: {answer}");
        serde_json::from_value(answer["data"]["values"].take()).with_context(|| format!("{statement}: no rows"))
    }

    /// Runs a statement that has no rows.
    pub(super) fn run(&self, database: &str, statement: &str) -> Result<()> {
        self.rows(database, statement, &json!({})).map(drop)
    }

    /// The same, whatever the answer is.
    pub(super) fn tried(&self, database: &str, statement: &str, parameters: &Value) -> Result<Value> {
        let body = json!({"statement": statement, "parameters": parameters}).to_string();
        let answer = self
            .post(database, &body)
            .with_context(|| format!("asking Neo4j at {}", self.address))?;
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let head = head.context("Neo4j speaks no HTTP")?;
        let content = answer.get(head + 4..).unwrap_or_default();
        serde_json::from_slice(content).with_context(|| format!("{statement}: {}", String::from_utf8_lossy(content)))
    }

    fn post(&self, database: &str, body: &str) -> Result<Vec<u8>> {
        const JSON: &str = "application/vnd.neo4j.query";
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write!(
            stream,
            "POST /db/{database}/query/v2 HTTP/1.0\r\nAuthorization: Basic {}\r\nContent-Type: {JSON}\r\nAccept: {JSON}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.authorization,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// An integer of a row.
pub(super) fn integer(value: &Value) -> Result<i64> {
    let text = value["_value"].as_str();
    let number = text.and_then(|text| text.parse().ok());
    number.with_context(|| format!("no integer: {value}"))
}

/// A text of a row.
pub(super) fn text(value: &Value) -> Result<&str> {
    match (value["$type"].as_str(), value["_value"].as_str()) {
        (Some("String"), Some(text)) => Ok(text),
        _ => bail!("no text: {value}"),
    }
}

/// A value as people read it: what is no list and no map is a text, a truth or nothing.
pub(super) fn plain(value: &Value) -> Value {
    match &value["_value"] {
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        other => other.clone(),
    }
}
