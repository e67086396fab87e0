//! A few words with ClickHouse over its HTTP interface, as the user who may do everything. Knows nothing of what is in the tables. HTTP
//! 1.0, a connection for each question: the server ends the answer by closing it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use super::{containers, stores};

/// For a query over everything.
const LIMIT: Duration = Duration::from_mins(5);

/// The one user of the platform.
pub(super) const USER: &str = "clickhouse";

/// What every server has; all else is somebody's.
pub(super) const OF_THE_SERVER: &str = "('system', 'INFORMATION_SCHEMA', 'information_schema')";

/// A server.
pub(super) struct ClickHouse {
    address: String,
}

impl ClickHouse {
    /// The server in a container.
    pub(super) fn of(container: &str) -> Result<Self> {
        let address = format!("{}:8123", containers::address(container)?);
        Ok(Self { address })
    }

    /// The rows of a query without a format of its own. Integers of 64 bits and more are texts.
    pub(super) fn rows(&self, query: &str) -> Result<Vec<Vec<Value>>> {
        self.tried(query)?.map_err(|exception| anyhow!("{query}: {exception}"))
    }

    /// The same, or the exception that the server answers with.
    pub(super) fn tried(&self, query: &str) -> Result<Result<Vec<Vec<Value>>, String>> {
        let answer = match self.asked(&format!("{query} FORMAT JSONCompactEachRow"))? {
            Ok(answer) => answer,
            Err(exception) => return Ok(Err(exception)),
        };
        let rows = answer.lines().map(serde_json::from_str);
        let rows = rows.collect::<Result<_, _>>();
        rows.map(Ok).with_context(|| format!("{query}: no rows: {answer}"))
    }

    /// The texts of a query's first column.
    pub(super) fn texts(&self, query: &str) -> Result<Vec<String>> {
        let rows = self.rows(query)?;
        rows.iter()
            .map(|row| text(row.first().context("an empty row")?).map(str::to_owned))
            .collect()
    }

    /// Runs a statement that has no rows.
    pub(super) fn run(&self, statement: &str) -> Result<()> {
        let answer = self.asked(statement)?;
        answer
            .map(drop)
            .map_err(|exception| anyhow!("{statement}: {exception}"))
    }

    fn asked(&self, statement: &str) -> Result<Result<String, String>> {
        let answer = self
            .post(statement)
            .with_context(|| format!("asking ClickHouse at {}", self.address))?;
        let answer = String::from_utf8(answer).with_context(|| format!("{statement}: no UTF-8"))?;
        let (head, content) = answer.split_once("\r\n\r\n").context("ClickHouse speaks no HTTP")?;
        let is_success = head.split(' ').nth(1) == Some("200");
        Ok(if is_success {
            Ok(content.to_owned())
        } else {
            Err(content.trim_end().to_owned())
        })
    }

    fn post(&self, statement: &str) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write!(
            stream,
            "POST /?output_format_json_quote_64bit_integers=1 HTTP/1.0\r\nX-ClickHouse-User: {USER}\r\nX-ClickHouse-Key: {}\r\n\
             Content-Length: {}\r\n\r\n{statement}",
            stores::CLICKHOUSE.1,
            statement.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// A text of a row.
pub(super) fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("no text: {value}"))
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// A text as SQL has it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_escaped() {
        assert_eq!(quoted("a `b\\"), "`a \\`b\\\\`");
        assert_eq!(literal("it's \\"), "'it\\'s \\\\'");
    }
}
