//! One repository, one platform: the first backup of a platform marks the repository as its own, and
//! every later one looks. Two platforms in one place would count, and one day delete, each other's.

use serde::{Deserialize, Serialize};

use super::{Backups, DOCUMENT_LIMIT, document};
use crate::names::Project;
use crate::ports::{Key, RepositoryError};

/// `.stillpoint/instance.json`.
#[derive(Serialize, Deserialize)]
struct Instance {
    format: u32,
    platform: Project,
}

fn key() -> Key {
    Key::product("instance.json")
}

impl Backups {
    /// Marks the repository as this platform's, or returns whose it is.
    pub async fn owned_by(&self, platform: &Project) -> Result<Project, RepositoryError> {
        // Looked at first: a server that ignores conditions would overwrite it.
        if let Some(owner) = self.owner().await? {
            return Ok(owner);
        }
        let mark = Instance {
            format: 1,
            platform: platform.clone(),
        };
        match self.repository.create(&key(), document(&mark)).await {
            Ok(_) => Ok(platform.clone()),
            Err(RepositoryError::Exists { .. }) => self.read_owner().await,
            Err(error) => Err(error),
        }
    }

    /// Whose the repository is; none if it is nobody's yet.
    pub async fn owner(&self) -> Result<Option<Project>, RepositoryError> {
        match self.read_owner().await {
            Ok(owner) => Ok(Some(owner)),
            Err(RepositoryError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read_owner(&self) -> Result<Project, RepositoryError> {
        let text = self.read(&key(), DOCUMENT_LIMIT).await?;
        let mark: Instance = serde_json::from_slice(&text).map_err(|error| RepositoryError::Failed {
            key: key().to_string(),
            cause: format!("it does not say whose the repository is: {error}"),
        })?;
        Ok(mark.platform)
    }
}
