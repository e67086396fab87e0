//! A store's password, wherever its container says that it is.

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};

use super::{Doing, collect};

/// A password that need not be read yet.
#[derive(Clone)]
pub(crate) enum Secret {
    /// The server is open to us, as far as its container says.
    None,
    /// This one.
    Known(SecretString),
    /// The content of a file inside the container (Docker secrets); also what a label names.
    InFile(SecretString),
}

impl Secret {
    /// This one, if there is one.
    pub(crate) fn known(password: Option<SecretString>) -> Option<Self> {
        password.map(Self::Known)
    }

    /// In the file of this path inside the container, if there is one.
    pub(crate) fn in_file(path: Option<SecretString>) -> Option<Self> {
        path.map(Self::InFile)
    }

    /// The password, read from inside the container where it is a file.
    pub(crate) async fn read(&self, cx: &Cx, workload: &WorkloadId) -> Result<Option<SecretString>, StoreError> {
        let path = match self {
            Self::None => return Ok(None),
            Self::Known(password) => return Ok(Some(password.clone())),
            Self::InFile(path) => path.expose_secret(),
        };
        let process = cx.shell.exec(workload, Command::new(["cat", path])).await?;
        let doing = Doing {
            what: "reading the file of the password",
            tool: "cat",
        };
        let text = collect(cx, doing, process).await?;
        Ok(Some(SecretString::from(text.trim_end_matches('\n'))))
    }
}
