//! What the service shows and is told over HTTP: the JSON API, the pages, and who may do what.
//!
//! Thin: what a page shows is a type of [`wire`] or of the core, the same that the API answers with; what it does goes
//! through [`platform::Platform`], which the service implements. Nothing here knows Docker, a file or a database.

mod api;
pub mod auth;
mod backups;
pub mod metrics;
mod overview;
pub mod platform;
mod restores;
mod routes;
pub mod server;
mod told;
mod ui;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use self::auth::{Access, Who, guard, refusals};
use self::platform::Platform;
use self::restores::Plans;
use self::routes::Routes;
use self::wire::Problem;

pub use self::routes::Listed;

/// What every handler has at hand.
#[derive(Clone)]
struct App {
    platform: Arc<dyn Platform>,
    /// The keys of orders that were sent.
    keys: Arc<tokio::sync::Mutex<api::keys::Keys>>,
    /// The restores that are planned and not yet meant.
    plans: Arc<Plans>,
    access: Option<Arc<Access>>,
}

impl App {
    fn new(platform: Arc<dyn Platform>, access: Option<Arc<Access>>) -> Self {
        Self {
            platform,
            access,
            keys: Arc::default(),
            plans: Arc::default(),
        }
    }

    /// Those who may ask over the network; over the socket there are none to look after.
    fn access(&self) -> Result<&Access, Problem> {
        self.access.as_deref().ok_or_else(refusals::no_accounts)
    }
}

/// API and pages for those who may open the socket: its permissions are their login, and they may do all.
pub fn local(platform: Arc<dyn Platform>) -> Router {
    let app = App::new(platform, None);
    let trusted = from_fn(
        async |mut request: axum::extract::Request, next: axum::middleware::Next| {
            request.extensions_mut().insert(Who::local());
            next.run(request).await
        },
    );
    all().into_router(app).layer(trusted)
}

/// API and pages for those who have an account, over a network port. What serves it says with every request who the other end
/// is ([`auth::Peer`]).
pub fn network(platform: Arc<dyn Platform>, access: Arc<Access>) -> Router {
    let app = App::new(platform, Some(access.clone()));
    all().into_router(app).layer(from_fn_with_state(access, guard))
}

/// Every route that there is, and what it takes.
pub fn routes() -> Vec<Listed> {
    all().list().to_vec()
}

/// How the platform stands, for who asks without a server.
pub async fn overview(platform: Arc<dyn Platform>) -> wire::overview::Overview {
    overview::look(&App::new(platform, None)).await
}

/// Every route there is.
fn all() -> Routes {
    ui::routes(api::routes(Routes::default()))
}
