//! The list of all routes, each with the role that it takes. There is no other way to add one.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::App;
use crate::auth::{Role, Who};
use crate::wire::Problem;

/// Routes, and what they take.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<App>,
    listed: Vec<Listed>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// None: everybody, also who has not signed in.
    pub(crate) least: Option<Role>,
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
    #[cfg(test)]
    pub(crate) fn list(&self) -> &[Listed] {
        &self.listed
    }

    /// What serves them.
    pub(crate) fn into_router(self, app: App) -> Router {
        self.router.with_state(app)
    }
}

/// Lets pass who may.
async fn may(least: Role, request: Request, next: Next) -> Response {
    match request.extensions().get::<Who>() {
        Some(who) if who.role >= least => next.run(request).await,
        Some(who) => Problem::forbidden(who, least).into_response(),
        None => Problem::unauthorised().into_response(),
    }
}
