//! Why somebody is not let in, or not let do it, and what to do about that.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::accounts::{AccountsError, Changed};

use super::attempts::Wait;
use crate::wire::Problem;

fn problem(status: u16, title: impl Into<String>, hint: impl Into<String>) -> Problem {
    let exit = match status {
        404 => Exit::NotFound,
        429 => Exit::Held,
        500.. => Exit::Preflight,
        _ => Exit::Usage,
    };
    Problem {
        title: title.into(),
        hint: hint.into(),
        status,
        exit: exit as u8,
    }
}

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        let hint = "look at the state directory: its disk, its owner; backups, restores and the commands on the host go on \
                    without accounts";
        problem(503, error.to_string(), hint)
    }
}

/// What was given cannot be taken.
pub(crate) fn invalid(title: impl Into<String>, hint: impl Into<String>) -> Problem {
    problem(400, title, hint)
}

/// There is nothing of this name.
pub(crate) fn unknown(what: &str, name: &str) -> Problem {
    problem(
        404,
        format!("there is no {what} {name}"),
        "the page lists those that there are",
    )
}

/// There is no such page.
pub(crate) fn no_page() -> Problem {
    problem(404, "there is nothing at this address", "look from the overview on")
}

/// There is one of this name.
pub(crate) fn taken(what: &str, name: &str) -> Problem {
    problem(409, format!("there is a {what} {name} already"), "take another name")
}

/// It would leave nobody who may do all.
pub(crate) fn last_admin(name: &str) -> Problem {
    let title = format!("{name} is the last administrator");
    problem(409, title, "make somebody else an administrator first")
}

/// What became of a change to a user, if it was not made.
pub(crate) fn unless_done(changed: Changed, name: &str) -> Result<(), Problem> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Unknown => Err(unknown("user", name)),
        Changed::LastAdmin => Err(last_admin(name)),
    }
}

/// The service was asked by a name that is none of its own.
pub(super) fn foreign_host(host: &str) -> Problem {
    let title = format!("this service is not asked by the name `{host}`");
    let hint = "add the name to STILLPOINT_ALLOWED_HOSTS, or set STILLPOINT_PUBLIC_URL";
    problem(421, title, hint)
}

/// A page of somebody else asks, or nobody can tell.
pub(super) fn foreign_site() -> Problem {
    let title = "this request does not come from a page of this service";
    let hint = "open the page here and try again; behind a proxy that renames the host, set STILLPOINT_PUBLIC_URL; \
                programs send a token";
    problem(403, title, hint)
}

/// The body is too large.
pub(super) fn too_large(most: usize) -> Problem {
    let title = format!("the request is larger than {most} bytes");
    problem(413, title, "send less")
}

/// The body does not come.
pub(super) fn too_slow() -> Problem {
    problem(408, "the request did not come to its end in time", "try again")
}

/// The token counts for nothing.
pub(super) fn bad_token() -> Problem {
    let hint = "an administrator makes one on the page Settings, Tokens, or with `stillpoint tokens new`";
    problem(401, "this token is unknown, revoked or expired", hint)
}

/// Name or password is wrong.
pub(crate) fn wrong_password() -> Problem {
    let hint = "try again; locked out? `stillpoint users passwd NAME` on the host sets a new one";
    problem(401, "name or password is wrong", hint)
}

/// Too many were wrong.
pub(crate) fn wait(wait: Wait) -> Problem {
    let minutes = wait.seconds.div_ceil(60);
    let title = format!("too many attempts: the next counts in {minutes} min");
    problem(
        429,
        title,
        "locked out? `stillpoint users passwd NAME` on the host sets a new password",
    )
}

/// Too many at once.
pub(super) fn busy() -> Problem {
    problem(503, "too many sign in at the same time", "try again in a moment")
}

/// It died while it was at work.
pub(crate) fn died() -> Problem {
    let hint = "look at what became of it before it is asked for again; the service's log says more";
    problem(500, "the request was not carried out to its end", hint)
}

/// Accounts are looked after over the network port alone.
pub(crate) fn no_accounts() -> Problem {
    let hint = "on the host, `stillpoint users` and `stillpoint tokens` do it";
    problem(404, "there are no accounts over this socket", hint)
}

/// The set-up link counts no longer.
pub(crate) fn is_set_up() -> Problem {
    let hint = "sign in; locked out? `stillpoint users passwd NAME` on the host sets a new password";
    problem(410, "the service has been set up", hint)
}

/// It is no set-up link, or one of an earlier start.
pub(crate) fn no_set_up() -> Problem {
    let hint =
        "each start of the service has a link of its own as long as there is no user: the newest stands in its log";
    problem(404, "this set-up link does not count", hint)
}
