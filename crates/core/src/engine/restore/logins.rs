//! The logins that clients hold in their environments, tried while the platform still runs and again once the
//! stores hold what they are to hold: a restore of roles can leave a client's role with another password, or
//! without the right to log in. Whatever comes of it, the platform is started: the data is good, and an operator
//! who is told can mend a login.

use std::convert::Infallible;
use std::fmt;

use futures::stream::{self, StreamExt};
use serde::Serialize;

use super::pairs::Pair;
use crate::engine::limits::{LOGIN, LOGINS_AT_ONCE};
use crate::engine::plan::{Plan, Role};
use crate::engine::start::Degraded;
use crate::events::Step;
use crate::logins::{self, Login};
use crate::names::{Address, StoreName};
use crate::ports::within;
use crate::stores::{Cx, Store, StoreError};

/// A login that a client holds, for the eyes of an operator.
#[derive(Debug, Serialize)]
pub struct HeldLogin {
    /// The client.
    pub client: Address,
    /// The variable in its environment.
    pub variable: String,
    /// The store that it is for.
    pub store: StoreName,
    /// Who it is, without its secrets.
    pub login: String,
    /// What the store says to it now.
    pub now: String,
}

/// All logins that the clients hold for the stores that are worked on, each once.
pub(super) struct Logins<'a>(Vec<Held<'a>>);

/// One login, and who holds it.
struct Held<'a> {
    store: &'a dyn Store,
    login: Login,
    by: Vec<Holder>,
    /// What the store said before anything was changed; none if nobody asked.
    before: Option<Verdict>,
}

struct Holder {
    client: Address,
    variable: String,
}

/// What a store says to a login.
enum Verdict {
    Admitted,
    Refused { cause: String, remedy: String },
    Untried(String),
}

impl<'a> Logins<'a> {
    /// What the clients that the plan stops hold for these stores.
    pub(super) fn of(plan: &Plan, pairs: &[Pair<'a>]) -> Self {
        let mut logins = Self(Vec::new());
        for client in plan.stopped().filter(|entry| entry.role == Role::Client) {
            for found in logins::find(&client.workload.environment) {
                for store in called(&found.host, plan, pairs) {
                    let holder = Holder {
                        client: client.workload.address.clone(),
                        variable: found.variable.clone(),
                    };
                    logins.add(store, &found.login, holder);
                }
            }
        }
        logins
    }

    fn add(&mut self, store: &'a dyn Store, login: &Login, holder: Holder) {
        let same = |held: &&mut Held<'_>| held.store.name() == store.name() && held.login == *login;
        match self.0.iter_mut().find(same) {
            Some(held) => held.by.push(holder),
            None => self.0.push(Held {
                store,
                login: login.clone(),
                by: vec![holder],
                before: None,
            }),
        }
    }

    /// Tries all of them while the platform runs, and tells nobody: what is refused now the restore may mend.
    pub(super) async fn try_before(&mut self, cx: &Cx) {
        let verdicts = self.verdicts(cx).await;
        for (held, verdict) in self.0.iter_mut().zip(verdicts) {
            held.before = Some(verdict);
        }
    }

    /// Tries all of them before anything is started, as a step of the run. Tells which are not admitted, and
    /// returns the clients that were not refused before.
    pub(super) async fn try_after(&self, cx: &Cx) -> Vec<Degraded> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let tried = async { Ok(self.verdicts(cx).await) };
        let Ok::<_, Infallible>(verdicts) = cx.report.step(Step::LogIn, tried).await;
        if verdicts.is_empty() {
            cx.report
                .warn("interrupted: the logins that clients hold were not tried");
        }
        let tried = self.0.iter().zip(&verdicts);
        tried.flat_map(|(held, now)| held.compare(cx, now)).collect()
    }

