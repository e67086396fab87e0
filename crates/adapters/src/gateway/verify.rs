//! Before a restore stops anything, each object that is going to be served is read whole and compared with what was
//! recorded; from then on it is bound to the version that was read.

use std::time::SystemTime;

use futures::TryStreamExt;
use stillpoint_core::ports::repository::Version;
use stillpoint_core::ports::{Key, RepositoryError};

use super::shelf::Object;
use super::{Place, Recorded, checked};

/// An object that was read whole and is what was recorded.
#[derive(Clone, Debug)]
pub struct Verified {
    recorded: Recorded,
    written: SystemTime,
    version: Version,
}

/// Why an object cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It has another size than was recorded.
    #[error("`{name}` has {found} bytes, and had {recorded}")]
    Size {
        /// Its place below the backup's directory.
        name: String,
        /// Bytes that are there.
        found: u64,
        /// Bytes that were recorded.
        recorded: u64,
    },
    /// It could not be read, or has other bytes.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Reads an object whole and compares it.
pub async fn verify(place: &Place, recorded: Recorded) -> Result<Verified, Unfit> {
    let key = Key::of(place.backup, &recorded.name);
    let found = place.repository.open(&key).await?;
    if found.size != recorded.size {
        return Err(Unfit::Size {
            name: recorded.name,
            found: found.size,
            recorded: recorded.size,
        });
    }
    let mut content = checked::whole(key, found.content, found.size, &recorded.sha256, &place.workers);
    while content.try_next().await?.is_some() {}
    Ok(Verified {
        recorded,
        written: found.written.into(),
        version: found.version,
    })
}

impl Verified {
    pub(super) fn into_object(self) -> (String, Object) {
        let object = Object {
            size: self.recorded.size,
            sha256: self.recorded.sha256,
            written: self.written,
            version: Some(self.version),
        };
        (self.recorded.name, object)
    }
}
