//! The pages: plain links and forms first; what is live needs JavaScript, nothing else does. A file for each group of pages,
//! with its routes, what it shows, and its templates of the same name.

mod appearance;
mod assets;
mod backups;
mod charts;
mod doctor;
pub(crate) mod frame;
mod icons;
mod maintenance;
mod notices;
pub(crate) mod outside;
mod overview;
mod recovery;
mod restore;
mod retention;
pub(crate) mod runs;
mod schedules;
mod settings;
mod settings_account;
mod settings_audit;
mod settings_tokens;
mod settings_users;
mod sign_in;
mod stores;
pub(crate) mod words;

use crate::routes::Routes;

/// Their routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    let routes = overview::routes(appearance::routes(assets::routes(routes)));
    let routes = restore::routes(recovery::routes(backups::routes(routes)));
    let routes = runs::routes(schedules::routes(maintenance::routes(notices::routes(routes))));
    let routes = doctor::routes(stores::routes(retention::routes(settings::routes(routes))));
    let routes = settings_audit::routes(settings_tokens::routes(settings_users::routes(routes)));
    settings_account::routes(sign_in::routes(routes))
}
