//! A server between the repository and its object store, for answers that the store does not give
//! on demand. One request a connection; what no rule names is passed on as it is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// What is done with a request instead of passing it on.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// It is passed on, and the answer is lost.
    LoseAnswer,
    /// It is answered in the store's place: everything after `HTTP/1.1 `, without the length.
    Answer(String),
}

struct Rule {
    start: &'static str,
    times: usize,
    deed: Deed,
}

/// A running server. It ends with the test.
#[derive(Clone)]
pub(crate) struct Between {
    pub(crate) address: SocketAddr,
    store: Option<SocketAddr>,
    rules: Arc<Mutex<Vec<Rule>>>,
    /// The first line and the headers of each request that came.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Between {
    /// In front of `store`; without one, every request must be named by a rule.
    pub(crate) async fn start(store: Option<SocketAddr>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let between = Self {
            address: listener.local_addr()?,
            store,
            rules: Arc::default(),
            seen: Arc::default(),
        };
        let server = between.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.serve(client).await });
            }
        });
        Ok(between)
    }

    /// The next `times` requests whose first line begins with `start` get this instead.
    pub(crate) fn next(&self, start: &'static str, times: usize, deed: Deed) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Rule { start, times, deed });
    }

    fn deed(&self, head: &str) -> Option<Deed> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules
            .iter_mut()
            .find(|rule| rule.times > 0 && head.starts_with(rule.start))?;
        rule.times -= 1;
        Some(rule.deed.clone())
    }

    async fn serve(&self, mut client: TcpStream) -> anyhow::Result<()> {
        let (head, body) = request(&mut client).await?;
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(head.clone());
        match (self.deed(&head), self.store) {
            (Some(Deed::Answer(answer)), _) => {
                let (status, content) = answer.split_once("\n\n").unwrap_or((&answer, ""));
                let answer = format!(
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{content}",
                    content.len()
                );
                client.write_all(answer.as_bytes()).await?;
            }
            (deed, Some(store)) => {
                let mut store = TcpStream::connect(store).await?;
                let closing = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
                store.write_all(closing.as_bytes()).await?;
                store.write_all(&body).await?;
                if deed.is_some() {
                    // The store has done it when it begins to answer.
                    store.read_u8().await?;
                    return Ok(());
                }
                copy(&mut store, &mut client).await?;
            }
            (_, None) => {}
        }
        client.shutdown().await?;
        Ok(())
    }
}

async fn request(client: &mut TcpStream) -> anyhow::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse())
    });
    let mut body = vec![0; length.transpose()?.unwrap_or(0)];
    client.read_exact(&mut body).await?;
    Ok((head, body))
}
