//! From the errors of file systems and of `object_store` to those of the port.

use std::error::Error;
use std::io::{self, ErrorKind};

use jiff::Timestamp;
use rustix::io::Errno;
use stillpoint_core::ports::RepositoryError;

/// What an error of the operating system means for `key`.
pub(super) fn from_io(key: &str, error: &io::Error) -> RepositoryError {
    of_kind(key, Some(error.kind()), error.to_string())
}

/// When an object was written.
pub(super) fn written(key: &str, meta: &object_store::ObjectMeta) -> Result<Timestamp, RepositoryError> {
    let time = std::time::SystemTime::from(meta.last_modified);
    Timestamp::try_from(time).map_err(|error| of_kind(key, None, error.to_string()))
}

/// What an error of `object_store` means for `key`. Most of them wrap one of the system's.
pub(super) fn from_store(key: &str, error: object_store::Error) -> RepositoryError {
    use object_store::Error as Store;
    let key = key.to_owned();
    match error {
        Store::NotFound { .. } => RepositoryError::Missing { key },
        Store::AlreadyExists { .. } | Store::Precondition { .. } => RepositoryError::Exists { key },
        Store::PermissionDenied { source, .. } | Store::Unauthenticated { source, .. } => RepositoryError::Denied {
            key,
            cause: source.to_string(),
        },
        // "Generic LocalFileSystem error" would tell an operator nothing.
        Store::Generic { source, .. } => of_kind(&key, system_kind(&*source), source.to_string()),
        other => of_kind(&key, system_kind(&other), other.to_string()),
    }
}

fn of_kind(key: &str, kind: Option<ErrorKind>, cause: String) -> RepositoryError {
    let key = key.to_owned();
    match kind {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => RepositoryError::Full { key, cause },
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => RepositoryError::Denied { key, cause },
        _ => RepositoryError::Failed { key, cause },
    }
}

/// Whether a file system says so that it knows no hard links: exFAT, CIFS, FUSE.
pub(super) fn has_no_links(error: &object_store::Error) -> bool {
    let no_links = [Errno::PERM, Errno::NOSYS, Errno::OPNOTSUPP, Errno::MLINK];
    let code = system(error).and_then(io::Error::raw_os_error);
    code.is_some_and(|code| no_links.contains(&Errno::from_raw_os_error(code)))
}

fn system_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    system(error).map(io::Error::kind)
}

/// The system's error at the root of the chain.
fn system<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(system) = error.downcast_ref::<io::Error>() {
            return Some(system);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_own_error_decides_however_deep_it_lies() {
        for (code, full) in [(28, true), (122, true), (13, false), (1, false), (30, false)] {
            let source = Box::new(io::Error::from_raw_os_error(code));
            let wrapped = object_store::Error::Generic {
                store: "LocalFileSystem",
                source: Box::new(object_store::Error::NotSupported { source }),
            };
            let error = from_store("a/b", wrapped);
            match error {
                RepositoryError::Full { .. } => assert!(full, "{code}"),
                RepositoryError::Denied { .. } => assert!(!full, "{code}"),
                other => panic!("{code}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_neither_full_nor_denied_has_failed() {
        let error = from_io("a/b", &io::Error::from_raw_os_error(5));
        assert!(matches!(error, RepositoryError::Failed { .. }), "{error:?}");
    }
}
