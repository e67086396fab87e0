//! The claim on a platform: a container that is made and never started. Its name is the lock, since
//! the engine gives a name to one container only; its labels are the intent, since they live and
//! die with it. Nothing here starts it, and nothing here removes a container that is no claim.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{CreateContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptions};
use stillpoint_core::names::Project;
use stillpoint_core::ports::EngineError;
use stillpoint_core::ports::power::{Claim, Intent};
use tokio::time::sleep;

use super::connect::{Docker, LOOK_EVERY, SHORT};
use super::errors::Act;
use crate::awake::timeout;

/// Tells our own containers from the platform's, and what each is.
pub(super) const ROLE: &str = "stillpoint.role";
const CLAIM: &str = "claim";
/// How its name begins; the platform's follows.
const PREFIX: &str = "stillpoint-";
const INTENT: &str = "stillpoint.intent";

/// Labels that make a container Compose's.
const COMPOSE: &str = "com.docker.compose.";

impl Docker {
    /// See [`stillpoint_core::ports::Power::claim`]. A claim whose answer was lost is found to be
    /// ours when it is repeated.
    pub(super) async fn take_claim(&self, intent: &Intent, image: &str) -> Result<Claim, EngineError> {
        let name = name_of(&intent.platform);
        let act = Act::on("make", &name);
        let body = self.claim_body(&act, intent, image).await?;
        let taken = async {
            loop {
                if self.make(&act, &name, body.clone()).await? {
                    return Ok(Claim::Ours);
                }
                if let Some(holder) = self.read_claim(&intent.platform).await? {
                    return Ok(if holder == *intent {
                        Claim::Ours
                    } else {
                        Claim::Held(Box::new(holder))
                    });
                }
                // The name is taken before its container can be seen, and given free after it is gone.
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(SHORT, taken).await.unwrap_or_else(|_| Err(act.overdue(SHORT)))
    }

    /// See [`stillpoint_core::ports::Power::claimed`].
    pub(super) async fn read_claim(&self, platform: &Project) -> Result<Option<Intent>, EngineError> {
        let name = name_of(platform);
        match self.claim_at(&name).await? {
            Some(found) => intent_of(&name, &found).map(Some),
            None => Ok(None),
        }
    }

    /// See [`stillpoint_core::ports::Power::held`]. By their names: a claim that cannot be understood is one too.
    pub(super) async fn list_claims(&self) -> Result<Vec<Project>, EngineError> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&HashMap::from([("label", vec![format!("{ROLE}={CLAIM}")])]))
            .build();
        let act = Act::new("list its claims", "the list of containers");
        let claims = self
            .call(&act, SHORT, self.client().list_containers(Some(options)))
            .await?;
        let names = claims.iter().filter_map(|claim| claim.names.as_ref()?.first());
        let platforms = names.filter_map(|name| name.trim_start_matches('/').strip_prefix(PREFIX));
        Ok(platforms.map(Project::new).collect())
    }

    /// See [`stillpoint_core::ports::Power::release`].
    pub(super) async fn drop_claim(&self, platform: &Project) -> Result<(), EngineError> {
        let name = name_of(platform);
        // By its id from here on: as soon as the name is free, the next run's claim may bear it.
        let Some(id) = self.claim_at(&name).await?.and_then(|found| found.id) else {
            return Ok(());
        };
        let act = Act::on("remove", &name);
        let gone = async {
            while !self.removed(&act, &id).await? {
                sleep(LOOK_EVERY).await;
            }
            Ok(())
        };
        timeout(SHORT, gone).await.unwrap_or_else(|_| Err(act.overdue(SHORT)))
    }

    /// False if the name is taken.
    async fn make(&self, act: &Act, name: &str, body: ContainerCreateBody) -> Result<bool, EngineError> {
        let options = CreateContainerOptions {
            name: Some(name.to_owned()),
            ..CreateContainerOptions::default()
        };
        match self
            .call(act, SHORT, self.client().create_container(Some(options), body))
            .await
        {
            Ok(_) => Ok(true),
            Err(EngineError::Refused { status: 409, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// False while somebody else's removal of it is under way.
    async fn removed(&self, act: &Act, id: &str) -> Result<bool, EngineError> {
        let options = RemoveContainerOptions {
            // An image with volumes gives the claim anonymous ones.
            v: true,
            force: true,
            link: false,
        };
        match self
            .call(act, SHORT, self.client().remove_container(id, Some(options)))
            .await
        {
            Ok(()) | Err(EngineError::Gone { .. }) => Ok(true),
            Err(EngineError::Refused { status: 409, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn claim_at(&self, name: &str) -> Result<Option<ContainerInspectResponse>, EngineError> {
        match self.look(name).await {
            Ok(found) if label(&found, ROLE) == Some(CLAIM) => Ok(Some(found)),
            Ok(_) => Err(Act::on("claim the platform as", name)
                .refused("a container that is not Stillpoint's bears this name; rename or remove it")),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn claim_body(&self, act: &Act, intent: &Intent, image: &str) -> Result<ContainerCreateBody, EngineError> {
        let written = serde_json::to_string(intent).map_err(|error| act.refused(error.to_string()))?;
        let mut labels = self.masked_labels(image).await?;
        labels.insert(ROLE.to_owned(), CLAIM.to_owned());
        labels.insert(INTENT.to_owned(), written);
        Ok(ContainerCreateBody {
            image: Some(image.to_owned()),
            // Never started; but some images name no command at all, which the engine refuses.
            entrypoint: Some(vec!["true".to_owned()]),
            cmd: Some(Vec::new()),
            labels: Some(labels),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                log_config: Some(HostConfigLogConfig {
                    typ: Some("none".to_owned()),
                    ..HostConfigLogConfig::default()
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        })
    }

    /// Compose labels the images that it builds, and a container inherits its image's labels: they
    /// are blanked, or `docker compose down` would take the claim for an orphan of the platform.
    pub(super) async fn masked_labels(&self, image: &str) -> Result<HashMap<String, String>, EngineError> {
        let act = Act::new(format!("describe image {image}"), format!("image {image}"));
        let found = self.call(&act, SHORT, self.client().inspect_image(image)).await?;
        let inherited = found.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(inherited
            .into_keys()
            .filter(|label| label.starts_with(COMPOSE))
            .map(|label| (label, String::new()))
            .collect())
    }
}

fn name_of(platform: &Project) -> String {
    format!("{PREFIX}{platform}")
}

fn label<'a>(found: &'a ContainerInspectResponse, name: &str) -> Option<&'a str> {
    let labels = found.config.as_ref()?.labels.as_ref()?;
    labels.get(name).map(String::as_str)
}

fn intent_of(name: &str, found: &ContainerInspectResponse) -> Result<Intent, EngineError> {
    serde_json::from_str(label(found, INTENT).unwrap_or_default()).map_err(|error| {
        Act::on("read the claim of", name).refused(format!(
            "its label {INTENT} cannot be understood ({error}); look at it with `docker inspect {name}`"
        ))
    })
}
