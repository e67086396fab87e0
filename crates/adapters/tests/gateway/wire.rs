//! A client by hand: it signs what it is told to, and sends what it is told to.

use anyhow::{Context, Result};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use stillpoint_core::ports::gateway::Access;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{hex, sha256};

/// What a canonical URI leaves as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

pub(crate) struct Signed {
    pub(crate) head: String,
    signature: String,
    date: String,
    scope: String,
    key: [u8; 32],
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(data)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner);
    outer.finalize().into()
}

/// The head of a request whose payload is announced as `payload`.
pub(crate) fn sign(access: &Access, method: &str, target: &str, payload: &str, headers: &[(&str, &str)]) -> Signed {
    let date = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
    let host = access.endpoint.trim_start_matches("http://");
    let mut all = vec![("host", host), ("x-amz-content-sha256", payload), ("x-amz-date", &date)];
    all.extend(headers);
    all.sort_unstable();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let lines: Vec<String> = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = lines.concat();
    let decoded = percent_decode_str(target).decode_utf8_lossy().into_owned();
    let path = utf8_percent_encode(&decoded, ESCAPED);
    let canonical = format!("{method}\n{path}\n\n{lines}\n{}\n{payload}", names.join(";"));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let secret = format!("AWS4{}", access.secret_access_key.expose_secret());
    // A key longer than a block is hashed first.
    let secret = if secret.len() > 64 {
        Sha256::digest(secret).to_vec()
    } else {
        secret.into_bytes()
    };
    let parts = [&date[..8], "us-east-1", "s3", "aws4_request"];
    let first = hmac(&secret, parts[0].as_bytes());
    let key = parts[1..].iter().fold(first, |key, part| hmac(&key, part.as_bytes()));
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let credential = format!("{}/{scope}", access.access_key_id);
    let lines: Vec<String> = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    let head = format!(
        "{method} {target} HTTP/1.1\r\n{lines}authorization: AWS4-HMAC-SHA256 Credential={credential}, \
         SignedHeaders={}, Signature={signature}\r\nconnection: close\r\n",
        names.join(";")
    );
    Signed {
        head,
        signature,
        date,
        scope,
        key,
    }
}

impl Signed {
    /// The body in signed chunks; `flip` falsifies a byte of the first after it was signed.
    pub(crate) fn chunks(&self, pieces: &[&[u8]], flip: bool) -> Vec<u8> {
        let (mut body, mut previous) = (Vec::new(), self.signature.clone());
        for (number, piece) in pieces.iter().chain([&&[][..]]).enumerate() {
            let to_sign = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
                self.date,
                self.scope,
                sha256(b""),
                sha256(piece)
            );
            previous = hex(&hmac(&self.key, to_sign.as_bytes()));
            body.extend(format!("{:x};chunk-signature={previous}\r\n", piece.len()).bytes());
            let start = body.len();
            body.extend_from_slice(piece);
            if flip && number == 0 {
                body[start] ^= 1;
            }
            body.extend(b"\r\n");
        }
        body
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let code = body
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"));
        code.map(|(code, _)| code.to_owned()).unwrap_or_default()
    }

    /// Whether as many bytes came as were announced.
    pub(crate) fn is_whole(&self) -> bool {
        let length = self.head.to_ascii_lowercase();
        let length = length
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
        length.is_some_and(|length| length.trim() == self.body.len().to_string())
    }
}

/// Sends a head and a body, and reads what comes back until the connection ends.
pub(crate) async fn send(access: &Access, head: &str, body: &[u8]) -> Result<Answer> {
    let mut stream = begin(access, head, body).await?;
    let mut read = Vec::new();
    // It may be cut.
    let _ = stream.read_to_end(&mut read).await;
    let end = read
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("no answer")?;
    let head = String::from_utf8(read[..end].to_vec())?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let body = read[end + 4..].to_vec();
    Ok(Answer { status, head, body })
}

/// The same, without waiting for an answer.
pub(crate) async fn begin(access: &Access, head: &str, body: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(access.endpoint.trim_start_matches("http://")).await?;
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    // The server may have answered and closed before all of it was sent.
    let _ = stream.write_all(body).await;
    Ok(stream)
}

/// A request whose payload is not signed.
pub(crate) async fn ask(access: &Access, method: &str, target: &str) -> Result<Answer> {
    let length = if method == "PUT" { "content-length: 1\r\n" } else { "" };
    let signed = sign(access, method, target, "UNSIGNED-PAYLOAD", &[]);
    send(
        access,
        &format!("{}{length}", signed.head),
        if method == "PUT" { b"x" } else { b"" },
    )
    .await
}
