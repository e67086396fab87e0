//! Where the backups go: a bucket where one is configured, else a directory. Never one instead of
//! the other because something is missing: an operator would believe in backups that are elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use stillpoint_adapters::repository::s3::S3Settings;

use super::key::{Fallback, Key, Shape};
use super::origin::Origin;
use super::s3;
use super::settings::{Found, HINT, Settings};
use super::surroundings::Surroundings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 2] = [DIRECTORY, LEASE];

pub(super) const DIRECTORY: Key = Key {
    path: "repository.directory",
    variable: "STILLPOINT_REPOSITORY",
    flag: Some("--repository"),
    shape: Shape::Path,
    fallback: Fallback::Words("root: `/var/lib/stillpoint/repository`; others: `$XDG_DATA_HOME/stillpoint/repository`"),
    about: "The directory that holds the backups, where they do not go to S3.",
};

const LEASE: Key = Key {
    path: "repository.lease_seconds",
    variable: "BACKUP_LEASE_SECONDS",
    flag: None,
    shape: Shape::Number {
        unit: "seconds",
        least: 10,
    },
    fallback: Fallback::Value("120"),
    about: "How long a writer that fell silent still keeps others away from the repository.",
};

/// Where the backups go.
#[derive(Clone, Debug)]
pub(crate) enum Repository {
    /// A directory of this host.
    Local(PathBuf),
    /// A bucket. Without a prefix it is called after the platform, which is not known here.
    S3 {
        /// The way there; `prefix` is left empty.
        settings: Box<S3Settings>,
        /// The prefix, if the operator chose one.
        prefix: Option<String>,
    },
    /// Nobody knows: the configuration cannot be read, for this reason.
    Unknown(String),
}

/// Where the backups go, and the value that decided it.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Where they go.
    pub(crate) repository: Repository,
    /// Who said so.
    pub(crate) origin: Origin,
    /// What the operator may have meant otherwise.
    pub(super) warning: Option<String>,
}

/// Decides. A directory that is nobody's choice is added to the defaults.
pub(super) fn choose(settings: &Settings, surroundings: &Surroundings) -> Result<Choice, Failure> {
    let bucket = s3::decisive(settings);
    let (rank, found) = match (settings.ranked(DIRECTORY.variable), bucket) {
        (None, None) => return by_default(settings, surroundings),
        (Some((directory, local)), Some((bucket, remote))) if directory == bucket => {
            return Err(both(&local.origin, remote));
        }
        (Some(local), Some(remote)) if remote.0 < local.0 => return in_bucket(settings, remote.1),
        (None, Some((_, remote))) => return in_bucket(settings, remote),
        (Some(local), _) => local,
    };
    must_be_a_directory(settings, found)?;
    Ok(Choice {
        repository: Repository::Local(settings.text_or_default(&DIRECTORY).into()),
        origin: found.origin.clone(),
        warning: bucket.filter(|(below, _)| *below > rank).map(|(_, remote)| {
            format!(
                "{} is passed over: {} says that the backups go to a directory",
                remote.subject(),
                found.origin.subject()
            )
        }),
    })
}

/// A directory called `s3:` would keep backups that their operator believes to be elsewhere.
fn must_be_a_directory(settings: &Settings, found: &Found) -> Result<(), Failure> {
    let directory = settings.text_or_default(&DIRECTORY);
    if !directory.contains("://") {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{}: `{directory}` is an address, no directory", found.origin.subject()),
        "a bucket is named by BACKUP_S3_ENDPOINT, BACKUP_S3_BUCKET and BACKUP_S3_PREFIX, or by [repository.s3]",
    ))
}

fn in_bucket(settings: &Settings, decisive: &Origin) -> Result<Choice, Failure> {
    let (bucket, prefix) = s3::read(settings, decisive)?;
    Ok(Choice {
        repository: Repository::S3 {
            settings: Box::new(bucket),
            prefix,
        },
        origin: decisive.clone(),
        warning: None,
    })
}

fn by_default(settings: &Settings, surroundings: &Surroundings) -> Result<Choice, Failure> {
    let directory = surroundings.home("XDG_DATA_HOME", ".local/share", "repository", &DIRECTORY)?;
    let warning = s3::any(settings).map(|found| {
        format!(
            "{} is set, but neither BACKUP_S3_ENDPOINT nor BACKUP_S3_ACCESS_KEY_ID: the backups go to {}",
            found.origin.subject(),
            directory.display()
        )
    });
    Ok(Choice {
        repository: Repository::Local(directory),
        origin: Origin::Default,
        warning,
    })
}

fn both(local: &Origin, remote: &Origin) -> Failure {
    Failure::usage(
        format!(
            "{} asks for a local repository, {} for one in S3",
            local.subject(),
            remote.subject()
        ),
        format!("unset one of them; --repository DIR says it for one run. {HINT}"),
    )
}

/// How long a silent writer keeps others away.
pub(super) fn lease(settings: &Settings) -> Result<Duration, Failure> {
    settings.number(&LEASE).map(Duration::from_secs)
}
