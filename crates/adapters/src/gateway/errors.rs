//! What a failure of the repository is in S3's words. The repository's own words do not go to a client: they name places
//! that are none of its business. They are told to diagnostics.

use s3s::{S3Error, s3_error};
use stillpoint_core::ports::RepositoryError;
use tracing::warn;

/// An error for the client. What trying again cannot change is no `InternalError`, which clients repeat.
pub(super) fn of_repository(error: &RepositoryError) -> S3Error {
    warn!(target: "stillpoint::gateway", %error, "the repository failed");
    match error {
        RepositoryError::Missing { .. } => s3_error!(NoSuchKey),
        RepositoryError::Exists { .. } => s3_error!(AccessDenied, "an object that is not yours has this name"),
        RepositoryError::Denied { .. } => s3_error!(AccessDenied, "the repository refuses access"),
        RepositoryError::Full { .. } => s3_error!(EntityTooLarge, "the repository is full"),
        RepositoryError::Changed { .. } => s3_error!(PreconditionFailed, "the object is not what was verified"),
        _ => s3_error!(InternalError, "the repository failed"),
    }
}
