//! S3 endpoints of this process on an address of the engine's host that a container reaches: the gateway of its network.
//!
//! This process must run on the engine's host: elsewhere there is no such address to listen at, which is said.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use async_trait::async_trait;
use bollard::models::{ContainerInspectResponse, EndpointSettings, NetworkInspect};
use bollard::query_parameters::InspectNetworkOptions;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::gateway::{Place, Receiving, Serving, Verified};
use stillpoint_core::ports::{EngineError, Gateway};

use super::connect::{Docker, SHORT};
use super::errors::{Act, container_called};
use super::reach::Network;
use crate::gateway;

#[async_trait]
impl Gateway for Docker {
    async fn probe(&self, workload: &WorkloadId) -> Result<Box<dyn Serving>, EngineError> {
        let (act, ip) = self.reached_from(workload).await?;
        let opened = gateway::Serving::empty(ip).await;
        Ok(Box::new(opened.map_err(|error| not_here(&act, ip, &error))?))
    }

    async fn receive(&self, workload: &WorkloadId, place: Place) -> Result<Box<dyn Receiving>, EngineError> {
        let (act, ip) = self.reached_from(workload).await?;
        let opened = gateway::Receiving::start(ip, place).await;
        Ok(Box::new(opened.map_err(|error| not_here(&act, ip, &error))?))
    }

    async fn serve(
        &self,
        workload: &WorkloadId,
        place: Place,
        objects: Vec<Verified>,
    ) -> Result<Box<dyn Serving>, EngineError> {
        let (act, ip) = self.reached_from(workload).await?;
        let opened = gateway::Serving::start(ip, place, objects).await;
        Ok(Box::new(opened.map_err(|error| not_here(&act, ip, &error))?))
    }
}

fn not_here(act: &Act, ip: IpAddr, error: &io::Error) -> EngineError {
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        let why = "which is none of this host's: Stillpoint must run on the engine's host, outside of containers";
        return act.refused(format!("its network leads to {ip}, {why}"));
    }
    act.refused(format!("{ip}: {error}"))
}

impl Docker {
    /// The address of this host that the container reaches.
    async fn reached_from(&self, workload: &WorkloadId) -> Result<(Act, IpAddr), EngineError> {
        let container = container_called(workload.as_str());
        let act = Act::new(format!("open an S3 endpoint for {container}"), container);
        let found = match self.networked(&act, workload.as_str()).await? {
            Network::Host => return Ok((act, IpAddr::V4(Ipv4Addr::LOCALHOST))),
            Network::Own(found) => found,
        };
        for endpoint in endpoints_of(&found) {
            if let Some(ip) = endpoint.gateway.as_ref().and_then(|gateway| gateway.parse().ok()) {
                return Ok((act, ip));
            }
            // An internal network leads nowhere, but to this host all the same.
            if let Some(network) = &endpoint.network_id {
                let options = None::<InspectNetworkOptions>;
                let looked = self.client().inspect_network(network, options);
                let network = self.call(&act, SHORT, looked).await?;
                if let Some(ip) = bridge_of(&network) {
                    return Ok((act, ip));
                }
            }
        }
        Err(act.refused("no network of its has an address of this host"))
    }
}

/// Those of its networks that it has an address in, those with a gateway first.
fn endpoints_of(found: &ContainerInspectResponse) -> Vec<&EndpointSettings> {
    let networks = found.network_settings.as_ref().and_then(|set| set.networks.as_ref());
    let mut endpoints: Vec<&EndpointSettings> = networks.into_iter().flat_map(|all| all.values()).collect();
    let leads = |endpoint: &EndpointSettings| endpoint.gateway.as_ref().is_some_and(|gateway| !gateway.is_empty());
    endpoints.sort_by_key(|endpoint| (!leads(endpoint), endpoint.network_id.clone()));
    endpoints
}

/// The address of this host in an internal bridge network.
fn bridge_of(network: &NetworkInspect) -> Option<IpAddr> {
    let configs = network.ipam.as_ref()?.config.as_ref()?;
    configs.iter().find_map(|config| config.gateway.as_ref()?.parse().ok())
}
