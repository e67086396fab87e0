//! S3 endpoints of this process on an address that a container reaches: on the engine's host the gateway of its network; where
//! this process is in a container itself, its own address in a network of both.
//!
//! Elsewhere there is no such address to listen at, which is said.

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use async_trait::async_trait;
use bollard::models::{EndpointSettings, NetworkInspect};
use bollard::query_parameters::InspectNetworkOptions;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::gateway::{Place, Receiving, Serving, Verified};
use stillpoint_core::ports::{EngineError, Gateway};
use tokio::net::TcpListener;

use super::connect::{Docker, SHORT};
use super::errors::{Act, container_called};
use super::reach::{Network, endpoints_of};
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
    act.refused(format!("{ip}: {error}"))
}

impl Docker {
    /// The address of ours that the container reaches: of its networks' gateways the first that is one of this host's, else
    /// ours in a bridge of both.
    async fn reached_from(&self, workload: &WorkloadId) -> Result<(Act, IpAddr), EngineError> {
        let container = container_called(workload.as_str());
        let act = Act::new(format!("open an S3 endpoint for {container}"), container);
        let found = match self.networked(&act, workload.as_str()).await? {
            Network::Host => return Ok((act, IpAddr::V4(Ipv4Addr::LOCALHOST))),
            Network::Own(found) => found,
        };
        let endpoints = endpoints_of(&found);
        let mut strange = Vec::new();
        for endpoint in &endpoints {
            let Some(ip) = self.gateway_of(&act, endpoint).await? else {
                continue;
            };
            // That of a macvlan is a router's; of an engine elsewhere, or seen from a container, it is another host's.
            if TcpListener::bind((ip, 0)).await.is_ok() {
                return Ok((act, ip));
            }
            strange.push(ip.to_string());
        }
        for endpoint in endpoints {
            if let Some(ip) = beside(endpoint)
                && self.is_bridge(&act, endpoint).await?
            {
                return Ok((act, ip));
            }
        }
        let where_to = match &strange[..] {
            [] => "none of its networks leads to a host".to_owned(),
            strange => format!("its networks lead to {}, which is not this host", strange.join(", ")),
        };
        Err(act.refused(format!(
            "{where_to}: Stillpoint must run on the engine's host, or in a container of a bridge network that this one is in, too"
        )))
    }

    /// A bridge lets all that are in it reach each other; a macvlan keeps its host away.
    async fn is_bridge(&self, act: &Act, endpoint: &EndpointSettings) -> Result<bool, EngineError> {
        let Some(network) = &endpoint.network_id else {
            return Ok(false);
        };
        let looked = self.client().inspect_network(network, None::<InspectNetworkOptions>);
        let driver = self.call(act, SHORT, looked).await?.driver;
        Ok(driver.as_deref() == Some("bridge"))
    }

    async fn gateway_of(&self, act: &Act, endpoint: &EndpointSettings) -> Result<Option<IpAddr>, EngineError> {
        if let Some(ip) = endpoint.gateway.as_ref().and_then(|gateway| gateway.parse().ok()) {
            return Ok(Some(ip));
        }
        // An internal network leads nowhere, but to this host all the same.
        let Some(network) = &endpoint.network_id else {
            return Ok(None);
        };
        let looked = self.client().inspect_network(network, None::<InspectNetworkOptions>);
        Ok(bridge_of(&self.call(act, SHORT, looked).await?))
    }
}

/// Our address in the network of this place in it, if we have one there.
fn beside(endpoint: &EndpointSettings) -> Option<IpAddr> {
    let theirs: Ipv4Addr = endpoint.ip_address.as_ref()?.parse().ok()?;
    let length = u32::try_from(endpoint.ip_prefix_len?)
        .ok()
        .filter(|length| (1..=32).contains(length))?;
    // Nothing is sent: the kernel only says from which address it would be.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((theirs, 9)).ok()?;
    let IpAddr::V4(ours) = socket.local_addr().ok()?.ip() else {
        return None;
    };
    let network = |ip: Ipv4Addr| u32::from(ip) >> (32 - length);
    (ours != theirs && network(ours) == network(theirs)).then_some(IpAddr::V4(ours))
}

/// The address of this host in an internal bridge network.
fn bridge_of(network: &NetworkInspect) -> Option<IpAddr> {
    let configs = network.ipam.as_ref()?.config.as_ref()?;
    configs.iter().find_map(|config| config.gateway.as_ref()?.parse().ok())
}
