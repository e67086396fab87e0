//! Connections to a container's own address, whether or not it publishes the port.
//!
//! The engine must run on this host, on Linux: only there can its bridge networks be reached. With
//! an engine elsewhere (`tcp://`, Docker Desktop) dialling fails after [`DIAL`], it never hangs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{ContainerInspectResponse, EndpointSettings};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{ByteStream, EngineError, Forward, Reach};
use stillpoint_core::workload::State;
use tokio::net::TcpStream;

use super::connect::Docker;
use super::dial::first_to_answer;
use super::errors::{Act, container_called};
use super::translate::state_of;
use crate::awake::timeout;

/// How long one address may take to answer.
const DIAL: Duration = Duration::from_secs(5);

/// Containers may borrow each other's network; the engine itself refuses circles.
const BORROWED_AT_MOST: usize = 4;

/// The network of a container.
pub(super) enum Network {
    /// That of the engine's host.
    Host,
    /// Networks of the container, or of the one that lends it its own.
    Own(Box<ContainerInspectResponse>),
}

#[async_trait]
impl Reach for Docker {
    async fn dial(&self, workload: &WorkloadId, port: u16) -> Result<Box<dyn ByteStream>, EngineError> {
        let container = container_called(workload.as_str());
        let act = Act::new(format!("connect to port {port} of {container}"), container);
        let addresses = self.addresses(&act, workload.as_str()).await?;
        let addresses = self.good().first(workload.as_str(), addresses);
        let connect = |address| connect(&act, SocketAddr::new(address, port));
        match first_to_answer(&addresses, connect).await {
            Some(Ok((address, stream))) => {
                self.good().note(workload.as_str(), address);
                Ok(Box::new(stream))
            }
            Some(Err(error)) => Err(error),
            None => Err(act.refused("it has no address on any network")),
        }
    }

    async fn forward(&self, workload: &WorkloadId, port: u16) -> Result<Forward, EngineError> {
        self.open_forward(workload, port).await
    }
}

impl Docker {
    /// The addresses under which the container's ports may be reached from here, best first.
    pub(super) async fn addresses(&self, act: &Act, container: &str) -> Result<Vec<IpAddr>, EngineError> {
        Ok(match self.networked(act, container).await? {
            Network::Host => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            Network::Own(found) => addresses_of(&found),
        })
    }

    /// Whose network a running container uses.
    pub(super) async fn networked(&self, act: &Act, container: &str) -> Result<Network, EngineError> {
        let mut container = container.to_owned();
        for _ in 0..BORROWED_AT_MOST {
            let found = self.look(&container).await?;
            let state = state_of(&found.state.clone().unwrap_or_default());
            if state != State::Running {
                return Err(act.refused(format!("{} is {state}", container_called(&container))));
            }
            match network_mode(&found) {
                "host" => return Ok(Network::Host),
                mode => match mode.strip_prefix("container:") {
                    Some(lender) => lender.clone_into(&mut container),
                    None => return Ok(Network::Own(Box::new(found))),
                },
            }
        }
        Err(act.refused("its network is borrowed from too many containers in a row"))
    }
}

async fn connect(act: &Act, address: SocketAddr) -> Result<TcpStream, EngineError> {
    let stream = timeout(DIAL, TcpStream::connect(address))
        .await
        .map_err(|_| act.overdue(DIAL))?
        .map_err(|error| act.refused(format!("{address}: {error}")))?;
    // Protocols of questions and answers suffer from delayed small packets.
    stream
        .set_nodelay(true)
        .map_err(|error| act.refused(error.to_string()))?;
    Ok(stream)
}

fn network_mode(found: &ContainerInspectResponse) -> &str {
    let host = found.host_config.as_ref();
    host.and_then(|host| host.network_mode.as_deref()).unwrap_or_default()
}

fn addresses_of(found: &ContainerInspectResponse) -> Vec<IpAddr> {
    endpoints_of(found).into_iter().filter_map(address_of).collect()
}

/// Its places in networks, the best first.
pub(super) fn endpoints_of(found: &ContainerInspectResponse) -> Vec<&EndpointSettings> {
    let networks = found.network_settings.as_ref().and_then(|set| set.networks.as_ref());
    let mut endpoints: Vec<&EndpointSettings> = networks.into_iter().flat_map(|all| all.values()).collect();
    // An internal network has no gateway. In a fixed order, so that every dial takes the same way.
    endpoints.sort_by_key(|endpoint| (!given(endpoint.gateway.as_ref()), endpoint.network_id.clone()));
    endpoints
}

fn address_of(endpoint: &EndpointSettings) -> Option<IpAddr> {
    [&endpoint.ip_address, &endpoint.global_ipv6_address]
        .into_iter()
        .flatten()
        .find_map(|address| address.parse().ok())
}

fn given(text: Option<&String>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_internal_network_is_the_last_resort() {
        let found = json!({"NetworkSettings": {"Networks": {
            "inside": {"NetworkID": "1", "Gateway": "", "IPAddress": "172.30.0.2"},
            "outside": {"NetworkID": "2", "Gateway": "172.31.0.1", "IPAddress": "172.31.0.2"},
            "six": {"NetworkID": "3", "Gateway": "", "IPAddress": "", "GlobalIPv6Address": "fd00::2"},
            "down": {"NetworkID": "4", "Gateway": "", "IPAddress": ""},
        }}});
        let found = serde_json::from_value(found).unwrap();
        let addresses: Vec<String> = addresses_of(&found).iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["172.31.0.2", "172.30.0.2", "fd00::2"]);
    }
}
