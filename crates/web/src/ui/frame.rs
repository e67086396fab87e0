//! What is around every page: title, navigation, who is signed in; and the page of a refusal.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::assets;
use crate::App;
use crate::auth::Who;
use crate::wire::Problem;

/// What the frame of a page shows. Taken from the request.
pub(crate) struct Frame {
    pub(crate) who: Who,
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    /// The page's own path, by which the navigation knows where it is.
    pub(crate) path: String,
}

impl Frame {
    /// Whether the navigation's entry is that of this page.
    pub(crate) fn is_at(&self, entry: &str) -> bool {
        self.path == entry || entry != "/" && self.path.starts_with(&format!("{entry}/"))
    }

    /// The address of a file that pages need.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame")]
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// A moment in the schedule's zone.
    pub(crate) fn local(&self, moment: &Timestamp) -> String {
        let zoned = moment.to_zoned(self.zone.clone());
        zoned.strftime("%a %d %b %Y %H:%M %Z").to_string()
    }
}

impl FromRequestParts<App> for Frame {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let who = parts.extensions.get::<Who>().cloned();
        Ok(Self {
            who: who.ok_or_else(Problem::unauthorised)?,
            now: app.platform.now(),
            zone: app.platform.zone(),
            path: parts.uri.path().to_owned(),
        })
    }
}

/// A page, or why there is none.
pub(crate) type Page = Result<Response, Refused>;

/// A refusal as a page, in the frame of the one that was asked for.
pub(crate) struct Refused {
    frame: Frame,
    problem: Problem,
}

impl Frame {
    /// The page that says what failed and what to do.
    pub(crate) fn refused(self, problem: Problem) -> Refused {
        Refused { frame: self, problem }
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    frame: &'a Frame,
    problem: &'a Problem,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let page = RefusedPage {
            frame: &self.frame,
            problem: &self.problem,
        };
        (status, shown(&page)).into_response()
    }
}

/// A template as an answer. Pages are of this moment: nobody keeps them.
pub(crate) fn shown(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
