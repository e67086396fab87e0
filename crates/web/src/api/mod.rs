//! The JSON API: a file for each resource.

pub(crate) mod accounts;
pub(crate) mod backups;
mod doctor;
mod events;
mod health;
pub(crate) mod keys;
mod maintenance;
pub(crate) mod metrics;
mod notices;
mod openapi;
mod overview;
pub(crate) mod recovery;
pub(crate) mod restores;
pub(crate) mod retention;
pub(crate) mod runs;
mod schedules;
mod settings;
pub(crate) mod stores;

use crate::routes::Routes;

/// Its routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    let routes = restores::routes(recovery::routes(overview::routes(backups::routes(routes))));
    let routes = events::routes(runs::routes(routes));
    let routes = schedules::routes(settings::routes(metrics::routes(notices::routes(routes))));
    let routes = maintenance::routes(health::routes(accounts::routes(routes)));
    openapi::routes(doctor::routes(stores::routes(retention::routes(routes))))
}
