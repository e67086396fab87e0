//! A few words of NATS' client protocol (docs.nats.io, "Client Protocol"): what the testbed has to know about JetStream, asked for in
//! bulk. The stock CLI asks for one message at a time, and the product's own client must not judge the product. No TLS, no reconnect.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{containers, stores};

const LIMIT: Duration = Duration::from_secs(30);
/// A server that has just been started.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// Unanswered requests; the server drops what it has too many of.
const WINDOW: usize = 512;
/// Bytes of answers that may be on their way; the server holds at most 64 MiB for a client.
const ANSWERS: u64 = 16 << 20;
const INBOX: &str = "_INBOX.testbed";

/// The accounts with data: name, user, password.
pub(super) const ACCOUNTS: [(&str, &str, &str); 2] = [
    ("APP", "app", stores::NATS_APP.1),
    ("OTHER", "other", stores::NATS_OTHER.1),
];

/// What the product is told of them.
pub(super) fn logins() -> Vec<(String, String)> {
    let names = ACCOUNTS.map(|(account, ..)| account).join(",");
    let accounts = [("STILLPOINT_NATS_ACCOUNTS".to_owned(), names)];
    let logins = ACCOUNTS.iter().flat_map(|(account, user, password)| {
        [("USER", user), ("PASSWORD", password)]
            .map(|(what, value)| (format!("STILLPOINT_NATS_{account}_{what}"), (*value).to_owned()))
    });
    accounts.into_iter().chain(logins).collect()
}

/// A connection as one user, hence to one account.
pub struct Nats {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    /// How many requests were ever made: each has an inbox of its own.
    asked: usize,
    /// How many requests may be unanswered at once.
    window: usize,
}

impl Nats {
    /// To the server in a container.
    pub(super) fn connect(container: &str, user: &str, password: &str) -> Result<Self> {
        let address = format!("{}:4222", containers::address(container)?);
        let writer = reach(&address)?;
        writer.set_read_timeout(Some(LIMIT))?;
        writer.set_nodelay(true)?;
        let reader = BufReader::new(writer.try_clone()?);
        let mut nats = Self {
            reader,
            writer,
            asked: 0,
            window: WINDOW,
        };
        let options = json!({"user": user, "pass": password, "verbose": false, "pedantic": false, "headers": true,
            "no_responders": true, "protocol": 1, "lang": "rust", "version": "0", "name": "testbed"});
        write!(nats.writer, "CONNECT {options}\r\nSUB {INBOX}.* 1\r\nPING\r\n")?;
        while nats.line()? != "PONG" {}
        Ok(nats)
    }

    /// A request of the JetStream API, without its `$JS.API.`; an answer that is an error is an error.
    pub fn api(&mut self, subject: &str, body: &Value) -> Result<Value> {
        let answer = self.tried(subject, body)?;
        ensure!(answer.get("error").is_none(), "{subject}: {answer}");
        Ok(answer)
    }

    /// The same, whatever the answer is.
    pub(super) fn tried(&mut self, subject: &str, body: &Value) -> Result<Value> {
        let subject = format!("$JS.API.{subject}");
        let mut answer = Value::Null;
        self.all(&subject, [body.to_string()], |_, text| {
            answer = serde_json::from_slice(text).with_context(|| format!("{subject}: no JSON"))?;
            Ok(())
        })?;
        Ok(answer)
    }

    /// Stores a message and waits until it is stored.
    pub(super) fn publish(&mut self, subject: &str, body: &str) -> Result<()> {
        self.publish_all(subject, [body])
    }

    /// Stores many messages, with many of them on their way at once.
    pub fn publish_all<B: AsRef<[u8]>>(&mut self, subject: &str, bodies: impl IntoIterator<Item = B>) -> Result<()> {
        self.all(subject, bodies, |_, answer| {
            // A few bytes of JSON: {"stream":"S","seq":1}.
            let stored = answer.windows(5).any(|piece| piece == b"\"seq\"");
            ensure!(stored, "{subject}: {}", String::from_utf8_lossy(answer));
            Ok(())
        })
    }

    /// Lets a consumer have so many messages, one by one; none is acknowledged.
    pub fn take(&mut self, stream: &str, consumer: &str, count: u64) -> Result<()> {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        for _ in 0..count {
            self.ask(&subject, &[""])?;
            // It comes with its own subject, not with that of the inbox.
            self.message().with_context(|| format!("a message for {consumer}"))?;
        }
        Ok(())
    }

