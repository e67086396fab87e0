//! The files of the engine's host, where they are ours too. In a container, or with an engine elsewhere, a path of the host
//! means nothing here, and nothing is said about it.

use std::io::ErrorKind;
use std::path::Path;

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::EngineError;
use tokio::fs;

use super::connect::{Docker, SHORT};
use super::errors::Act;

/// Written into containers by their engines.
const IN_A_CONTAINER: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// This kernel's own word for the host.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

impl Docker {
    pub(super) async fn missing_on_host(
        &self,
        of: &WorkloadId,
        paths: &[String],
    ) -> Result<Option<Vec<String>>, EngineError> {
        if !self.sees_host(of).await? {
            return Ok(None);
        }
        let mut missing = Vec::new();
        for path in paths {
            if is_missing(Path::new(path)).await {
                missing.push(path.clone());
            }
        }
        Ok(Some(missing))
    }

    /// The engine's own folder of a container is here. Whoever may not look into it goes by the host's name.
    async fn sees_host(&self, of: &WorkloadId) -> Result<bool, EngineError> {
        if !self.is_by_socket() {
            return Ok(false);
        }
        let act = Act::new("describe itself", "the engine's description");
        let info = self.call(&act, SHORT, self.client().info()).await?;
        let root = info.docker_root_dir.unwrap_or_default();
        let folder = Path::new(&root).join("containers").join(of.as_str());
        if fs::metadata(&folder).await.is_ok() {
            return Ok(true);
        }
        for sign in IN_A_CONTAINER {
            if fs::metadata(sign).await.is_ok() {
                return Ok(false);
            }
        }
        let name = fs::read_to_string(HOST_NAME).await.unwrap_or_default();
        Ok(info.name.is_some_and(|theirs| theirs == name.trim()))
    }
}

/// What may not be looked at may be there.
async fn is_missing(path: &Path) -> bool {
    let look = fs::symlink_metadata(path).await;
    look.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
