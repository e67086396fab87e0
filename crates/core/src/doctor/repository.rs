//! What is wrong with the place where backups are kept.

use super::{Beside, Check, Found, PlatformFacts, RepositoryFacts, refused_by};
use crate::engine::errors::PreflightError;
use crate::engine::room;
use crate::findings::Finding;
use crate::manifest::Manifest;
use crate::words::bytes;

pub(super) fn look(found: &mut Found, facts: &RepositoryFacts, platform: Option<&PlatformFacts>, beside: &Beside) {
    for reason in &facts.refusals {
        found.add(refused_by(reason), None, Finding::from(reason));
    }
    if let Some(error) = &facts.careless {
        let finding = Finding::refuses(error.to_string(), error.class().hint);
        found.add(Check::RepositoryConditions, None, finding);
    }
    if let Some(why) = &facts.keeps {
        found.advise(Check::RepositoryKeeps, None, format!("{}: {why}", facts.place));
    }
    fits(found, facts, platform);
    let here = beside
        .directory
        .as_ref()
        .map(|directory| format!("directory {directory}"));
    let here = here.or_else(|| facts.served_here.as_ref().map(|server| format!("served by {server}")));
    if let Some(here) = here {
        let what = format!("the only copy of the backups is on this host ({here})");
        found.warn(Check::OnlyCopy, None, what);
    }
}

/// The next backup must fit, and the one after it: retention frees nothing before a backup is sealed.
fn fits(found: &mut Found, facts: &RepositoryFacts, platform: Option<&PlatformFacts>) {
    let (Some(room), Some(known)) = (facts.room, &facts.backups) else {
        return;
    };
    let live = platform.map_or(0, |platform| platform.live);
    let needed = room::needed(known.newest().map(Manifest::size), live);
    if room < needed {
        let place = facts.place.clone();
        let reason = PreflightError::NoRoom { place, room, needed };
        found.add(Check::RepositoryRoom, None, Finding::from(&reason));
    } else if room / 2 < needed {
        let what = format!(
            "{} has room for the next backup, not for two: {} are free, one takes about {}",
            facts.place,
            bytes(room),
            bytes(needed)
        );
        found.warn(Check::RepositoryRoom, None, what);
    }
}
