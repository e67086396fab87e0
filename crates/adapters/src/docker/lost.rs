//! Who the engine is, and what containers were made with that it no longer has. Sends GET requests only.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::ListNetworksOptions;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{EngineError, EngineVersion, Lost};

use super::connect::{Docker, SHORT};
use super::errors::Act;

/// Networks that are no objects of the engine, or belong to another container.
const BUILT_IN: [&str; 3] = ["host", "none", "default"];

impl Docker {
    pub(super) async fn own_version(&self) -> Result<EngineVersion, EngineError> {
        let act = Act::new("tell its version", "the engine's version");
        let said = self.call(&act, SHORT, self.client().version()).await?;
        Ok(EngineVersion {
            version: said.version.unwrap_or_default(),
            api: said.api_version.unwrap_or_default(),
        })
    }

    pub(super) async fn lost_by(&self, of: &[WorkloadId]) -> Result<BTreeMap<WorkloadId, Vec<Lost>>, EngineError> {
        let networks = self.networks().await?;
        let mut images: BTreeMap<String, bool> = BTreeMap::new();
        let mut lost = BTreeMap::new();
        for id in of {
            let found = match self.look(id.as_str()).await {
                Err(error) if error.is_gone() => continue,
                found => found?,
            };
            let mut gone = lost_networks(&found, &networks);
            if let Some(image) = &found.image {
                let is_there = match images.get(image) {
                    Some(is_there) => *is_there,
                    None => self.has_image(image).await?,
                };
                images.insert(image.clone(), is_there);
                let named = found.config.and_then(|config| config.image);
                gone.extend((!is_there).then(|| Lost::Image(named.unwrap_or_else(|| image.clone()))));
            }
            if !gone.is_empty() {
                lost.insert(id.clone(), gone);
            }
        }
        Ok(lost)
    }

    /// Their ids and names.
    async fn networks(&self) -> Result<BTreeSet<String>, EngineError> {
        let act = Act::new("list its networks", "the list of networks");
        let listed = self.client().list_networks(None::<ListNetworksOptions>);
        let listed = self.call(&act, SHORT, listed).await?.into_iter();
        Ok(listed
            .flat_map(|network| network.id.into_iter().chain(network.name))
            .collect())
    }

    async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        let act = Act::new(format!("describe image {image}"), "the image");
        match self.call(&act, SHORT, self.client().inspect_image(image)).await {
            Err(EngineError::Refused { status: 404, .. }) => Ok(false),
            found => found.map(|_| true),
        }
    }
}

/// The engine goes by the id of a network where it knows one: one of the same name that was made since is another.
fn lost_networks(found: &ContainerInspectResponse, networks: &BTreeSet<String>) -> Vec<Lost> {
    let settings = found.network_settings.as_ref();
    let joined = settings
        .and_then(|settings| settings.networks.as_ref())
        .into_iter()
        .flatten();
    let lost = joined.filter(|(name, endpoint)| {
        let id = endpoint.network_id.as_deref().filter(|id| !id.is_empty());
        !BUILT_IN.contains(&name.as_str()) && !networks.contains(id.unwrap_or(name))
    });
    let mut lost: Vec<Lost> = lost.map(|(name, _)| Lost::Network(name.clone())).collect();
    lost.sort();
    lost
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_network_of_the_same_name_that_was_made_since_is_another() {
        let found = json!({"NetworkSettings": {"Networks": {
            "old": {"NetworkID": "1"}, "new": {"NetworkID": "3"}, "plain": {"NetworkID": ""}, "host": {"NetworkID": "9"},
        }}});
        let found = serde_json::from_value(found).unwrap();
        let networks = ["1", "old", "2", "new", "plain"].map(ToOwned::to_owned).into();
        assert_eq!(lost_networks(&found, &networks), [Lost::Network("new".to_owned())]);
    }
}
