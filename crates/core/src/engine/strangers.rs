//! Who is connected to a store, by names: a store tells addresses, the engine knows whose they are.

use std::net::IpAddr;

use crate::names::{Project, WorkloadId};
use crate::ports::Neighbour;

/// The same, each address followed by the container that has it, or by whom it stands for.
pub(super) fn named(connected_clients: Vec<String>, around: &[Neighbour]) -> Vec<String> {
    let named = connected_clients.into_iter().map(|visitor| {
        let name = addresses(&visitor).find_map(|at| whose(at, around));
        name.map_or_else(|| visitor.clone(), |name| format!("{visitor} ({name})"))
    });
    named.collect()
}

/// The containers outside the platform that can reach the store: whoever has written and gone may be among them.
pub(super) fn outside(platform: &Project, store: &WorkloadId, around: &[Neighbour]) -> Vec<String> {
    let Some(store) = around.iter().find(|neighbour| neighbour.id == *store) else {
        return Vec::new();
    };
    let is_outside = |other: &&Neighbour| other.project.as_ref() != Some(platform) && other.meets(store);
    around.iter().filter(is_outside).map(name).collect()
}

/// What looks like an address in a text, with or without a port.
fn addresses(text: &str) -> impl Iterator<Item = IpAddr> {
    let words = text.split(|char: char| !(char.is_ascii_hexdigit() || char == '.' || char == ':'));
    words.filter_map(|word| {
        let bare = word.trim_end_matches(':');
        let without_port = || bare.rsplit_once(':').and_then(|(address, _)| address.parse().ok());
        bare.parse().ok().or_else(without_port)
    })
}

fn whose(address: IpAddr, around: &[Neighbour]) -> Option<String> {
    let has = |neighbour: &&Neighbour| neighbour.addresses.contains(&address);
    let of_host = || {
        let is_host = around.iter().any(|neighbour| neighbour.gateways.contains(&address));
        is_host.then(|| "the host, or through a port that it publishes".to_owned())
    };
    around.iter().find(has).map(name).or_else(of_host)
}

pub(super) fn name(neighbour: &Neighbour) -> String {
    format!("container {} of image {}", neighbour.container, neighbour.image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(container: &str, address: &str) -> Neighbour {
        Neighbour {
            id: WorkloadId::new(container),
            container: container.to_owned(),
            image: format!("{container}:1"),
            project: None,
            network_of: None,
            started_at: None,
            networks: vec!["backend".to_owned()],
            addresses: vec![address.parse().unwrap()],
            gateways: vec!["172.18.0.1".parse().unwrap()],
        }
    }

    #[test]
    fn addresses_become_names_however_they_are_written() {
        let around = [neighbour("job", "172.18.0.9"), neighbour("six", "fd00::9")];
        for (visitor, name) in [
            ("app from 172.18.0.9", "container job of image job:1"),
            ("addr=172.18.0.9:51234 cmd=set", "container job of image job:1"),
            ("user app (fd00::9)", "container six of image six:1"),
            ("[fd00::9]:4222", "container six of image six:1"),
            ("app from 172.18.0.1", "the host, or through a port that it publishes"),
        ] {
            assert_eq!(
                named(vec![visitor.to_owned()], &around),
                [format!("{visitor} ({name})")]
            );
        }
        for visitor in ["app by the socket", "app from 10.0.0.1", "cafe: beef"] {
            assert_eq!(named(vec![visitor.to_owned()], &around), [visitor]);
        }
    }

    #[test]
    fn only_who_shares_a_network_and_no_project_is_outside() {
        let project = Project::new("acme");
        let mut store = neighbour("db", "172.18.0.2");
        store.project = Some(project.clone());
        let mut web = neighbour("web", "172.18.0.3");
        web.project = Some(project.clone());
        let mut far = neighbour("far", "172.19.0.3");
        far.networks = vec!["other".to_owned()];
        let around = [store.clone(), web, far, neighbour("job", "172.18.0.9")];
        assert_eq!(outside(&project, &store.id, &around), ["container job of image job:1"]);
    }
}
