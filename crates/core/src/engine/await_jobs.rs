//! A backup waits for jobs that run once: stopped and begun again, they would do their work twice.

use std::time::Duration;

use super::errors::{Error, PreflightError};
use super::limits::{GUESSED_JOB, JOB_LOOK, SERVICE_AFTER};
use super::one_shots::{OneShot, one_shot};
use super::platform::Platform;
use super::site::{Run, Site};
use crate::events::EventKind;
use crate::names::Address;
use crate::workload::{State, Workload};

impl Platform {
    /// The jobs that run, each with how sure that is.
    pub(super) fn running_jobs(&self) -> impl Iterator<Item = (&Workload, OneShot)> {
        let clients = self.workloads.iter().filter(|workload| {
            let is_managed = !self.stores.contains_key(&workload.address) && self.keep.reason(workload).is_none();
            is_managed && workload.state == State::Running
        });
        clients.filter_map(|workload| Some((workload, one_shot(workload, &self.workloads)?)))
    }
}

impl Site {
    /// Waits until the jobs that run have ended, and returns the platform as it is then. One that surely is a job and
    /// does not end is a reason to begin nothing; one that may be a service is stopped with the others, and told.
    pub async fn after_jobs(&self, run: &Run, mut platform: Platform) -> Result<Platform, Error> {
        let limit = self.standstill.jobs;
        let began = self.machine.clock.elapsed();
        let mut told = false;
        loop {
            let awaited = self.awaited(&platform);
            let lasted = self.machine.clock.elapsed().saturating_sub(began);
            if awaited.is_empty() {
                return Ok(platform);
            }
            let sure = awaited.iter().any(|(_, sure)| *sure == OneShot::Surely);
            let limit = if sure { limit } else { limit.min(GUESSED_JOB) };
            if lasted >= limit {
                return settle(run, platform, limit, &awaited);
            }
            if !told {
                run.report.tell(EventKind::WaitsForJobs {
                    jobs: awaited.iter().map(|(address, _)| address.clone()).collect(),
                    seconds: limit.as_secs(),
                });
                told = true;
            }
            run.unless_cancelled(self.machine.clock.sleep(JOB_LOOK.min(limit.saturating_sub(lasted))))
                .await?;
            platform = self.platform(Some(&platform.name)).await?;
        }
    }

    /// What has run for long and may be a service is taken for one.
    fn awaited(&self, platform: &Platform) -> Vec<(Address, OneShot)> {
        let now = self.machine.clock.now();
        let is_new = |workload: &Workload| {
            let since = workload
                .started_at
                .map(|since| now.duration_since(since).unsigned_abs());
            since.is_none_or(|lasted| lasted < SERVICE_AFTER)
        };
        let jobs = platform.running_jobs();
        let awaited = jobs.filter(|(workload, sure)| *sure == OneShot::Surely || is_new(workload));
        awaited
            .map(|(workload, sure)| (workload.address.clone(), sure))
            .collect()
    }
}

fn settle(run: &Run, platform: Platform, limit: Duration, left: &[(Address, OneShot)]) -> Result<Platform, Error> {
    let sure = left.iter().filter(|(_, sure)| *sure == OneShot::Surely);
    let sure: Vec<String> = sure.map(|(address, _)| address.to_string()).collect();
    if !sure.is_empty() {
        return Err(PreflightError::JobsRun { jobs: sure, limit }.into());
    }
    for (address, _) in left {
        run.report.warn(format!(
            "{address} has no restart policy and still runs after {} s: if it is a job that runs once, it is stopped and \
             BEGUN AGAIN; a restart policy tells that it is a service",
            limit.as_secs()
        ));
    }
    Ok(platform)
}
