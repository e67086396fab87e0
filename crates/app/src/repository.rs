//! The repository that the configuration names, ready to be opened when it is first needed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use stillpoint_adapters::clock::SystemClock;
use stillpoint_adapters::docker::{Docker, Server};
use stillpoint_adapters::repository::s3::{S3Repository, S3Settings};
use stillpoint_adapters::repository::{Deferred, LocalRepository};
use stillpoint_core::engine::keep::Keep;
use stillpoint_core::engine::look::{self, Observer};
use stillpoint_core::names::Project;
use stillpoint_core::ports::{Repository, RepositoryError};
use stillpoint_core::stores::Kind;

/// What the default prefix is found by.
pub(crate) struct Platform {
    pub(crate) docker: Arc<Docker>,
    pub(crate) kinds: Vec<Arc<dyn Kind>>,
    pub(crate) keep: Keep,
    pub(crate) wanted: Option<Project>,
}

impl Platform {
    /// The platform's name: the repository's prefix where the operator gives none, so that two platforms
    /// in one bucket never meet.
    async fn name(&self) -> Result<Project, RepositoryError> {
        if let Some(wanted) = &self.wanted {
            return Ok(wanted.clone());
        }
        let unknown = |cause: String| RepositoryError::Failed {
            key: "its prefix".to_owned(),
            cause: format!(
                "no BACKUP_S3_PREFIX is set, and the platform after which it is called cannot be found: {cause}"
            ),
        };
        let (docker, clock) = (&*self.docker, SystemClock::new());
        let observer = Observer {
            catalog: docker,
            reach: docker,
            clock: &clock,
        };
        let found = look::look(observer, &self.kinds, &self.keep, None).await;
        found
            .map(|found| found.name)
            .map_err(|error| unknown(error.to_string()))
    }
}

/// A directory of this host.
pub(crate) fn local(directory: PathBuf) -> Arc<dyn Repository> {
    let place = format!("local directory {}", directory.display());
    Arc::new(Deferred::new(place, move || {
        let opened = LocalRepository::open(&directory);
        async move { opened.map(|opened| Arc::new(opened) as Arc<dyn Repository>) }
    }))
}

/// One of which nobody can say where it is: every use of it fails with the reason.
pub(crate) fn unknown(why: &str) -> Arc<dyn Repository> {
    let error = RepositoryError::Unreachable {
        cause: format!("the configuration cannot be read: {why}"),
    };
    Arc::new(Deferred::new("the repository".to_owned(), move || {
        std::future::ready(Err(error.clone()))
    }))
}

/// A bucket. Without `prefix` it is called after the platform. Where it is not known which container serves
/// it, every use of it fails with the reason.
pub(crate) fn s3(
    settings: S3Settings,
    prefix: Option<String>,
    server: Result<Option<Server>, RepositoryError>,
    platform: Platform,
) -> Arc<dyn Repository> {
    let place = format!("s3://{}/{}", settings.bucket, prefix.as_deref().unwrap_or_default());
    let dial = server.map(|server| server.and_then(|server| server.address));
    let known = Arc::new((settings, prefix, platform));
    Arc::new(Deferred::new(place, move || open(known.clone(), dial.clone())))
}

async fn open(
    known: Arc<(S3Settings, Option<String>, Platform)>,
    dial: Result<Option<SocketAddr>, RepositoryError>,
) -> Result<Arc<dyn Repository>, RepositoryError> {
    let (settings, prefix, platform) = &*known;
    let prefix = match prefix {
        Some(prefix) => prefix.clone(),
        None => platform.name().await?.to_string(),
    };
    let settings = S3Settings {
        prefix,
        ..settings.clone()
    };
    Ok(Arc::new(S3Repository::open(&settings, dial?).await?))
}

/// The host and the port of an endpoint; none for Amazon's own.
pub(crate) fn host_of(settings: &S3Settings) -> Option<(String, u16)> {
    let url = settings.endpoint.as_deref()?;
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let default = if scheme == "https" { 443 } else { 80 };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some((host.to_owned(), port.parse().ok()?)),
        _ => Some((authority.to_owned(), default)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(endpoint: &str) -> S3Settings {
        S3Settings {
            endpoint: Some(endpoint.to_owned()),
            region: String::new(),
            bucket: "backups".to_owned(),
            prefix: String::new(),
            access_key_id: None,
            secret_access_key: None,
            ca_file: None,
            path_style: true,
            create_bucket: true,
            conditional_writes: true,
            part: 0,
        }
    }

    /// A recovery is wired all the same, and brings its platform back.
    #[tokio::test]
    async fn that_several_containers_serve_it_is_told_when_it_is_needed() {
        let several = RepositoryError::Unreachable {
            cause: "there are several".to_owned(),
        };
        // An engine that listens and is never asked.
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let engine = format!("unix://{}", socket.display());
        let platform = Platform {
            docker: Arc::new(Docker::connect(Some(&engine)).unwrap()),
            kinds: Vec::new(),
            keep: Keep::default(),
            wanted: None,
        };
        let prefix = Some("acme".to_owned());
        let repository = s3(at("http://seaweedfs-s3:8333"), prefix, Err(several), platform);
        assert_eq!(repository.place(), "s3://backups/acme");
        let listed = repository.directories().await;
        assert!(
            matches!(&listed, Err(error) if error.to_string().contains("there are several")),
            "{listed:?}"
        );
    }

    #[test]
    fn an_endpoint_leads_to_a_host_and_a_port() {
        let of = |endpoint: &str| host_of(&at(endpoint));
        for (endpoint, host, port) in [
            ("http://seaweedfs-s3:8333", "seaweedfs-s3", 8333),
            ("https://s3.example.org/base", "s3.example.org", 443),
            ("http://[fd00::2]:8333/", "[fd00::2]", 8333),
            ("http://[fd00::2]", "[fd00::2]", 80),
        ] {
            assert_eq!(of(endpoint), Some((host.to_owned(), port)), "{endpoint}");
        }
        assert_eq!(of("seaweedfs-s3:8333"), None);
    }
}
