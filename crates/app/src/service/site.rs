//! What a process works on, as far as its configuration says.

use stillpoint_web::wire::Site;

use crate::commands::place;
use crate::config::Config;

/// What this configuration works on.
pub(crate) fn of(config: &Config) -> Site {
    Site {
        platform: config.project(),
        repository: place(&config.repository()),
        engine: config.platform.docker_host.clone(),
    }
}

/// Whether both work on the same, as far as both say.
pub(crate) fn is_same(one: &Site, other: &Site) -> bool {
    let differ = one.platform.is_some() && other.platform.is_some() && one.platform != other.platform;
    !differ && (&one.repository, &one.engine) == (&other.repository, &other.engine)
}
