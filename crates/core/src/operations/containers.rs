//! Use cases around the platform's containers: what would be done with each, and bringing back what
//! an earlier run left down.

use crate::engine::plan::Plan;
use crate::engine::site::{Run, Site};
use crate::engine::start::Degraded;
use crate::errors::Error;
use crate::names::Project;
use crate::ports::power::Job;

pub(super) async fn plan(site: &Site, wanted: Option<&Project>) -> Result<Plan, Error> {
    Ok(Plan::new(&site.platform(wanted).await?, Job::BackupJob))
}

pub(super) async fn start(site: &Site, run: &Run, wanted: Option<&Project>) -> Result<Vec<Degraded>, Error> {
    let platform = site.platform(wanted).await?;
    let held = site.lock(&platform.name).await?;
    let Some(intent) = site.power.claimed(&platform.name).await? else {
        return Ok(Vec::new());
    };
    let degraded = site.bring_back(&held, run, &intent).await?;
    if degraded.is_empty() {
        Ok(degraded)
    } else {
        Err(Error::RecoveryIncomplete {
            run: intent.run,
            degraded,
        })
    }
}
