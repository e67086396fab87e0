//! Whether the process lives, and whether it can do what it is there for. Open to everybody: they tell nothing else.

use axum::extract::State;
use axum::http::Method;

use crate::App;
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    let routes = routes.open(Method::GET, "/healthz", async || "ok\n");
    routes.open(Method::GET, "/readyz", ready)
}

/// The ledger answers.
async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    if let Ok(access) = app.access() {
        access.accounts.users().await?;
    }
    Ok("ok\n")
}
