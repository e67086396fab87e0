//! The one table from what the engine's client reports to what a caller can do about it. No other
//! file here looks into a client's error.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use bollard::errors::Error;
use stillpoint_core::ports::EngineError;

/// What is asked of the engine, in words that continue "the engine refused to …".
#[derive(Clone, Debug)]
pub(super) struct Act {
    doing: String,
    what: String,
}

impl Act {
    /// An act on a container.
    pub(super) fn on(verb: &str, container: &str) -> Self {
        let what = container_called(container);
        Self {
            doing: format!("{verb} {what}"),
            what,
        }
    }

    /// An act on something else.
    pub(super) fn new(doing: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            doing: doing.into(),
            what: what.into(),
        }
    }

    /// The first contact.
    pub(super) fn connect() -> Self {
        Self::new("answer", "the engine")
    }

    /// The engine, or something on the way, refused without an HTTP status of its own.
    pub(super) fn refused(&self, message: impl Into<String>) -> EngineError {
        EngineError::Refused {
            doing: self.doing.clone(),
            status: 0,
            message: message.into(),
        }
    }

    /// The deadline came first.
    pub(super) fn overdue(&self, limit: Duration) -> EngineError {
        EngineError::Overdue {
            doing: self.doing.clone(),
            limit,
        }
    }

    /// A stream ended before its producer did.
    pub(super) fn cut(&self, cause: impl Into<String>) -> EngineError {
        EngineError::Cut {
            what: self.what.clone(),
            cause: cause.into(),
        }
    }
}

/// A container as a person would name it: long ids are cut as the Docker CLI does.
pub(super) fn container_called(container: &str) -> String {
    let is_id = container.len() == 64 && container.bytes().all(|byte| byte.is_ascii_hexdigit());
    match container.get(..12).filter(|_| is_id) {
        Some(short) => format!("container {short}"),
        None => format!("container {container}"),
    }
}

/// The table.
pub(super) fn engine_error(endpoint: &str, act: &Act, limit: Duration, error: &Error) -> EngineError {
    match error {
        Error::DockerResponseServerError {
            status_code: 404,
            message,
        } if names_container_or_process(message) => EngineError::Gone { what: act.what.clone() },
        Error::DockerResponseServerError { status_code, message } => EngineError::Refused {
            doing: act.doing.clone(),
            status: *status_code,
            message: message.trim().to_owned(),
        },
        Error::RequestTimeoutError => act.overdue(limit),
        Error::HyperLegacyError { err } if err.is_connect() => no_connection(endpoint, error),
        Error::SocketNotFoundError(_) | Error::UnsupportedURISchemeError { .. } | Error::URLParseError { .. } => {
            no_connection(endpoint, error)
        }
        _ => EngineError::Cut {
            what: format!("the answer to `{}`", act.doing),
            cause: innermost(error),
        },
    }
}

/// The socket's file cannot be had.
pub(super) fn no_socket(endpoint: &str, error: &io::Error) -> EngineError {
    unusable(
        endpoint,
        error.to_string(),
        error.kind() == io::ErrorKind::PermissionDenied,
    )
}

fn no_connection(endpoint: &str, error: &Error) -> EngineError {
    let forbidden = chain(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::PermissionDenied);
    unusable(endpoint, innermost(error), forbidden)
}

fn unusable(endpoint: &str, cause: String, forbidden: bool) -> EngineError {
    let endpoint = endpoint.to_owned();
    if forbidden {
        EngineError::Forbidden { endpoint, cause }
    } else {
        EngineError::Unreachable { endpoint, cause }
    }
}

/// 404 also stands for a missing image, network or volume, which says nothing about the container.
fn names_container_or_process(message: &str) -> bool {
    let message = message.to_lowercase();
    ["no such container", "no such exec"]
        .iter()
        .any(|words| message.contains(words))
}

fn chain(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| (**cause).source())
}

fn innermost(error: &Error) -> String {
    chain(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_status(status_code: u16, message: &str) -> EngineError {
        let error = Error::DockerResponseServerError {
            status_code,
            message: message.into(),
        };
        engine_error("unix:///x", &Act::on("start", "db"), Duration::from_secs(20), &error)
    }

    #[test]
    fn only_a_missing_container_is_gone() {
        assert!(of_status(404, "No such container: db").is_gone());
        assert!(of_status(404, "No such exec instance: 77").is_gone());
        assert!(!of_status(404, "network 0a1b not found").is_gone());
        assert!(!of_status(404, "No such image: x:1").is_gone());
    }

    #[test]
    fn a_refusal_tells_the_act_and_the_engines_words() {
        assert_eq!(
            of_status(409, "cannot start a paused container, try unpause instead\n").to_string(),
            "the engine refused to start container db: cannot start a paused container, try unpause instead (status 409)"
        );
    }

    #[test]
    fn long_ids_are_cut() {
        assert_eq!(container_called(&"ab".repeat(32)), "container abababababab");
        assert_eq!(container_called("stillpoint-hub"), "container stillpoint-hub");
    }

    #[test]
    fn silence_and_broken_answers_differ() {
        let act = Act::on("stop", "db");
        let overdue = engine_error("e", &act, Duration::from_secs(20), &Error::RequestTimeoutError);
        assert_eq!(overdue.to_string(), "the engine did not stop container db within 20 s");
        let broken = Error::IOError {
            err: io::Error::other("reset"),
        };
        let cut = engine_error("e", &act, Duration::from_secs(20), &broken);
        assert!(matches!(cut, EngineError::Cut { .. }), "{cut}");
    }
}
