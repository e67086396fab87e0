//! Pages for whom we do not know: they have no frame, and tell nothing of the platform.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::assets;
use super::frame::shown;
use crate::wire::Problem;

/// The address of the file that they need.
pub(crate) fn style() -> String {
    assets::address("stillpoint.css")
}

/// The address of their icon. Without one a browser asks for `/favicon.ico`, which is nothing of ours.
pub(crate) fn icon() -> String {
    assets::address("icon.svg")
}

#[derive(Template)]
#[template(path = "outside_refused.html")]
struct RefusedPage<'a> {
    style: String,
    problem: &'a Problem,
    request: &'a str,
}

/// A refusal, with the id of the request.
pub(crate) fn refused(problem: &Problem, request: &str) -> Response {
    let page = RefusedPage {
        style: style(),
        problem,
        request,
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, shown(&page)).into_response()
}

#[derive(Template)]
#[template(path = "outside_on.html")]
struct OnPage<'a> {
    style: String,
    place: &'a str,
}

/// A page that leads to another of our own.
pub(crate) fn lead_on(place: &str) -> Response {
    shown(&OnPage { style: style(), place })
}
