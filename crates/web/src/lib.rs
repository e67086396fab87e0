//! What the service shows and is told over HTTP: the JSON API, the pages, and who may do what.
//!
//! Thin: what a page shows is a type of [`wire`] or of the core, the same that the API answers with; what it does goes
//! through [`platform::Platform`], which the service implements. Nothing here knows Docker, a file or a database.

mod api;
pub mod auth;
mod backups;
mod overview;
pub mod platform;
mod restores;
mod routes;
mod told;
mod ui;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

use self::auth::Who;
use self::platform::Platform;
use self::restores::Plans;
use self::routes::Routes;

/// What every handler has at hand.
#[derive(Clone)]
struct App {
    platform: Arc<dyn Platform>,
    /// The keys of orders that were sent.
    keys: Arc<tokio::sync::Mutex<api::keys::Keys>>,
    /// The restores that are planned and not yet meant.
    plans: Arc<Plans>,
}

/// API and pages for those who may open the socket: its permissions are their login, and they may do all.
pub fn local(platform: Arc<dyn Platform>) -> Router {
    let app = App {
        platform,
        keys: Arc::default(),
        plans: Arc::default(),
    };
    let trusted = from_fn(
        async |mut request: axum::extract::Request, next: axum::middleware::Next| {
            request.extensions_mut().insert(Who::local());
            next.run(request).await
        },
    );
    all().into_router(app).layer(trusted)
}

/// Every route there is.
fn all() -> Routes {
    ui::routes(api::routes(Routes::default()))
}
