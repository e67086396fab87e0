//! What a proxy's thread and the test that owns it share: the rules, the server's address and the
//! requests so far. Never held across a wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper::{Method, Uri};

use super::rule::{Rule, Rules, What};

/// A request that came, as far as it has got.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// In capitals.
    pub method: String,
    /// Bucket and key as they were sent: odd characters are percent-encoded.
    pub path: String,
    /// What followed `?`; empty without it.
    pub query: String,
    /// Of the answer that the client got; none as long as it has got none.
    pub status: Option<u16>,
    /// Of the request's body, as far as it was read.
    pub bytes_in: u64,
    /// Of the answer's body, as far as it was given to the client's connection.
    pub bytes_out: u64,
    /// What was done to it.
    pub fault: Option<What>,
    /// Nothing more comes: the answer is out, or the connection is closed.
    pub ended: bool,
}

#[derive(Default)]
struct Inner {
    upstream: String,
    rules: Rules,
    seen: Vec<Seen>,
}

/// Shared by all connections.
pub(super) struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl State {
    pub(super) fn new(upstream: &str) -> Result<Self> {
        let state = Self {
            inner: Mutex::default(),
            changed: Condvar::new(),
        };
        state.redirect(upstream)?;
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn redirect(&self, upstream: &str) -> Result<()> {
        let uri: Uri = upstream
            .parse()
            .with_context(|| format!("{upstream} is no address of a server"))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) => authority.as_str().clone_into(&mut self.lock().upstream),
            _ => bail!("{upstream} is not like http://ADDRESS:PORT"),
        }
        Ok(())
    }

    /// `ADDRESS:PORT`
    pub(super) fn upstream(&self) -> String {
        self.lock().upstream.clone()
    }

    pub(super) fn add(&self, rule: Rule) {
        self.lock().rules.add(rule);
    }

    pub(super) fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Writes a request down; its number, and what happens to it.
    pub(super) fn arrived(&self, method: &Method, uri: &Uri) -> (usize, Option<What>) {
        let mut inner = self.lock();
        let fault = inner.rules.judge(method.as_str(), uri);
        inner.seen.push(Seen {
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            status: None,
            bytes_in: 0,
            bytes_out: 0,
            fault: fault.clone(),
            ended: false,
        });
        self.changed.notify_all();
        (inner.seen.len() - 1, fault)
    }

    /// Writes down how far a request has got.
    pub(super) fn update(&self, number: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.lock().seen.get_mut(number) {
            change(seen);
        }
        self.changed.notify_all();
    }

    /// To hold as long as anything may still come of a request.
    pub(super) fn ending(self: &Arc<Self>, number: usize) -> Ending {
        Ending(self.clone(), number)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    pub(super) fn wait_until(&self, there: impl Fn(&[Seen]) -> bool, limit: Duration) -> Result<()> {
        let waiting = |inner: &mut Inner| !there(&inner.seen);
        let waited = self.changed.wait_timeout_while(self.lock(), limit, waiting);
        let (inner, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        if outcome.timed_out() {
            bail!("not within {limit:?}; the requests so far: {:#?}", inner.seen);
        }
        Ok(())
    }
}

/// Writes down the end of a request when it is dropped, also by a client that has left.
pub(super) struct Ending(Arc<State>, usize);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.update(self.1, |seen| seen.ended = true);
    }
}
