//! The order in which workloads start: those that others depend on first. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::workload::Workload;

/// Written by Compose on every container: `db:service_healthy:false,cache:service_started:true`.
const DEPENDS_ON: &str = "com.docker.compose.depends_on";

/// One wave: it starts when every earlier wave has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wave {
    /// Indices of the workloads that start together.
    pub(super) members: Vec<usize>,
    /// Those among them that must be healthy before the next wave.
    pub(super) awaited: Vec<usize>,
}

/// Splits the workloads into waves. Dependencies on services outside the set count as met.
pub(super) fn waves(workloads: &[&Workload]) -> Vec<Wave> {
    let needs: Vec<BTreeMap<&str, &str>> = workloads.iter().map(|workload| dependencies(workload)).collect();
    let mut left: BTreeSet<usize> = (0..workloads.len()).collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let waiting: BTreeSet<&str> = left.iter().map(|&i| workloads[i].address.service.as_str()).collect();
        let free = |i: &usize| {
            needs[*i]
                .keys()
                .all(|service| *service == workloads[*i].address.service || !waiting.contains(service))
        };
        let mut members: Vec<usize> = left.iter().copied().filter(free).collect();
        if members.is_empty() {
            // A circle, which Compose refuses: better started in any order than not at all.
            members = left.iter().copied().collect();
        }
        for member in &members {
            left.remove(member);
        }
        let awaited = members
            .iter()
            .copied()
            .filter(|&m| must_be_healthy(workloads[m], &left, &needs))
            .collect();
        waves.push(Wave { members, awaited });
    }
    waves
}

fn must_be_healthy(workload: &Workload, left: &BTreeSet<usize>, needs: &[BTreeMap<&str, &str>]) -> bool {
    left.iter()
        .any(|&later| needs[later].get(workload.address.service.as_str()) == Some(&"service_healthy"))
}

/// The services that the workload depends on, each with what it asks of it.
pub(super) fn dependencies(workload: &Workload) -> BTreeMap<&str, &str> {
    let label = workload.labels.get(DEPENDS_ON).map_or("", String::as_str);
    label
        .split(',')
        .filter_map(|entry| {
            let mut parts = entry.split(':');
            Some((parts.next().filter(|service| !service.is_empty())?, parts.next()?))
        })
        .collect()
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
            labels: [(DEPENDS_ON.to_owned(), depends_on.to_owned())].into(),
            environment: Environment::default(),
            command: CommandLine::default(),
        }
    }

    fn members(workloads: &[Workload]) -> Vec<Vec<usize>> {
        waves(&workloads.iter().collect::<Vec<_>>())
            .into_iter()
            .map(|wave| wave.members)
            .collect()
    }

    #[test]
    fn what_others_need_starts_first() {
        let all = [
            workload("web", "api:service_started:false"),
            workload("api", "db:service_healthy:true,gone:service_started:false"),
            workload("db", ""),
            workload("lone", ""),
        ];
        assert_eq!(members(&all), [vec![2, 3], vec![1], vec![0]]);
        let awaited: Vec<Vec<usize>> = waves(&all.iter().collect::<Vec<_>>())
            .into_iter()
            .map(|wave| wave.awaited)
            .collect();
        assert_eq!(awaited, [vec![2], vec![], vec![]]);
    }

    #[test]
    fn a_circle_starts_all_the_same() {
        let all = [
            workload("a", "b:service_started:false"),
            workload("b", "a:service_started:false"),
        ];
        assert_eq!(members(&all), [vec![0, 1]]);
    }
}
