//! The connection to an engine, and the one way in which everything here calls it: with a deadline.
//! Connecting sends nothing: an engine that is down or forbidden may show at the first call only.

use std::future::Future;
use std::io;
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use stillpoint_core::ports::{ByteStream, EngineError};
use tokio::net::{TcpStream, UnixStream};

use super::dial::Good;
use super::errors::{Act, engine_error, no_socket};
use crate::awake::timeout;

/// Where an engine listens unless it is told otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// The port of an engine whose address names none (the Docker CLI's own default).
const DEFAULT_PORT: u16 = 2375;

/// How long a call may take that waits for nothing but the engine itself.
pub(super) const SHORT: Duration = Duration::from_secs(20);

/// Between two looks at something that the engine reports by no event that we could await.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A container engine. Cheap to clone; every call opens a connection of its own, so a slow one
/// keeps no other waiting.
#[derive(Clone, Debug)]
pub struct Docker {
    client: bollard::Docker,
    endpoint: String,
    good: Good,
}

impl Docker {
    /// An engine at a `DOCKER_HOST`: `unix:///path`, `tcp://host:port` or `http://host:port`;
    /// `unix:///var/run/docker.sock` if none.
    ///
    /// Fails with [`EngineError::Unreachable`] if there is no such socket, and with
    /// [`EngineError::Forbidden`] if we may not see it.
    pub fn connect(host: Option<&str>) -> Result<Self, EngineError> {
        let endpoint = host.filter(|host| !host.is_empty()).unwrap_or(DEFAULT_HOST);
        // Our own deadline comes first; this one only makes the client give up soon after.
        let seconds = SHORT.as_secs() + 5;
        let client = if let Some(path) = socket_path(endpoint) {
            std::fs::metadata(path).map_err(|error| no_socket(endpoint, &error))?;
            bollard::Docker::connect_with_unix(path, seconds, API_DEFAULT_VERSION)
        } else {
            let address = address(endpoint).map_err(|error| no_socket(endpoint, &error))?;
            bollard::Docker::connect_with_http(&address, seconds, API_DEFAULT_VERSION)
        };
        Ok(Self {
            client: client.map_err(|error| engine_error(endpoint, &Act::connect(), SHORT, &error))?,
            endpoint: endpoint.to_owned(),
            good: Good::default(),
        })
    }

    /// The addresses of containers that answered.
    pub(super) fn good(&self) -> &Good {
        &self.good
    }

    /// The client for short calls.
    pub(super) fn client(&self) -> &bollard::Docker {
        &self.client
    }

    /// A client that waits as long as we do: the usual one gives up after its own 25 s.
    pub(super) fn patient(&self, limit: Duration) -> bollard::Docker {
        self.client
            .clone()
            .with_timeout(limit.saturating_add(Duration::from_secs(5)))
    }

    /// Awaits a call for at most `limit`.
    pub(super) async fn call<T>(
        &self,
        act: &Act,
        limit: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, EngineError> {
        match timeout(limit, call).await {
            Ok(answer) => answer.map_err(|error| engine_error(&self.endpoint, act, limit, &error)),
            Err(_) => Err(act.overdue(limit)),
        }
    }

    /// Whether the engine is reached by a socket of this host.
    pub(super) fn is_by_socket(&self) -> bool {
        socket_path(&self.endpoint).is_some()
    }

    /// A connection of its own, for what the client does not know.
    pub(super) async fn connection(&self) -> io::Result<Box<dyn ByteStream>> {
        Ok(match socket_path(&self.endpoint) {
            Some(path) => Box::new(UnixStream::connect(path).await?),
            None => Box::new(TcpStream::connect(address(&self.endpoint)?).await?),
        })
    }

    /// A container as the engine describes it, by id or by name.
    pub(super) async fn look(&self, container: &str) -> Result<ContainerInspectResponse, EngineError> {
        let act = Act::on("describe", container);
        self.call(&act, SHORT, self.client.inspect_container(container, None))
            .await
    }
}

fn socket_path(endpoint: &str) -> Option<&str> {
    endpoint
        .strip_prefix("unix://")
        .or_else(|| endpoint.starts_with('/').then_some(endpoint))
}

fn address(endpoint: &str) -> io::Result<String> {
    let unsupported = || {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "an engine's address is unix:///PATH, tcp://HOST:PORT or http://HOST:PORT",
        )
    };
    let place = ["tcp://", "http://"]
        .iter()
        .find_map(|scheme| endpoint.strip_prefix(scheme))
        .ok_or_else(unsupported)?
        .trim_end_matches('/');
    let has_port = place.rsplit(']').next().is_some_and(|end| end.contains(':'));
    match place {
        "" => Err(unsupported()),
        _ if has_port => Ok(place.to_owned()),
        _ => Ok(format!("{place}:{DEFAULT_PORT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_the_docker_cli_takes_them() {
        assert_eq!(socket_path("unix:///run/x.sock"), Some("/run/x.sock"));
        assert_eq!(socket_path("/run/x.sock"), Some("/run/x.sock"));
        assert_eq!(address("tcp://engine:2376/").unwrap(), "engine:2376");
        assert_eq!(address("http://engine").unwrap(), "engine:2375");
        assert_eq!(address("tcp://[fd00::1]").unwrap(), "[fd00::1]:2375");
    }

    #[test]
    fn an_unknown_scheme_says_what_would_do() {
        for endpoint in ["ssh://host", "https://host:1", "tcp://", "npipe:////./pipe/x"] {
            let error = Docker::connect(Some(endpoint)).unwrap_err();
            assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
            assert!(error.to_string().contains("unix:///PATH"), "{error}");
        }
    }

    #[test]
    fn a_missing_socket_is_an_engine_that_nobody_reaches() {
        let error = Docker::connect(Some("unix:///nowhere/docker.sock")).unwrap_err();
        assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    }
}
