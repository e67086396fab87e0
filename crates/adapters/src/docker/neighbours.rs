//! Every container that runs, whoever it belongs to: from one list, and one look more at those that use another's network.

use std::net::IpAddr;

use bollard::models::{ContainerSummary, EndpointSettings};
use bollard::query_parameters::ListContainersOptionsBuilder;
use stillpoint_core::names::{Project, WorkloadId};
use stillpoint_core::ports::{EngineError, Neighbour};

use super::catalog::is_ours;
use super::connect::{Docker, SHORT};
use super::errors::Act;
use super::translate::{PROJECT, moment};

impl Docker {
    pub(super) async fn all_running(&self) -> Result<Vec<Neighbour>, EngineError> {
        let act = Act::new("list its containers", "the list of containers");
        let options = ListContainersOptionsBuilder::new().build();
        let listed = self.client().list_containers(Some(options));
        let listed = self.call(&act, SHORT, listed).await?.into_iter();
        let mut running: Vec<Neighbour> = listed.filter(|one| !is_ours(one)).filter_map(neighbour).collect();
        for lodger in running.iter_mut().filter(|one| one.network_of.is_some()) {
            // One that has ended meanwhile is none any more.
            let state = self.look(lodger.id.as_str()).await.ok().and_then(|found| found.state);
            let started = state.and_then(|state| state.started_at);
            lodger.started_at = moment(&act, started.as_deref())?;
        }
        Ok(running)
    }
}

fn neighbour(listed: ContainerSummary) -> Option<Neighbour> {
    let mode = listed
        .host_config
        .and_then(|host| host.network_mode)
        .unwrap_or_default();
    let labels = listed.labels.unwrap_or_default();
    let endpoints = listed
        .network_settings
        .and_then(|settings| settings.networks)
        .unwrap_or_default();
    let name = listed.names.unwrap_or_default().into_iter().next()?;
    let of = |address: fn(&EndpointSettings) -> [Option<&String>; 2]| -> Vec<IpAddr> {
        let given = endpoints.values().flat_map(address).flatten();
        given.filter_map(|address| address.parse().ok()).collect()
    };
    Some(Neighbour {
        id: WorkloadId::new(listed.id?),
        container: name.trim_start_matches('/').to_owned(),
        image: listed.image.unwrap_or_default(),
        project: labels.get(PROJECT).filter(|name| !name.is_empty()).map(Project::new),
        network_of: mode.strip_prefix("container:").map(ToOwned::to_owned),
        started_at: None,
        addresses: of(|one| [one.ip_address.as_ref(), one.global_ipv6_address.as_ref()]),
        gateways: of(|one| [one.gateway.as_ref(), one.ipv6_gateway.as_ref()]),
        networks: endpoints.into_keys().collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_list_tells_is_taken_over() {
        let listed = json!({
            "Id": "77", "Names": ["/run-5"], "Image": "acme/run:1", "HostConfig": {"NetworkMode": "container:abc"},
            "Labels": {"com.docker.compose.project": "hub"},
            "NetworkSettings": {"Networks": {"backend": {
                "IPAddress": "172.18.0.9", "Gateway": "172.18.0.1", "GlobalIPv6Address": "", "IPv6Gateway": "",
            }}},
        });
        let found = neighbour(serde_json::from_value(listed).unwrap()).unwrap();
        assert_eq!(
            (found.container.as_str(), found.image.as_str()),
            ("run-5", "acme/run:1")
        );
        assert_eq!(found.project, Some(Project::new("hub")));
        assert_eq!(found.network_of.as_deref(), Some("abc"));
        assert_eq!(found.addresses, ["172.18.0.9".parse::<IpAddr>().unwrap()]);
        assert_eq!(found.gateways, ["172.18.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(found.networks, ["backend"]);
    }
}
