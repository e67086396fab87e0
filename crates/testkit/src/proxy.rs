//! A wire between the product and the engine that can be cut: a socket that passes everything on to
//! the engine's until a test says otherwise. Knows of HTTP only what an upgrade's answer looks like.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const ENGINE: &str = "/var/run/docker.sock";

/// The first line of the answer that turns a connection into a stream (exec, attach).
const UPGRADED: &[u8] = b"HTTP/1.1 101";

/// A running proxy. It ends with the process.
pub struct Proxy {
    folder: tempfile::TempDir,
    upgraded: Arc<Mutex<Vec<UnixStream>>>,
    silent: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on a socket of its own.
    pub fn start() -> Result<Self> {
        Self::listen(None)
    }

    /// The same; it closes every connection that was silent for so long, both ways and without a goodbye.
    pub fn start_impatient(limit: Duration) -> Result<Self> {
        Self::listen(Some(limit))
    }

    /// How many connections were closed because they were silent.
    pub fn silent(&self) -> usize {
        self.silent.load(Ordering::SeqCst)
    }

    fn listen(limit: Option<Duration>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(socket(&folder)).context("cannot listen")?;
        let upgraded = Arc::new(Mutex::new(Vec::new()));
        let seen = upgraded.clone();
        let silent = Arc::new(AtomicUsize::new(0));
        let closed = silent.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let watched = limit.map(|limit| Watched::new(limit, &closed));
                // A connection that cannot be passed on is closed: the client sees that.
                let _ = pass(client, &seen, watched);
            }
        });
        Ok(Self {
            folder,
            upgraded,
            silent,
        })
    }

    /// For `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}", socket(&self.folder).display())
    }

    /// Cuts every stream that is open now, both ways and without a goodbye.
    pub fn cut_upgraded(&self) {
        for stream in self.upgraded.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that has ended by itself cannot be cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn socket(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("docker.sock")
}

/// A connection that must not be silent.
#[derive(Clone)]
struct Watched {
    limit: Duration,
    heard: Arc<Mutex<Instant>>,
    closed: Arc<AtomicUsize>,
}

impl Watched {
    fn new(limit: Duration, closed: &Arc<AtomicUsize>) -> Self {
        Self {
            limit,
            heard: Arc::new(Mutex::new(Instant::now())),
            closed: closed.clone(),
        }
    }

    fn hears(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns when it was silent for too long, and has closed it.
    fn guard(&self, ends: &[UnixStream; 2]) {
        loop {
            let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            match self.limit.checked_sub(heard.elapsed()) {
                Some(left) if !left.is_zero() => thread::sleep(left),
                _ => break,
            }
        }
        let open = ends.iter().filter(|end| end.shutdown(Shutdown::Both).is_ok()).count();
        self.closed.fetch_add(usize::from(open > 0), Ordering::SeqCst);
    }
}

fn pass(client: UnixStream, upgraded: &Arc<Mutex<Vec<UnixStream>>>, watched: Option<Watched>) -> std::io::Result<()> {
    let engine = UnixStream::connect(ENGINE)?;
    if let Some(watched) = watched.clone() {
        let ends = [engine.try_clone()?, client.try_clone()?];
        thread::spawn(move || watched.guard(&ends));
    }
    let note = move || watched.iter().for_each(Watched::hears);
    let noted = note.clone();
    let (to_engine, to_client) = (engine.try_clone()?, client.try_clone()?);
    let from_client = client.try_clone()?;
    let upgraded = upgraded.clone();
    thread::spawn(move || copy(from_client, to_engine, |_| noted()));
    thread::spawn(move || {
        copy(engine, to_client, |piece| {
            note();
            if piece.starts_with(UPGRADED)
                && let Ok(stream) = client.try_clone()
            {
                upgraded.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            }
        });
    });
    Ok(())
}

/// Copies to the end, showing every piece (a connection is upgraded by whichever answer says so);
/// then passes the end on.
fn copy(mut from: UnixStream, mut to: UnixStream, mut show: impl FnMut(&[u8])) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        show(&piece[..length]);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
