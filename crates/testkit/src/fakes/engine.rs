//! The simulated engine's `Catalog` and `Power`. Like a real one it goes on with what it was asked
//! to do when the process that asked has died.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use stillpoint_core::names::{Project, WorkloadId};
use stillpoint_core::ports::power::{Claim, Intent, Stopped};
use stillpoint_core::ports::{Catalog, Clock, EngineError, EngineVersion, Lost, Neighbour, Power};
use stillpoint_core::workload::{Contents, MountSource, RestartPolicy, State, Workload};

use super::container::Container;
use super::world::World;

/// How long a start takes.
const START: Duration = Duration::from_millis(100);

/// How large each volume is.
const VOLUME_SIZE: u64 = 1 << 20;

/// The exit code of a process that was killed.
const KILLED: i64 = 137;

pub(super) struct FakeEngine {
    pub(super) world: World,
}

pub(super) fn refused(doing: &str, id: &WorkloadId, state: State) -> EngineError {
    EngineError::Refused {
        doing: format!("{doing} {id}"),
        status: 409,
        message: format!("the container is {state}"),
    }
}

#[async_trait]
impl Catalog for FakeEngine {
    async fn workloads(&self) -> Result<Vec<Workload>, EngineError> {
        Ok(self.world.workloads())
    }

    async fn inspect(&self, id: &WorkloadId) -> Result<Workload, EngineError> {
        self.world.with(id, Container::look)
    }

    async fn contents(
        &self,
        workloads: &[Workload],
        _files: &[&str],
    ) -> Result<BTreeMap<WorkloadId, Contents>, EngineError> {
        let inside = |workload: &Workload| {
            let seen = self.world.with(&workload.id, |container, now| {
                let is_up = container.look(now).state.is_up();
                is_up.then(|| container.inside.clone())
            });
            Some((workload.id.clone(), seen.ok()??))
        };
        Ok(workloads.iter().filter_map(inside).collect())
    }

    async fn neighbours(&self) -> Result<Vec<Neighbour>, EngineError> {
        let running = self
            .world
            .workloads()
            .into_iter()
            .filter(|workload| workload.state.is_up());
        let of_platform = running.map(|workload| Neighbour {
            id: workload.id,
            container: workload.container,
            image: workload.image,
            project: Some(workload.address.project),
            network_of: workload.network_of,
            started_at: workload.started_at,
            networks: vec!["backend".to_owned()],
            addresses: Vec::new(),
            gateways: Vec::new(),
        });
        Ok(of_platform.chain(self.world.outsiders()).collect())
    }

    async fn engine(&self) -> Result<EngineVersion, EngineError> {
        Ok(EngineVersion {
            version: self.world.engine_version(),
            api: "1.51".to_owned(),
        })
    }

    async fn lost(&self, of: &[WorkloadId]) -> Result<BTreeMap<WorkloadId, Vec<Lost>>, EngineError> {
        let mut lost = self.world.lost();
        lost.retain(|workload, _| of.contains(workload));
        Ok(lost)
    }

    async fn missing(&self, _of: &WorkloadId, paths: &[String]) -> Result<Option<Vec<String>>, EngineError> {
        let missing = self.world.missing();
        Ok(Some(
            paths.iter().filter(|path| missing.contains(*path)).cloned().collect(),
        ))
    }

    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        let workloads = self.world.workloads();
        let mounts = workloads.iter().flat_map(|workload| &workload.mounts);
        let sizes = mounts.filter_map(|mount| match &mount.source {
            MountSource::Volume(name) => Some((name.clone(), VOLUME_SIZE)),
            _ => None,
        });
        Ok(sizes.collect())
    }
}

#[async_trait]
impl Power for FakeEngine {
    async fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<Stopped, EngineError> {
        let (takes, killed) = self.world.with(id, |container, now| {
            if !container.look(now).state.is_up() {
                return (Duration::ZERO, false);
            }
            let takes = container.stops_in.min(grace);
            let killed = container.stops_in > grace;
            container.ends = Some((now + takes, if killed { KILLED } else { 0 }));
            container.stopped_by_hand = true;
            (takes, killed)
        })?;
        self.world.clock.sleep(takes).await;
        self.world.with(id, Container::look)?;
        Ok(if killed { Stopped::Killed } else { Stopped::Cleanly })
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.world.clock.sleep(START).await;
        self.world.start(id)
    }

    async fn pause(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.world.with(id, |container, now| {
            match container.look(now).state {
                State::Running => container.workload.state = State::Paused,
                State::Paused => {}
                state => return Err(refused("pause", id, state)),
            }
            Ok(())
        })?
    }

    async fn set_restart(&self, id: &WorkloadId, policy: &RestartPolicy) -> Result<(), EngineError> {
        self.world
            .with(id, |container, _| container.workload.restart = policy.clone())
    }

    async fn claim(&self, intent: &Intent, _image: &str) -> Result<Claim, EngineError> {
        Ok(match self.world.take_claim(intent) {
            None => Claim::Ours,
            Some(held) => Claim::Held(Box::new(held)),
        })
    }

    async fn claimed(&self, platform: &Project) -> Result<Option<Intent>, EngineError> {
        Ok(self.world.claim(platform.as_str()))
    }

    async fn held(&self) -> Result<Vec<Project>, EngineError> {
        Ok(self.world.claims().into_iter().map(Project::new).collect())
    }

    async fn release(&self, platform: &Project) -> Result<(), EngineError> {
        self.world.drop_claim(platform);
        Ok(())
    }
}

impl World {
    fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        let started = self.with(id, |container, now| match container.look(now).state {
            State::Running if container.ends.is_none() || container.is_dead => false,
            State::Paused => {
                container.workload.state = State::Running;
                true
            }
            _ => {
                container.begin(now);
                true
            }
        })?;
        if started {
            self.watch_start(id);
        }
        Ok(())
    }
}
