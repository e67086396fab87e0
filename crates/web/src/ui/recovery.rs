//! Recovery: from a repository and a platform that is new, or has lost its data, to the restore, step by step.

use askama::Template;
use axum::extract::State;

use super::frame::{Frame, Page, shown};
use super::words;
use crate::App;
use crate::api::recovery::{Recovery, look};
use crate::auth::Role;
use crate::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/recovery", Role::Viewer, recovery)
}

#[derive(Template)]
#[template(path = "recovery.html")]
struct RecoveryPage<'a> {
    frame: &'a Frame,
    found: Recovery,
    may_verify: bool,
    may_restore: bool,
}

async fn recovery(State(app): State<App>, frame: Frame) -> Page {
    Ok(shown(&RecoveryPage {
        found: look(&app).await,
        may_verify: frame.who.role >= Role::Operator,
        may_restore: frame.who.role >= Role::Admin,
        frame: &frame,
    }))
}
