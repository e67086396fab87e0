//! What Prometheus is told. It takes a viewer, unless everybody may read it.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::Problem;
use crate::{App, metrics};

/// Where it is.
pub(crate) const PLACE: &str = "/metrics";

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(PLACE, Role::Viewer, told)
}

async fn told(State(app): State<App>) -> Result<Response, Problem> {
    let text = metrics::text(&app.platform.metrics().await?);
    let headers = [
        (header::CONTENT_TYPE, metrics::CONTENT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}
