//! Whether the backup will fit, asked before anything is stopped: in the repository, where it can tell,
//! and in the spool. The last backup of the platform tells best; the first one is guessed from the size of
//! the live data.

use crate::engine::errors::{Error, PreflightError};
use crate::engine::site::{Run, Site};
use crate::events::EventKind;
use crate::names::StoreName;
use crate::stores::{InVolume, Preflight, StoreError};

/// Of live data a dump has at least this part, in percent: indexes and free space are not dumped, the
/// rest is compressed. Less room than that has never sufficed.
const LEAST: u64 = 5;

/// Platforms grow: what the last backup had and this part more, in percent.
const GROWTH: u64 = 10;

/// `last` is what the last backup of the same had; `live` is what its stores hold now.
pub(in crate::engine) async fn must_suffice(site: &Site, run: &Run, last: Option<u64>, live: u64) -> Result<(), Error> {
    let Some(room) = site.backups.room().await.map_err(|cause| site.unfit(cause))? else {
        return Ok(());
    };
    let needed = needed(last, live);
    if room < needed {
        let place = site.backups.place();
        return Err(PreflightError::NoRoom { place, room, needed }.into());
    }
    if last.is_none() && room < live {
        run.report.warn(format!(
            "{} has room for {room} bytes; the stores hold {live}, of which a dump may need less",
            site.backups.place()
        ));
    }
    Ok(())
}

/// What the next backup takes at least, as far as that is known.
pub(crate) fn needed(last: Option<u64>, live: u64) -> u64 {
    last.map_or(live / 100 * LEAST, |last| last + last / 100 * GROWTH)
}

/// What stores spool at once, each with its place.
pub(in crate::engine) struct Spooling(Vec<(StoreName, String, u64)>);

impl Spooling {
    /// Names it before anything is stopped.
    pub(in crate::engine) fn tell(self, run: &Run) {
        for (store, place, bytes) in self.0 {
            run.report.tell(EventKind::Spools { store, place, bytes });
        }
    }
}

/// What stores spool at once; what goes into the spool must fit, all of it together: they are drained side by side.
pub(in crate::engine) async fn spooling<'a>(
    site: &Site,
    looks: impl Iterator<Item = (&'a StoreName, &'a Preflight)>,
) -> Result<Spooling, PreflightError> {
    let place = site.machine.spool.place();
    let (mut stores, mut in_volumes) = (Vec::new(), Vec::new());
    for (store, look) in looks {
        if look.spool > 0 {
            stores.push((store.clone(), look.spool));
        }
        let in_volume = look.in_volume.clone();
        in_volumes.extend(in_volume.map(|InVolume { place, bytes }| (store.clone(), place, bytes)));
    }
    let needed = stores.iter().map(|(_, bytes)| bytes).sum();
    if needed > 0 {
        let room = site.machine.spool.room().await.map_err(StoreError::Spool)?;
        if room < needed {
            let stores = stores.iter().map(|(store, bytes)| format!("{store} {bytes}"));
            return Err(PreflightError::NoSpool {
                place,
                room,
                needed,
                stores: stores.collect(),
            });
        }
    }
    let spooled = stores.into_iter().map(|(store, bytes)| (store, place.clone(), bytes));
    Ok(Spooling(spooled.chain(in_volumes).collect()))
}
