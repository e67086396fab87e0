//! Failure as a decorator over any adapter, fake or real: every call of every port passes [`Faults`],
//! which writes it down and, where a rule says so, lets it fail, hang, lose its answer, or be the
//! last thing that the process did.
//!
//! The decorators implement the ports' traits, none of which has a default method: a method added
//! to a port does not compile until it passes here too. Only the clock is not decorated: it cannot
//! fail.

mod engine;
mod gateway;
mod repository;
mod store;

use std::fmt::Display;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stillpoint_core::ports::journal::JournalError;
use stillpoint_core::ports::lock::LockError;
use stillpoint_core::ports::{EngineError, RepositoryError, SpoolError};
use stillpoint_core::stores::StoreError;
use tokio_util::sync::CancellationToken;

use crate::calls::{Call, Method};

/// The rules, and the log of all calls. Clones share both.
#[derive(Clone, Default)]
pub struct Faults {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    dead: CancellationToken,
}

struct Rule {
    method: Option<Method>,
    subject: Option<String>,
    /// Which of the calls that match, from 1; every one of them if none.
    nth: Option<usize>,
    seen: usize,
    effect: Effect,
}

#[derive(Clone)]
enum Effect {
    Fail(Failure),
    LoseAnswer(Failure),
    Hang,
    DieBefore,
    DieAfter,
    Act(Arc<dyn Fn() + Send + Sync>),
    Wait(Gate),
}

/// Where a call stands until the test lets it go on.
#[derive(Clone, Default)]
pub struct Gate {
    /// Cancelled when the call is about to be made.
    pub reached: CancellationToken,
    /// Cancel it, and the call is made.
    pub open: CancellationToken,
}

/// The error with which a call fails.
#[derive(Clone)]
pub enum Failure {
    /// The port's plainest one.
    Plain,
    /// This one, where the method returns such.
    Engine(EngineError),
    /// This one, where the method returns such.
    Repository(RepositoryError),
    /// What this makes, where the method returns such.
    Store(fn() -> StoreError),
}

/// An error that a decorator can make up.
pub(crate) trait Injected: Sized {
    fn injected(failure: &Failure, call: &Call) -> Self;
}

impl Injected for EngineError {
    fn injected(failure: &Failure, call: &Call) -> Self {
        match failure {
            Failure::Engine(error) => error.clone(),
            _ => Self::Overdue {
                doing: format!("{call} (injected)"),
                limit: Duration::from_secs(1),
            },
        }
    }
}

impl Injected for RepositoryError {
    fn injected(failure: &Failure, call: &Call) -> Self {
        match failure {
            Failure::Repository(error) => error.clone(),
            _ => Self::Failed {
                key: call.subject.clone(),
                cause: format!("{} (injected)", call.method.name()),
            },
        }
    }
}

impl Injected for StoreError {
    fn injected(failure: &Failure, call: &Call) -> Self {
        match failure {
            Failure::Store(error) => error(),
            _ => Self::Server {
                doing: call.to_string(),
                cause: "injected".into(),
            },
        }
    }
}

impl Injected for JournalError {
    fn injected(_: &Failure, call: &Call) -> Self {
        Self {
            path: call.subject.clone(),
            doing: "written",
            cause: "injected".into(),
        }
    }
}

impl Injected for SpoolError {
    fn injected(_: &Failure, call: &Call) -> Self {
        Self {
            place: call.method.name().into(),
            cause: "injected".into(),
        }
    }
}

impl Injected for LockError {
    fn injected(_: &Failure, call: &Call) -> Self {
        Self {
            path: call.subject.clone(),
            cause: "injected".into(),
        }
    }
}

impl Faults {
    /// Begins a rule for the calls of `method`.
    pub fn on(&self, method: Method) -> On {
        On::new(self, Some(method), Some(1))
    }

