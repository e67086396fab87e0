//! Reading the platform from the engine. Sends GET requests only.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures::stream::{self, StreamExt, TryStreamExt};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Catalog, EngineError, EngineVersion, Lost, Neighbour};
use stillpoint_core::workload::{Contents, State, Workload};

use super::claim;
use super::connect::{Docker, SHORT};
use super::errors::Act;
use super::translate::{PROJECT, state_of, workload};

/// So many containers are described at a time: enough to hide the round trips, too few for the
/// engine to notice.
const AT_A_TIME: usize = 8;

#[async_trait]
impl Catalog for Docker {
    async fn workloads(&self) -> Result<Vec<Workload>, EngineError> {
        let ids = self.compose_containers().await?;
        stream::iter(ids)
            .map(|id| async move { self.workload_if_there(&id).await })
            .buffer_unordered(AT_A_TIME)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    async fn inspect(&self, id: &WorkloadId) -> Result<Workload, EngineError> {
        let found = self.look(id.as_str()).await?;
        let act = Act::on("describe", id.as_str());
        workload(&act, found)?.ok_or_else(|| act.refused("it is not a container of a Compose service"))
    }

    async fn contents(
        &self,
        workloads: &[Workload],
        files: &[&str],
    ) -> Result<BTreeMap<WorkloadId, Contents>, EngineError> {
        let looks = stream::iter(workloads.to_vec())
            .map(|workload| async move { (workload.id.clone(), self.look_inside(&workload, files).await) })
            .buffer_unordered(AT_A_TIME);
        Ok(looks.collect().await)
    }

    async fn neighbours(&self) -> Result<Vec<Neighbour>, EngineError> {
        self.all_running().await
    }

    async fn engine(&self) -> Result<EngineVersion, EngineError> {
        self.own_version().await
    }

    async fn lost(&self, of: &[WorkloadId]) -> Result<BTreeMap<WorkloadId, Vec<Lost>>, EngineError> {
        self.lost_by(of).await
    }

    async fn missing(&self, of: &WorkloadId, paths: &[String]) -> Result<Option<Vec<String>>, EngineError> {
        self.missing_on_host(of, paths).await
    }

    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        self.measure_volumes().await
    }
}

impl Docker {
    /// What a container does now, Compose's or not.
    pub(super) async fn state(&self, id: &str) -> Result<State, EngineError> {
        Ok(state_of(&self.look(id).await?.state.unwrap_or_default()))
    }

    async fn compose_containers(&self) -> Result<Vec<String>, EngineError> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&HashMap::from([("label", vec![PROJECT])]))
            .build();
        let act = Act::new("list its containers", "the list of containers");
        let listed = self
            .call(&act, SHORT, self.client().list_containers(Some(options)))
            .await?;
        Ok(listed
            .into_iter()
            .filter(|listed| !is_ours(listed))
            .filter_map(|listed| listed.id)
            .collect())
    }

    async fn workload_if_there(&self, id: &str) -> Result<Option<Workload>, EngineError> {
        match self.look(id).await {
            Ok(found) => workload(&Act::on("describe", id), found),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A claim inherits the labels of its image, which may have been built by Compose.
pub(super) fn is_ours(listed: &ContainerSummary) -> bool {
    listed
        .labels
        .as_ref()
        .is_some_and(|labels| labels.contains_key(claim::ROLE))
}
