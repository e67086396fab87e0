//! Retention: what goes when it is applied next, what stays and why; and the same with other numbers, to try them.

use askama::Template;
use axum::extract::{Query, State};

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::api::retention::{Numbers, Retention, simulated};
use crate::auth::Role;
use crate::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/retention", Role::Viewer, retention)
}

#[derive(Template)]
#[template(path = "retention.html")]
struct RetentionPage<'a> {
    frame: &'a Frame,
    found: Retention,
    may_act: bool,
}

async fn retention(State(app): State<App>, frame: Frame, Query(numbers): Query<Numbers>) -> Page {
    match simulated(&app, &numbers).await {
        Ok(found) => Ok(shown(&RetentionPage {
            may_act: frame.who.role >= Role::Operator && !found.is_simulated(),
            found,
            frame: &frame,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}
