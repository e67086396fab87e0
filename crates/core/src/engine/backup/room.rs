//! Whether the backup will fit, asked before anything is stopped, where the repository can tell. The
//! last backup of the platform tells best; the first one is guessed from the size of the live data.

use crate::engine::site::{Run, Site};
use crate::errors::{Error, PreflightError};

/// Of live data a dump has at least this part, in percent: indexes and free space are not dumped, the
/// rest is compressed. Less room than that has never sufficed.
const LEAST: u64 = 5;

/// Platforms grow: what the last backup had and this part more, in percent.
const GROWTH: u64 = 10;

pub(super) async fn must_suffice(site: &Site, run: &Run, live: u64) -> Result<(), Error> {
    let Some(room) = site.backups.room().await.map_err(|cause| site.unfit(cause))? else {
        return Ok(());
    };
    let last = site.backups.last_size().await.map_err(|cause| site.unfit(cause))?;
    let needed = last.map_or(live / 100 * LEAST, |last| last + last / 100 * GROWTH);
    if room < needed {
        let place = site.backups.place();
        return Err(PreflightError::NoRoom { place, room, needed }.into());
    }
    if last.is_none() && room < live {
        run.report.warn(format!(
            "{} has room for {room} bytes; the stores hold {live}, of which a first backup may need less",
            site.backups.place()
        ));
    }
    Ok(())
}
