//! Which container stands behind an address: the repository's server may be a service of the platform
//! itself, known by a name that means something in the platform's network alone.

use std::net::{IpAddr, SocketAddr};

use bollard::models::ContainerInspectResponse;
use stillpoint_core::names::Project;
use stillpoint_core::ports::{Catalog, EngineError};
use stillpoint_core::workload::{State, Workload};

use super::connect::Docker;
use super::errors::Act;

/// A container that serves at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The container's name.
    pub container: String,
    /// Where it is reached from here; none if it is reached as it was asked for: by a port that it
    /// publishes.
    pub address: Option<SocketAddr>,
}

impl Docker {
    /// The container that `host` and `port` lead to, if it is one of this engine's: by the name of its
    /// service or its own, by its address, or by a port that it publishes on this host. Of several
    /// platforms only `project` is asked, where it is given.
    ///
    /// Fails if several containers bear the name.
    pub async fn server(
        &self,
        host: &str,
        port: u16,
        project: Option<&Project>,
    ) -> Result<Option<Server>, EngineError> {
        let mut found = Vec::new();
        for workload in self.workloads().await? {
            let asked = project.is_none_or(|project| *project == workload.address.project);
            if asked && workload.state == State::Running {
                found.extend(self.serves(&workload, host, port).await?);
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            several => {
                let names: Vec<&str> = several.iter().map(|server| server.container.as_str()).collect();
                Err(Act::new(format!("find the container called {host}"), host.to_owned())
                    .refused(format!("there are several: {}", names.join(", "))))
            }
        }
    }

    async fn serves(&self, workload: &Workload, host: &str, port: u16) -> Result<Option<Server>, EngineError> {
        let act = Act::on("find the address of", workload.id.as_str());
        let server = |address| Server {
            container: workload.container.clone(),
            address,
        };
        if workload.is_called(host) {
            let address = self.addresses(&act, workload.id.as_str()).await?.into_iter().next();
            let address = address.ok_or_else(|| act.refused("it has no address on any network"))?;
            return Ok(Some(server(Some(SocketAddr::new(address, port)))));
        }
        let Some(host) = as_address(host) else { return Ok(None) };
        let leads = if host.is_loopback() {
            publishes(&self.look(workload.id.as_str()).await?, port)
        } else {
            self.addresses(&act, workload.id.as_str()).await?.contains(&host)
        };
        Ok(leads.then(|| server(None)))
    }
}

fn as_address(host: &str) -> Option<IpAddr> {
    match host {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        host => host.trim_matches(['[', ']']).parse().ok(),
    }
}

fn publishes(found: &ContainerInspectResponse, port: u16) -> bool {
    let ports = found
        .network_settings
        .as_ref()
        .and_then(|settings| settings.ports.as_ref());
    let bindings = ports.into_iter().flat_map(|ports| ports.values().flatten().flatten());
    let port = port.to_string();
    bindings
        .into_iter()
        .any(|binding| binding.host_port.as_ref() == Some(&port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_published_port_leads_to_its_container() {
        let found = json!({"NetworkSettings": {"Ports": {
            "8333/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18333"}],
            "8888/tcp": null,
        }}});
        let found: ContainerInspectResponse = serde_json::from_value(found).unwrap();
        assert!(publishes(&found, 18333));
        assert!(!publishes(&found, 8333) && !publishes(&found, 8888));
    }
}
