//! The list of all routes, each with the role that it takes. There is no other way to add one.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::App;
use crate::auth::{Role, Who, led_to_sign_in, refusals};
use crate::wire::Problem;

/// Routes, and what they take.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<App>,
    listed: Vec<Listed>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its method.
    pub method: Method,
    /// Its path, with the names of what stands in it: `/api/v1/runs/{run}`.
    pub path: &'static str,
    /// What it takes. None: everybody, also who has not signed in.
    pub least: Option<Role>,
}

impl Routes {
    /// Something to look at.
    pub(crate) fn get<T: 'static>(self, path: &'static str, least: Role, handler: impl Handler<T, App>) -> Self {
        self.guarded(Method::GET, path, least, on(MethodFilter::GET, handler))
    }

    /// Something to do.
    pub(crate) fn post<T: 'static>(self, path: &'static str, least: Role, handler: impl Handler<T, App>) -> Self {
        self.guarded(Method::POST, path, least, on(MethodFilter::POST, handler))
    }

    /// Something to take away.
    pub(crate) fn delete<T: 'static>(self, path: &'static str, least: Role, handler: impl Handler<T, App>) -> Self {
        self.guarded(Method::DELETE, path, least, on(MethodFilter::DELETE, handler))
    }

    /// Something for everybody.
    pub(crate) fn open<T: 'static>(self, method: Method, path: &'static str, handler: impl Handler<T, App>) -> Self {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        self.listed(method, path, None, on(filter, handler))
    }

    fn guarded(self, method: Method, path: &'static str, least: Role, handler: MethodRouter<App>) -> Self {
        let guard = from_fn(move |request: Request, next: Next| may(least, request, next));
        self.listed(method, path, Some(least), handler.layer(guard))
    }

    fn listed(mut self, method: Method, path: &'static str, least: Option<Role>, handler: MethodRouter<App>) -> Self {
        self.listed.push(Listed { method, path, least });
        self.router = self.router.route(path, handler);
        self
    }

    /// All of them.
    pub(crate) fn list(&self) -> &[Listed] {
        &self.listed
    }

    /// What serves them.
    pub(crate) fn into_router(self, app: App) -> Router {
        let nothing = async || refusals::no_page();
        let routed = self.router.fallback(nothing).method_not_allowed_fallback(nothing);
        routed.with_state(app)
    }
}

/// Lets pass who may.
async fn may(least: Role, request: Request, next: Next) -> Response {
    match request.extensions().get::<Who>() {
        Some(who) if who.role >= least => next.run(request).await,
        Some(who) => Problem::forbidden(who, least).into_response(),
        None => led_to_sign_in(&request),
    }
}