    /// Begins a rule for the `n`-th call of all, from 1.
    pub fn on_call(&self, n: usize) -> On {
        On::new(self, None, Some(n))
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Forgets calls and rules; a process that died is born again.
    pub fn reset(&self) {
        *self.lock() = Shared::default();
    }

    /// Awaits `act` and returns its output, or none if a rule let the process die during it: then
    /// `act` is dropped where it stood, as the kernel does it.
    pub async fn live<T>(&self, act: impl Future<Output = T>) -> Option<T> {
        let dead = self.lock().dead.clone();
        let output = tokio::select! {
            biased;
            () = dead.cancelled() => None,
            output = act => Some(output),
        };
        output.filter(|_| !dead.is_cancelled())
    }

    /// Whether a rule has let the process die.
    pub fn is_dead(&self) -> bool {
        self.lock().dead.is_cancelled()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the call down and says what becomes of it. The dead call nobody.
    fn enter(&self, method: Method, subject: impl Display) -> (Call, Option<Effect>) {
        let call = Call {
            method,
            subject: subject.to_string(),
        };
        let mut shared = self.lock();
        if shared.dead.is_cancelled() {
            return (call, Some(Effect::DieBefore));
        }
        shared.calls.push(call.clone());
        let mut effect = None;
        for rule in &mut shared.rules {
            if rule.applies(&call) && effect.is_none() {
                effect = Some(rule.effect.clone());
            }
        }
        (call, effect)
    }

    async fn die<T>(&self) -> T {
        self.lock().dead.cancel();
        pending().await
    }

    /// Passes a call through: `act` is what the decorated port does.
    pub(crate) async fn pass<T, E: Injected>(
        &self,
        method: Method,
        subject: impl Display,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.pass_cancellable(method, subject, None, act).await
    }

    /// Passes a store's call through: one that is told to hang ends when it is cancelled.
    async fn pass_cancellable<T, E: Injected>(
        &self,
        method: Method,
        subject: impl Display,
        cancel: Option<(&CancellationToken, E)>,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (call, effect) = self.enter(method, subject);
        match effect {
            None => act.await,
            Some(Effect::Fail(failure)) => Err(E::injected(&failure, &call)),
            Some(Effect::LoseAnswer(failure)) => act.await.and(Err(E::injected(&failure, &call))),
            Some(Effect::Hang) => match cancel {
                Some((cancel, cancelled)) => {
                    cancel.cancelled().await;
                    Err(cancelled)
                }
                None => pending().await,
            },
            Some(Effect::DieBefore) => self.die().await,
            Some(Effect::DieAfter) => {
                let done = act.await;
                // What was handed out dies with its process.
                self.lock().dead.cancel();
                drop(done);
                pending().await
            }
            Some(Effect::Act(deed)) => {
                deed();
                act.await
            }
            Some(Effect::Wait(gate)) => {
                gate.reached.cancel();
                gate.open.cancelled().await;
                act.await
            }
        }
    }

    /// Passes a call that waits for nothing.
    fn pass_now<T, E: Injected>(
        &self,
        method: Method,
        subject: impl Display,
        act: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let (call, effect) = self.enter(method, subject);
        match effect {
            Some(Effect::Fail(failure) | Effect::LoseAnswer(failure)) => Err(E::injected(&failure, &call)),
            Some(Effect::DieBefore | Effect::DieAfter) => {
                self.lock().dead.cancel();
                Err(E::injected(&Failure::Plain, &call))
            }
            Some(Effect::Act(deed)) => {
                deed();
                act()
            }
            Some(Effect::Hang | Effect::Wait(_)) | None => act(),
        }
    }

    /// Passes a call that cannot fail.
    async fn pass_silently(&self, method: Method, subject: impl Display, act: impl Future<Output = ()>) {
        match self.enter(method, subject).1 {
            Some(Effect::DieBefore) => self.die().await,
            Some(Effect::DieAfter) => {
                act.await;
                self.die::<()>().await;
            }
            Some(Effect::Act(deed)) => {
                deed();
                act.await;
            }
            _ => act.await,
        }
    }
}

impl Rule {
    fn applies(&mut self, call: &Call) -> bool {
        let matches = self.method.is_none_or(|method| method == call.method)
            && self.subject.as_ref().is_none_or(|subject| *subject == call.subject);
        if matches {
            self.seen += 1;
        }
        matches && self.nth.is_none_or(|nth| nth == self.seen)
    }
}

/// A rule that is being written: which call, then what becomes of it.
#[must_use]
pub struct On {
    faults: Faults,
    method: Option<Method>,
    subject: Option<String>,
    nth: Option<usize>,
}

impl On {
    fn new(faults: &Faults, method: Option<Method>, nth: Option<usize>) -> Self {
        Self {
            faults: faults.clone(),
            method,
            subject: None,
            nth,
        }
    }

    /// Only calls of this container, object or store.
    pub fn of(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// The `n`-th of the calls that match, from 1; the first if not said.
    pub fn nth(mut self, n: usize) -> Self {
        self.nth = Some(n);
        self
    }

    /// Every one of the calls that match.
    pub fn always(mut self) -> Self {
        self.nth = None;
        self
    }

    /// The call is not made and fails.
    pub fn fails(self) {
        self.fails_with(Failure::Plain);
    }

    /// The call is not made and fails with this.
    pub fn fails_with(self, failure: Failure) {
        self.becomes(Effect::Fail(failure));
    }

    /// The call is made, and its caller is told that it failed.
    pub fn loses_its_answer(self) {
        self.becomes(Effect::LoseAnswer(Failure::Plain));
    }

    /// The call is not made and never returns; a store's call returns when it is cancelled.
    pub fn hangs(self) {
        self.becomes(Effect::Hang);
    }

    /// The process dies instead of making the call. See [`Faults::live`].
    pub fn kills(self) {
        self.becomes(Effect::DieBefore);
    }

    /// The process dies when the call was made.
    pub fn kills_after(self) {
        self.becomes(Effect::DieAfter);
    }

    /// Before the call is made, something else happens in the world.
    pub fn meets(self, deed: impl Fn() + Send + Sync + 'static) {
        self.becomes(Effect::Act(Arc::new(deed)));
    }

    /// The call waits until the test lets it go on.
    #[must_use]
    pub fn waits(self) -> Gate {
        let gate = Gate::default();
        self.becomes(Effect::Wait(gate.clone()));
        gate
    }

    fn becomes(self, effect: Effect) {
        let rule = Rule {
            method: self.method,
            subject: self.subject,
            nth: self.nth,
            seen: 0,
            effect,
        };
        self.faults.lock().rules.push(rule);
    }
}
