//! The audit: who asked for what, from where, and what became of it. Nothing here changes it.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;
use stillpoint_core::ports::accounts::{AuditEntry, Outcome};

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::api::accounts::PAGE;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/settings/audit", Role::Admin, audit)
}

#[derive(Template)]
#[template(path = "settings_audit.html")]
struct Audit<'a> {
    frame: &'a Frame,
    entries: Vec<AuditEntry>,
    is_first: bool,
    /// Where the older ones begin, if there may be some.
    older: Option<u64>,
}

#[derive(Deserialize)]
struct Wanted {
    before: Option<u64>,
}

async fn audit(State(app): State<App>, frame: Frame, Query(Wanted { before }): Query<Wanted>) -> Page {
    let read = async { Ok::<_, Problem>(app.access()?.accounts.audit(before, PAGE).await?) };
    match read.await {
        Ok(entries) => Ok(shown(&Audit {
            frame: &frame,
            is_first: before.is_none(),
            older: (entries.len() == PAGE as usize)
                .then(|| entries.last().map(|last| last.number))
                .flatten(),
            entries,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

/// Beside its word: nothing is told by colour alone.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand references")]
fn mark(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "✓",
        Outcome::Refused => "✗",
        Outcome::Failed => "⚠",
    }
}
