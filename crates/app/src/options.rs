//! What every command takes, and where each value comes from: flag, then environment (`X`, or the
//! file that `X_FILE` names), then a documented default.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;
use stillpoint_adapters::repository::s3::S3Settings;
use stillpoint_core::names::Project;

use crate::failure::Failure;

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The Compose project to protect; needed only where the engine runs more than one with a store
    #[arg(long, global = true, env = "STILLPOINT_PLATFORM", value_name = "PROJECT")]
    pub platform: Option<String>,

    /// The directory that holds the backups
    /// [default: `/var/lib/stillpoint/repository`; not root: `$XDG_DATA_HOME/stillpoint/repository`]
    #[arg(long, global = true, env = "STILLPOINT_REPOSITORY", value_name = "DIR")]
    pub repository: Option<PathBuf>,

    /// The container engine
    #[arg(
        long,
        global = true,
        env = "DOCKER_HOST",
        value_name = "URL",
        default_value = "unix:///var/run/docker.sock"
    )]
    pub docker_host: String,

    /// The directory of locks and journal [default: `/var/lib/stillpoint/state`; not root: `$XDG_STATE_HOME/stillpoint/state`]
    #[arg(long, global = true, env = "STILLPOINT_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Print JSON: one document, or one line for each event and a summary
    #[arg(long, global = true)]
    pub json: bool,
}

/// Where the backups go.
pub(crate) enum Choice {
    /// A directory of this host.
    Local(PathBuf),
    /// A bucket; without a prefix it is called after the platform.
    S3 {
        settings: Box<S3Settings>,
        prefix: Option<String>,
    },
}

/// Set where backups go to S3.
const S3_VARIABLES: [&str; 2] = ["BACKUP_S3_ENDPOINT", "BACKUP_S3_ACCESS_KEY_ID"];

impl Options {
    /// The platform that was asked for.
    pub(crate) fn project(&self) -> Option<Project> {
        self.platform
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(Project::new)
    }

    /// The same options as arguments, for a process that does the same elsewhere.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--docker-host".into(), (&self.docker_host).into()];
        let named = [
            ("--platform", self.platform.as_ref().map(OsString::from)),
            ("--repository", self.repository.as_ref().map(OsString::from)),
            ("--state-dir", self.state_dir.as_ref().map(OsString::from)),
        ];
        for (name, value) in named {
            arguments.extend(value.into_iter().flat_map(|value| [name.into(), value]));
        }
        arguments
    }

    /// Where the backups go.
    pub(crate) fn repository(&self) -> Result<Choice, Failure> {
        if let Some(dir) = &self.repository {
            return Ok(Choice::Local(dir.clone()));
        }
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if S3_VARIABLES.iter().all(|name| text(name).is_none()) {
            return home("XDG_DATA_HOME", ".local/share", "repository").map(Choice::Local);
        }
        let settings = S3Settings {
            endpoint: text("BACKUP_S3_ENDPOINT"),
            region: text("BACKUP_S3_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            bucket: text("BACKUP_S3_BUCKET").unwrap_or_else(|| "backups".to_owned()),
            prefix: String::new(),
            access_key_id: setting("BACKUP_S3_ACCESS_KEY_ID"),
            secret_access_key: setting("BACKUP_S3_SECRET_ACCESS_KEY"),
            ca_file: text("BACKUP_S3_CA_FILE").map(PathBuf::from),
            path_style: true,
            create_bucket: true,
            conditional_writes: true,
        };
        Ok(Choice::S3 {
            settings: Box::new(settings),
            prefix: text("BACKUP_S3_PREFIX"),
        })
    }

    /// The directory of locks.
    pub(crate) fn state_directory(&self) -> Result<PathBuf, Failure> {
        self.state_dir
            .clone()
            .map_or_else(|| home("XDG_STATE_HOME", ".local/state", "state"), Ok)
    }
}

/// `/var/lib/stillpoint/<leaf>` for root; below the user's own directories for anybody else.
fn home(variable: &str, below_home: &str, leaf: &str) -> Result<PathBuf, Failure> {
    if is_root() {
        return Ok(Path::new("/var/lib/stillpoint").join(leaf));
    }
    let base = std::env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(below_home)));
    base.map(|base| base.join("stillpoint").join(leaf)).ok_or_else(|| {
        Failure::usage(
            format!("neither {variable} nor HOME is set"),
            "set one, or give --repository and --state-dir",
        )
    })
}

/// Whether this process is root's: its own entry in `/proc` belongs to it.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A setting from our environment, or from the file that `NAME_FILE` names. A file that cannot be
/// read is as good as none: the store then says which login was refused, and how to set it.
pub(crate) fn setting(name: &str) -> Option<SecretString> {
    std::env::var(name).ok().map(SecretString::from).or_else(|| {
        let path = std::env::var_os(format!("{name}_FILE"))?;
        let text = std::fs::read_to_string(path).ok()?;
        Some(SecretString::from(text.trim_end_matches('\n')))
    })
}