    /// One for each; none at all after an interruption.
    async fn verdicts(&self, cx: &Cx) -> Vec<Verdict> {
        let tries: Vec<_> = self.0.iter().map(|held| held.tried(cx)).collect();
        let verdicts = stream::iter(tries).buffered(LOGINS_AT_ONCE).collect().await;
        if cx.cancel.is_cancelled() { Vec::new() } else { verdicts }
    }

    /// All of them, with what was said last.
    pub(super) fn held(&self) -> Vec<HeldLogin> {
        let of_one = |held: &Held<'_>| {
            let held_by = held.by.iter().map(|holder| HeldLogin {
                client: holder.client.clone(),
                variable: holder.variable.clone(),
                store: held.store.name().clone(),
                login: held.login.to_string(),
                now: match &held.before {
                    None => "not tried".to_owned(),
                    Some(verdict) => verdict.to_string(),
                },
            });
            held_by.collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_one).collect()
    }
}

/// The stores among these that clients reach by this name.
fn called<'a>(host: &str, plan: &Plan, pairs: &[Pair<'a>]) -> Vec<&'a dyn Store> {
    let is_called = |store: &StoreName| {
        let mut entries = plan.entries.iter();
        entries.any(|entry| entry.store() == Some(store) && entry.workload.is_called(host))
    };
    let stores = pairs.iter().map(|(store, _)| *store);
    stores.filter(|store| is_called(store.name())).collect()
}

impl Held<'_> {
    async fn tried(&self, cx: &Cx) -> Verdict {
        let tried = cx.cancel.run_until_cancelled(self.store.try_login(cx, &self.login));
        match within(&*cx.clock, LOGIN, "the login", tried).await {
            Ok(Some(Ok(()))) => Verdict::Admitted,
            Ok(Some(Err(StoreError::Credential { cause, remedy, .. }))) => Verdict::Refused { cause, remedy },
            Ok(Some(Err(error))) => Verdict::Untried(error.to_string()),
            Ok(None) => Verdict::Untried("interrupted".to_owned()),
            Err(overdue) => Verdict::Untried(overdue.to_string()),
        }
    }

    /// What was refused before was refused without us. What nobody could try before may have been good.
    fn compare(&self, cx: &Cx, now: &Verdict) -> Vec<Degraded> {
        let (cause, remedy) = match now {
            Verdict::Admitted => return Vec::new(),
            Verdict::Untried(cause) => {
                cx.report.warn(format!("{}: could not be tried: {cause}", self.told()));
                return Vec::new();
            }
            Verdict::Refused { cause, remedy } => (cause, remedy),
        };
        let (when, by) = match self.before {
            Some(Verdict::Refused { .. }) => (", as before the restore", &[][..]),
            Some(Verdict::Admitted) => (" since the restore", &self.by[..]),
            Some(Verdict::Untried(_)) | None => ("", &self.by[..]),
        };
        cx.report
            .warn(format!("{}: refused{when}: {cause}; {remedy}", self.told()));
        by.iter().map(|holder| self.locked_out(holder, cause, remedy)).collect()
    }

    fn locked_out(&self, holder: &Holder, cause: &str, remedy: &str) -> Degraded {
        let (variable, store, login) = (&holder.variable, self.store.name(), &self.login);
        Degraded {
            workload: holder.client.clone(),
            cause: format!("{store} refuses its login in {variable} ({login}): {cause}; {remedy}"),
        }
    }

    /// In words: `the login in DATABASE_URL of webapp (user `me`) for postgres-main`.
    fn told(&self) -> String {
        let by = self
            .by
            .iter()
            .map(|holder| format!("{} of {}", holder.variable, holder.client));
        let by: Vec<String> = by.collect();
        format!(
            "the login in {} ({}) for {}",
            by.join(" and "),
            self.login,
            self.store.name()
        )
    }
}

/// For an operator who asks.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted => f.write_str("admitted"),
            Self::Refused { cause, .. } => write!(f, "refused: {cause}"),
            Self::Untried(cause) => write!(f, "could not be tried: {cause}"),
        }
    }
}
