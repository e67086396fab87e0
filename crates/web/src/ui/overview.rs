//! The overview: how the platform stands, in a sentence, and what needs an act.

use askama::Template;
use axum::extract::State;

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Service;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/", Role::Viewer, overview)
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: &'a Frame,
    service: Service,
}

async fn overview(State(app): State<App>, frame: Frame) -> Page {
    let service = app.platform.service();
    Ok(shown(&Overview { frame: &frame, service }))
}
