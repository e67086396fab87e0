//! Containers beside a store's: they see its files whether or not it runs, and do nothing by themselves.
//! Their labels say whose they are, so that whoever comes after a death finds them. A volume is never
//! removed with one: it is the store's.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{CreateContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptions};
use stillpoint_core::names::{RunId, WorkloadId};
use stillpoint_core::ports::EngineError;
use stillpoint_core::ports::shell::RUN_VARIABLE;
use tokio::time::sleep;

use super::claim::ROLE;
use super::connect::{Docker, LOOK_EVERY, SHORT};
use super::errors::Act;
use crate::awake::timeout;

const SIBLING: &str = "sibling";
const RUN: &str = "stillpoint.run";
const OF: &str = "stillpoint.sibling-of";

/// The port's promise.
const WITHIN: Duration = Duration::from_secs(10);

/// Stays until it is killed.
const NOTHING: [&str; 3] = ["sh", "-c", "exec sleep 2147483647"];

impl Docker {
    /// See [`stillpoint_core::ports::Shell::sibling`]. One that could not be started is removed again.
    pub(super) async fn make_sibling(
        &self,
        of: &WorkloadId,
        run: &RunId,
        called: &str,
    ) -> Result<WorkloadId, EngineError> {
        let act = Act::on("make a sibling of", of.as_str());
        let found = self.look(of.as_str()).await?;
        let image = found.image.unwrap_or_default();
        let body = self.sibling_body(of, run, &image).await?;
        let options = CreateContainerOptions {
            name: Some(format!("{called}-{:08x}", rand::random::<u32>())),
            ..CreateContainerOptions::default()
        };
        let made = self.client().create_container(Some(options), body);
        let id = WorkloadId::new(self.call(&act, SHORT, made).await?.id);
        let started = self.client().start_container(id.as_str(), None);
        match self.call(&act, SHORT, started).await {
            Ok(()) => Ok(id),
            Err(error) => {
                self.remove_sibling(&id).await?;
                Err(error)
            }
        }
    }

    /// See [`stillpoint_core::ports::Shell::end_sibling`].
    pub(super) async fn remove_sibling(&self, sibling: &WorkloadId) -> Result<(), EngineError> {
        let act = Act::on("remove", sibling.as_str());
        let gone = async {
            while !self.try_to_remove(&act, sibling.as_str()).await? {
                sleep(LOOK_EVERY).await;
            }
            Ok(())
        };
        timeout(WITHIN, gone).await.unwrap_or_else(|_| Err(act.overdue(WITHIN)))
    }

    /// Removes what a dead run has left beside a workload.
    pub(super) async fn reap_siblings(&self, of: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        let labels = vec![
            format!("{ROLE}={SIBLING}"),
            format!("{RUN}={run}"),
            format!("{OF}={of}"),
        ];
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&HashMap::from([("label", labels)]))
            .build();
        let act = Act::new("list a dead run's siblings", "the list of containers");
        let found = self
            .call(&act, SHORT, self.client().list_containers(Some(options)))
            .await?;
        for id in found.into_iter().filter_map(|listed| listed.id) {
            self.remove_sibling(&WorkloadId::new(id)).await?;
        }
        Ok(())
    }

    /// False while somebody else's removal of it is under way.
    async fn try_to_remove(&self, act: &Act, id: &str) -> Result<bool, EngineError> {
        let options = RemoveContainerOptions {
            v: false,
            force: true,
            link: false,
        };
        let removed = self.client().remove_container(id, Some(options));
        match self.call(act, SHORT, removed).await {
            Ok(()) | Err(EngineError::Gone { .. }) => Ok(true),
            Err(EngineError::Refused { status: 409, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn sibling_body(
        &self,
        of: &WorkloadId,
        run: &RunId,
        image: &str,
    ) -> Result<ContainerCreateBody, EngineError> {
        let mut labels = self.masked_labels(image).await?;
        labels.insert(ROLE.to_owned(), SIBLING.to_owned());
        labels.insert(RUN.to_owned(), run.to_string());
        labels.insert(OF.to_owned(), of.to_string());
        Ok(ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(NOTHING.map(ToOwned::to_owned).to_vec()),
            cmd: Some(Vec::new()),
            user: Some("0:0".to_owned()),
            env: Some(vec![format!("{RUN_VARIABLE}={run}")]),
            labels: Some(labels),
            // The image's own would ask a server that does not run here.
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                volumes_from: Some(vec![of.to_string()]),
                log_config: Some(HostConfigLogConfig {
                    typ: Some("none".to_owned()),
                    ..HostConfigLogConfig::default()
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        })
    }
}
