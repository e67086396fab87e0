//! The JSON API: a file for each resource.

mod events;
pub(crate) mod keys;
pub(crate) mod retention;
pub(crate) mod runs;
mod schedules;
mod settings;
pub(crate) mod stores;

use crate::routes::Routes;

/// Its routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    let routes = events::routes(runs::routes(routes));
    let routes = schedules::routes(settings::routes(routes));
    stores::routes(retention::routes(routes))
}
