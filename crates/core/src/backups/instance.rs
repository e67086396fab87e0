//! One repository, one platform: the first backup of a platform marks the repository as its own, and
//! every later one looks. Two platforms in one place would count, and one day delete, each other's.

use bytes::BytesMut;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{Backups, document};
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
        let mark = Instance {
            format: 1,
            platform: platform.clone(),
        };
        match self.repository.create(&key(), document(&mark)).await {
            Ok(_) => Ok(platform.clone()),
            Err(RepositoryError::Exists { .. }) => self.owner().await,
            Err(error) => Err(error),
        }
    }

    async fn owner(&self) -> Result<Project, RepositoryError> {
        let object = self.repository.open(&key()).await?;
        let text: BytesMut = object.content.try_collect().await?;
        let mark: Instance = serde_json::from_slice(&text).map_err(|error| RepositoryError::Failed {
            key: key().to_string(),
            cause: format!("it does not say whose the repository is: {error}"),
        })?;
        Ok(mark.platform)
    }
}
