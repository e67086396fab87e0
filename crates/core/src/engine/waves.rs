//! The order in which workloads stop and start: Compose's `depends_on`, and the network, processes or memory of another
//! container. Pure.
//!
//! A start begins with what others depend on, a stop with what nobody depends on, as Compose does both.

use std::collections::BTreeSet;

use crate::workload::Workload;

/// One wave of a start: it begins when every earlier wave has started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wave {
    /// Indices of the workloads that start together.
    pub(super) members: Vec<usize>,
    /// Those among them that must be healthy before the next wave.
    pub(super) awaited: Vec<usize>,
}

/// Splits the workloads into the waves of a start. Dependencies on workloads outside the set count as met.
pub(super) fn start_waves(workloads: &[&Workload]) -> Vec<Wave> {
    let order = levels(&needs(workloads));
    let mut later: BTreeSet<usize> = (0..workloads.len()).collect();
    let mut waves = Vec::new();
    for members in order {
        for member in &members {
            later.remove(member);
        }
        let awaited = members.iter().copied();
        let awaited = awaited.filter(|&member| must_be_healthy(workloads, member, &later));
        waves.push(Wave {
            awaited: awaited.collect(),
            members,
        });
    }
    waves
}

/// Splits the workloads into the waves of a stop, as indices: a workload stops when everything that depends on it has
/// stopped.
pub(super) fn stop_waves(workloads: &[&Workload]) -> Vec<Vec<usize>> {
    let mut needed_by = vec![BTreeSet::new(); workloads.len()];
    for (workload, needs) in needs(workloads).iter().enumerate() {
        for &need in needs {
            needed_by[need].insert(workload);
        }
    }
    levels(&needed_by)
}

/// For each workload those of the set that it needs.
fn needs(workloads: &[&Workload]) -> Vec<BTreeSet<usize>> {
    let indices = |is_it: &dyn Fn(&Workload) -> bool, own: usize| -> Vec<usize> {
        let all = workloads.iter().enumerate();
        let found = all.filter(|(index, other)| *index != own && is_it(other));
        found.map(|(index, _)| index).collect()
    };
    let of = |(own, workload): (usize, &&Workload)| {
        let services = workload.dependencies();
        let same = |other: &Workload| other.address.service == workload.address.service;
        let depends = |other: &Workload| services.contains_key(other.address.service.as_str()) && !same(other);
        let lender = |other: &Workload| workload.lives_in().any(|used| other.is_container(used));
        let needed = indices(&|other| depends(other) || lender(other), own);
        needed.into_iter().collect()
    };
    workloads.iter().enumerate().map(of).collect()
}

/// Levels of a graph: each holds what waits for nothing but earlier levels.
fn levels(waits_for: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let mut left: BTreeSet<usize> = (0..waits_for.len()).collect();
    let mut levels = Vec::new();
    while !left.is_empty() {
        let free = left.iter().copied().filter(|&i| waits_for[i].is_disjoint(&left));
        let mut level: Vec<usize> = free.collect();
        if level.is_empty() {
            // A circle, which Compose refuses: better in any order than not at all.
            level = left.iter().copied().collect();
        }
        for member in &level {
            left.remove(member);
        }
        levels.push(level);
    }
    levels
}

fn must_be_healthy(workloads: &[&Workload], member: usize, later: &BTreeSet<usize>) -> bool {
    let service = workloads[member].address.service.as_str();
    let mut later = later.iter();
    later.any(|&later| workloads[later].dependencies().get(service) == Some(&"service_healthy"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Address, Project, WorkloadId};
    use crate::workload::{CommandLine, Environment, State};

    fn workload(service: &str, depends_on: &str) -> Workload {
        Workload {
            address: Address {
                project: Project::new("p"),
                service: service.into(),
                number: 1,
            },
            id: WorkloadId::new(service),
            container: service.into(),
            image: String::new(),
            image_id: String::new(),
            state: State::Exited,
            started_at: None,
            health: None,
            restart: crate::workload::RestartPolicy::never(),
            restart_count: 0,
            exit_code: None,
            stop_grace: None,
            auto_remove: false,
            network_of: None,
            aliases: Vec::new(),
            joined: Vec::new(),
            health_takes: None,
            health_first: None,
            ports: BTreeSet::new(),
            mounts: Vec::new(),
            contents: crate::workload::Contents::default(),
            labels: [(crate::workload::DEPENDS_ON.to_owned(), depends_on.to_owned())].into(),
            environment: Environment::default(),
            command: CommandLine::default(),
        }
    }

    fn chain() -> [Workload; 4] {
        [
            workload("web", "api:service_started:false"),
            workload("api", "db:service_healthy:true,gone:service_started:false"),
            workload("db", ""),
            workload("lone", ""),
        ]
    }

    fn starts(workloads: &[Workload]) -> Vec<Vec<usize>> {
        let waves = start_waves(&workloads.iter().collect::<Vec<_>>());
        waves.into_iter().map(|wave| wave.members).collect()
    }

    fn stops(workloads: &[Workload]) -> Vec<Vec<usize>> {
        stop_waves(&workloads.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_others_need_starts_first() {
        let all = chain();
        assert_eq!(starts(&all), [vec![2, 3], vec![1], vec![0]]);
        let waves = start_waves(&all.iter().collect::<Vec<_>>());
        let awaited: Vec<Vec<usize>> = waves.into_iter().map(|wave| wave.awaited).collect();
        assert_eq!(awaited, [vec![2], vec![], vec![]]);
    }

    #[test]
    fn what_nobody_needs_stops_first_and_waits_for_nobody() {
        assert_eq!(stops(&chain()), [vec![0, 3], vec![1], vec![2]]);
        let unlabelled = [workload("a", ""), workload("b", "")];
        assert_eq!(stops(&unlabelled), [vec![0, 1]], "no labels: all at once");
    }

    #[test]
    fn whoever_uses_anothers_network_depends_on_it() {
        let mut sidecar = workload("sidecar", "");
        sidecar.network_of = Some("vpn".into());
        let all = [sidecar, workload("vpn", "")];
        assert_eq!(starts(&all), [vec![1], vec![0]]);
        assert_eq!(stops(&all), [vec![0], vec![1]]);
        let mut by_short_id = workload("sidecar", "");
        by_short_id.joined = vec!["0123456789ab".into()];
        let mut lender = workload("vpn", "");
        lender.id = WorkloadId::new("0123456789abcdef");
        assert_eq!(starts(&[by_short_id, lender]), [vec![1], vec![0]]);
    }

    #[test]
    fn a_circle_stops_and_starts_all_the_same() {
        let all = [
            workload("a", "b:service_started:false"),
            workload("b", "a:service_started:false"),
        ];
        assert_eq!(starts(&all), [vec![0, 1]]);
        assert_eq!(stops(&all), [vec![0, 1]]);
    }
}
