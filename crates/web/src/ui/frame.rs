//! What is around every page: title, navigation, who is signed in; and the page of a refusal.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use stillpoint_core::names::Project;

use super::{appearance, assets, icons, words};
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
    /// The same with its query: where a form leads back to.
    pub(crate) address: String,
    /// The platform, where one was named.
    pub(crate) platform: Option<Project>,
    /// Light or dark, where the reader has said so.
    pub(crate) theme: Option<&'static str>,
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

    /// The same to the second, for what happened within a run.
    pub(crate) fn second(&self, moment: &Timestamp) -> String {
        let zoned = moment.to_zoned(self.zone.clone());
        zoned.strftime("%H:%M:%S").to_string()
    }

    /// The zone's name.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("the host's zone")
    }

    /// How long ago, or in how long.
    pub(crate) fn ago(&self, moment: &Timestamp) -> String {
        words::relative(*moment, self.now)
    }

    /// A size as people read it.
    #[expect(
        clippy::unused_self,
        clippy::trivially_copy_pass_by_ref,
        reason = "templates reach it through the frame"
    )]
    pub(crate) fn bytes(&self, count: &u64) -> String {
        stillpoint_core::words::bytes(*count)
    }

    /// A drawing.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame")]
    pub(crate) fn icon(&self, name: &str) -> String {
        icons::icon(name)
    }

    /// What the switch of light and dark asks for next: light, dark, as the system says.
    pub(crate) fn other_theme(&self) -> &'static str {
        match self.theme {
            None => "light",
            Some("light") => "dark",
            Some(_) => "system",
        }
    }

    /// What the switch says.
    pub(crate) fn theme_switch(&self) -> &'static str {
        match self.theme {
            None => "Auto",
            Some("light") => "Light",
            Some(_) => "Dark",
        }
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
            address: parts
                .uri
                .path_and_query()
                .map_or("/", |address| address.as_str())
                .to_owned(),
            platform: app.platform.service().site.platform,
            theme: appearance::of(&parts.headers),
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
    heading: &'static str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let page = RefusedPage {
            frame: &self.frame,
            problem: &self.problem,
            heading: match self.problem.status {
                404 => "There is no such thing",
                401 | 403 => "This is not for you to do",
                409 | 412 => "This cannot be done now",
                400..500 => "This was refused",
                _ => "This did not work",
            },
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
