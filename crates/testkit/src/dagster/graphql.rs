//! Questions and orders to Dagster's web server. HTTP 1.0, a connection for each: the server ends its answer by closing it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// No answer about a few hundred events takes longer.
const LIMIT: Duration = Duration::from_mins(2);

const PORT: u16 = 3000;

/// The web server.
#[derive(Debug)]
pub(super) struct Web {
    address: String,
}

impl Web {
    pub(super) fn at(address: &str) -> Self {
        Self {
            address: format!("{address}:{PORT}"),
        }
    }

    /// The data of one operation of a document; an error if anything in it failed.
    pub(super) fn asked(&self, document: &str, operation: &str, variables: &Value) -> Result<Value> {
        let request = json!({"query": document, "operationName": operation, "variables": variables}).to_string();
        let (status, content) = self
            .post(&request)
            .with_context(|| format!("asking Dagster at {} for {operation}", self.address))?;
        ensure!(status == "200", "{operation}: HTTP {status}: {}", beginning(&content));
        let mut answer: Value = serde_json::from_str(&content).with_context(|| format!("{operation}: no JSON"))?;
        if let Some(errors) = answer.get("errors") {
            bail!("{operation}: {}", beginning(&errors.to_string()));
        }
        Ok(answer["data"].take())
    }

    fn post(&self, request: &str) -> Result<(String, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write!(
            stream,
            "POST /graphql HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{request}",
            self.address,
            request.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, content) = answer.split_once("\r\n\r\n").context("the web server speaks no HTTP")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        Ok((status.to_owned(), content.to_owned()))
    }
}

/// Enough of an answer to know what it complains of: Dagster's hold whole stacks.
fn beginning(text: &str) -> String {
    text.chars().take(600).collect()
}
