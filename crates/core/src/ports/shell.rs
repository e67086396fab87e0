//! Running a tool inside a store's own container, so that tool and server always match.

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};

use super::EngineError;
use crate::names::{RunId, WorkloadId};

/// The variable that tells, of every process that a run starts in a container, whose it is.
pub const RUN_VARIABLE: &str = "STILLPOINT_RUN";

/// A command line for a container. Secrets go into `env`: an argument list is for everybody to read.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Program and arguments, passed as they are: no shell looks at them.
    pub argv: Vec<String>,
    /// Variables added to the container's own.
    pub env: Vec<(String, SecretString)>,
    /// The user to run as; the container's own if none.
    pub user: Option<String>,
    /// Whether the caller feeds its input; otherwise the input is empty.
    pub input: bool,
    /// The program knows by what it reads where its input ends, and fails if the end is missing.
    pub knows_its_end: bool,
}

impl Command {
    /// A program with its arguments.
    pub fn new<A: Into<String>>(argv: impl IntoIterator<Item = A>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: SecretString) -> Self {
        self.env.push((name.to_owned(), value));
        self
    }

    /// Runs it as this user of the container.
    #[must_use]
    pub fn user(mut self, user: Option<&str>) -> Self {
        self.user = user.map(ToOwned::to_owned);
        self
    }

    /// The caller will feed its input.
    #[must_use]
    pub fn with_input(mut self) -> Self {
        self.input = true;
        self
    }

    /// An input that is cut short makes it fail.
    #[must_use]
    pub fn detects_truncated_input(mut self) -> Self {
        self.knows_its_end = true;
        self
    }

    /// The program's name, for messages.
    pub fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }
}

/// Starts processes in running containers, and containers beside them.
#[async_trait]
pub trait Shell: Send + Sync {
    /// Starts `command` in the workload's container and returns once it runs.
    ///
    /// A program that does not exist shows as exit 126 or 127, as in a shell. Closing the returned
    /// streams does **not** end the process: only [`Control::kill`] does.
    async fn exec(&self, workload: &WorkloadId, command: Command) -> Result<Process, EngineError>;

    /// Makes and starts a container beside the workload: its image, all its volumes where it has them, no
    /// network, and nothing running in it until [`Shell::exec`] does. By the user root, whatever the
    /// image says. It works whether or not the workload runs, is none of the platform's workloads, and
    /// bears the name of `run` in a label. What it is called begins with `called` (`neo4j-dump`), for whoever looks at the
    /// engine's containers. The image must have `sh`.
    async fn sibling(&self, of: &WorkloadId, run: &RunId, called: &str) -> Result<WorkloadId, EngineError>;

    /// Ends a sibling with all that runs in it, and returns when it is gone. May be repeated.
    async fn end_sibling(&self, sibling: &WorkloadId) -> Result<(), EngineError>;

    /// Ends every process in the workload's container whose environment names `run` by
    /// [`RUN_VARIABLE`], and every sibling of the workload that bears the name of `run`, and returns
    /// when they are gone, at the latest after 10 s. For a run that has died: what it started lives on.
    /// A success also where there is none, or no container.
    async fn reap(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError>;
}

/// A process that runs in a container.
pub struct Process {
    /// Its input, when asked for. Dropping it after `shutdown` gives the process end-of-file.
    pub input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its output. A stream that was cut short reads as an error, never as an end.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// Its end.
    pub control: Box<dyn Control>,
}

/// The other half of a process: how it ends.
#[async_trait]
pub trait Control: Send {
    /// Waits for the process to end, after its output was read to the end. Where nobody has begun to read, what it writes is
    /// thrown away: then the way to it may be cut meanwhile, and its own end counts. That of one that gets an input does so
    /// only if it [knows its end](Command::knows_its_end).
    async fn finish(&mut self) -> Result<Exit, EngineError>;

    /// Ends the process and returns when it is gone, at the latest after 10 s. Killing one that has
    /// ended is a success.
    async fn kill(&mut self) -> Result<(), EngineError>;
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 0 is success.
    pub code: i64,
    /// What it wrote to its error output; of more than 8 KiB the beginning and the end, and ` […] ` between them.
    pub errors: String,
}
