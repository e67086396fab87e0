//! Jobs that run once and end. One that is stopped and begun again does its work twice. What is one can be known, or only
//! be guessed: Compose's own default is to restart nothing.

use crate::workload::Workload;

/// Written by Compose on what `docker compose run` has made.
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// How Compose calls the wish to start after somebody's successful end.
const COMPLETED: &str = "service_completed_successfully";

/// How sure it is that a workload is such a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OneShot {
    /// Others wait for its end, or somebody has run it by hand.
    Surely,
    /// Nothing restarts it, nothing waits for its start, and nobody asks how it is.
    Perhaps,
}

/// Whether the workload is a job that runs once; `all` are those of its platform.
pub(crate) fn one_shot(workload: &Workload, all: &[Workload]) -> Option<OneShot> {
    let service = workload.address.service.as_str();
    let mut wishes = all
        .iter()
        .filter_map(|other| other.dependencies().get(service).copied());
    let is_one_off = workload
        .labels
        .get(ONE_OFF)
        .is_some_and(|label| label.eq_ignore_ascii_case("true"));
    if is_one_off || wishes.clone().any(|wish| wish == COMPLETED) {
        return Some(OneShot::Surely);
    }
    let is_lender = all
        .iter()
        .any(|other| other.lives_in().any(|used| workload.is_container(used)));
    let serves = workload.health_takes.is_some() || !workload.ports.is_empty() || is_lender || wishes.next().is_some();
    (workload.restart.name == "no" && !serves).then_some(OneShot::Perhaps)
}
