//! What every command takes on the command line: the highest layer of the configuration.

use std::ffi::OsString;

use clap::Args;

/// What every command takes stands after what one takes alone.
const EVERYWHERE: &str = "Options of every command";

/// Options of every command. `docs/configuration.md` lists what can be set beside these.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// The Compose project to protect; needed only where the engine runs more than one with a store
    /// [env: `STILLPOINT_PLATFORM`]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "PROJECT")]
    pub platform: Option<String>,

    /// The directory that holds the backups [env: `STILLPOINT_REPOSITORY`]
    /// [default: `/var/lib/stillpoint/repository`; not root: `$XDG_DATA_HOME/stillpoint/repository`]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR")]
    pub repository: Option<String>,

    /// The container engine [env: `DOCKER_HOST`] [default: `unix:///var/run/docker.sock`]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "URL")]
    pub docker_host: Option<String>,

    /// The directory of locks and ledger [env: `STILLPOINT_STATE_DIR`]
    /// [default: `/var/lib/stillpoint/state`; not root: `$XDG_STATE_HOME/stillpoint/state`]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR")]
    pub state_dir: Option<String>,

    /// The configuration file [env: `STILLPOINT_CONFIG`]
    /// [default: `./stillpoint.toml`, else `/etc/stillpoint/stillpoint.toml`, if there]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    pub config: Option<String>,

    /// A file of variables in the syntax of `.env`; what the environment sets wins
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    pub env_file: Option<String>,

    /// Log to standard error, request by request; twice: in more detail [env: `STILLPOINT_LOG`]
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Say nothing but warnings, errors and what was asked for: no progress, no account of what a run did
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub quiet: bool,

    /// Print JSON: one document, or one line for each event and a summary
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
}

impl Options {
    /// The flags that set a value, by their names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        let level = match self.verbose {
            0 => None,
            1 => Some("debug"),
            _ => Some("trace"),
        };
        self.texts().into_iter().chain([("-v", level)])
    }

    fn texts(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("--platform", self.platform.as_deref()),
            ("--repository", self.repository.as_deref()),
            ("--docker-host", self.docker_host.as_deref()),
            ("--state-dir", self.state_dir.as_deref()),
            ("--config", self.config.as_deref()),
        ]
    }

    /// The same options as arguments, for a process that does the same elsewhere.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let named = self
            .texts()
            .into_iter()
            .chain([("--env-file", self.env_file.as_deref())]);
        let named = named.flat_map(|(name, value)| value.into_iter().flat_map(move |value| [name, value]));
        let verbose = std::iter::repeat_n("-v", self.verbose.into());
        named.chain(verbose).map(OsString::from).collect()
    }
}