    /// The same connection with answers of about so many bytes: the server gives up a client for whom it has too many.
    pub(super) fn expecting(&mut self, bytes: u64) {
        let window = ANSWERS.checked_div(bytes).and_then(|count| usize::try_from(count).ok());
        self.window = window.unwrap_or(WINDOW).clamp(1, WINDOW);
    }

    /// Many requests of one subject, with their answers in the order of the requests: `each(number of the request, body)`.
    pub(super) fn all<B: AsRef<[u8]>>(
        &mut self,
        subject: &str,
        bodies: impl IntoIterator<Item = B>,
        mut each: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut bodies = bodies.into_iter();
        let mut number = 0;
        loop {
            let window: Vec<B> = bodies.by_ref().take(self.window).collect();
            if window.is_empty() {
                return Ok(());
            }
            let mut answers: Vec<Option<Vec<u8>>> = vec![None; window.len()];
            let first = self.ask(subject, &window)?;
            for _ in &window {
                let (inbox, answer) = self.answer().with_context(|| format!("an answer to {subject}"))?;
                let place = inbox.checked_sub(first).and_then(|at| answers.get_mut(at));
                *place.context("an answer that nobody asked for")? = Some(answer);
            }
            for answer in answers {
                each(number, &answer.context("two answers to one request")?)?;
                number += 1;
            }
        }
    }

    fn ask<B: AsRef<[u8]>>(&mut self, subject: &str, bodies: &[B]) -> Result<usize> {
        let first = self.asked;
        let mut text = Vec::new();
        for body in bodies.iter().map(AsRef::as_ref) {
            write!(text, "PUB {subject} {INBOX}.{} {}\r\n", self.asked, body.len())?;
            text.extend_from_slice(body);
            text.extend_from_slice(b"\r\n");
            self.asked += 1;
        }
        self.writer.write_all(&text).context("cannot write to NATS")?;
        Ok(first)
    }

    /// The next message: the number of its inbox and its body without headers.
    fn answer(&mut self) -> Result<(usize, Vec<u8>)> {
        let (subject, body) = self.message()?;
        let inbox = subject.rsplit('.').next().unwrap_or_default();
        Ok((inbox.parse()?, body))
    }

    /// The next message: its subject and its body without headers.
    fn message(&mut self) -> Result<(String, Vec<u8>)> {
        loop {
            let line = self.line()?;
            let words: Vec<_> = line.split(' ').collect();
            // MSG <subject> <sid> [reply] <bytes>, HMSG <subject> <sid> [reply] <bytes of headers> <bytes>
            let (subject, headers, bytes) = match words[..] {
                ["MSG", subject, _, bytes] | ["MSG", subject, _, _, bytes] => (subject, 0, bytes.parse()?),
                ["HMSG", subject, _, headers, bytes] | ["HMSG", subject, _, _, headers, bytes] => {
                    (subject, headers.parse()?, bytes.parse::<usize>()?)
                }
                _ => continue,
            };
            let mut body = vec![0; bytes + 2];
            self.reader.read_exact(&mut body)?;
            body.truncate(bytes);
            body.drain(..headers);
            return Ok((subject.to_owned(), body));
        }
    }

    fn line(&mut self) -> Result<String> {
        loop {
            let mut line = String::new();
            let read = self.reader.read_line(&mut line).context("NATS does not answer")?;
            ensure!(read > 0, "NATS has closed the connection");
            match line.trim_end() {
                "PING" => self.writer.write_all(b"PONG\r\n")?,
                error if error.starts_with("-ERR") => bail!("NATS says {error}"),
                other => return Ok(other.to_owned()),
            }
        }
    }
}

fn reach(address: &str) -> Result<TcpStream> {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return Ok(stream),
            Err(e) if e.kind() == ErrorKind::ConnectionRefused && begun.elapsed() < CONNECT_LIMIT => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(e) => return Err(e).with_context(|| format!("cannot reach NATS at {address}")),
        }
    }
}

/// The hash, as `sha256sum` prints it.
pub(super) fn hex(hash: Sha256) -> String {
    let nibbles = |byte: u8| [byte >> 4, byte & 0xF];
    let digits = hash.finalize().into_iter().flat_map(nibbles);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
