//! Starting a process in a container so that it can be ended again.
//!
//! The engine has no call that ends such a process, and closing its stream does not: the process
//! runs on and its output is thrown away. So a shell goes first. It tells its process id as the
//! first line of output, waits for our word, and becomes the program. A start that is dropped half
//! way never gives the word, and the shell ends by itself: nothing ever runs whose id nobody knows.
//! The container's image must have `sh`; nothing is written into it. Some shells drop variables whose
//! names are no identifiers (`discovery.type`) from what the program sees.

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::models::ExecConfig;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use secrecy::ExposeSecret;
use stillpoint_core::names::{RunId, WorkloadId};
use stillpoint_core::ports::EngineError;
use stillpoint_core::ports::shell::{Command, Exit, Process, Shell};
use tokio::io::AsyncWriteExt;

use super::connect::{Docker, SHORT};
use super::keep_alive::KeepAlive;
use super::kill::Target;
use super::output::{Frames, Output, Tail, damage};
use super::process::{Handle, NeverRan};
use super::running::{Running, act_on};
use crate::awake::timeout;

/// The id comes through the output and not through the error output: the engine copies the two side
/// by side, and only what comes on the same one is sure to come first.
const WITH_INPUT: &str = r#"echo "$$"; read -r go || exit 125; exec "$@""#;
/// The word takes the input, so an empty one is put in its place. The old one stays open, for what [`KeepAlive`] sends.
const WITHOUT_INPUT: &str = r#"echo "$$"; read -r go || exit 125; exec 9<&0; exec "$@" </dev/null"#;

/// The engine's words about a program that it cannot start are kept up to this size.
const REFUSAL: usize = 8 * 1024;

/// What the first line of output turned out to be.
enum Greeting {
    /// The process id, and what came after it.
    Runs(String, Bytes),
    /// The stream ended with these words of the engine.
    Failed(String),
}

#[async_trait]
impl Shell for Docker {
    async fn exec(&self, workload: &WorkloadId, command: Command) -> Result<Process, EngineError> {
        let act = act_on(workload, "run", command.program());
        if command.argv.is_empty() {
            return Err(act.refused("the command is empty"));
        }
        timeout(SHORT, begin(self, workload, command))
            .await
            .unwrap_or_else(|_| Err(act.overdue(SHORT)))
    }

    async fn sibling(&self, of: &WorkloadId, run: &RunId, called: &str) -> Result<WorkloadId, EngineError> {
        self.make_sibling(of, run, called).await
    }

    async fn end_sibling(&self, sibling: &WorkloadId) -> Result<(), EngineError> {
        self.remove_sibling(sibling).await
    }

    async fn reap(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        self.reap_siblings(workload, run).await?;
        self.reap_run(workload, run).await
    }
}

async fn begin(docker: &Docker, workload: &WorkloadId, command: Command) -> Result<Process, EngineError> {
    let (has_input, user) = (command.input, command.user.clone());
    let program = command.program().to_owned();
    let may_be_cut = !has_input || command.knows_its_end;
    let running = Running::prepare(docker, workload, &program, wrapped(command)).await?;
    let (mut frames, mut input) = running.attach().await?;
    let tail = Tail::default();
    match greet(&mut frames, &tail, &running).await? {
        Greeting::Failed(words) => never_ran(&running, words, has_input).await,
        Greeting::Runs(pid, rest) => {
            // The word. Nothing may be awaited after it: a caller who is gone by then would leave
            // the process to nobody.
            input
                .write_all(b"\n")
                .await
                .map_err(|error| running.act("run").cut(error.to_string()))?;
            let target = Target { running, pid, user };
            let output = Output::new(rest, frames, tail.clone(), target.clone());
            let (input, keep_alive) = if has_input {
                (Some(input), None)
            } else {
                (None, Some(KeepAlive::over(input)))
            };
            let handle = Handle {
                target,
                output,
                tail,
                may_be_cut,
                _keep_alive: keep_alive,
            };
            Ok(handle.process(input))
        }
    }
}

fn wrapped(command: Command) -> ExecConfig {
    let script = if command.input { WITH_INPUT } else { WITHOUT_INPUT };
    let shell = ["sh", "-c", script, "sh"].map(ToOwned::to_owned);
    let env = command
        .env
        .iter()
        .map(|(name, value)| format!("{name}={}", value.expose_secret()));
    ExecConfig {
        env: Some(env.collect()),
        cmd: Some(shell.into_iter().chain(command.argv).collect()),
        user: command.user,
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        ..ExecConfig::default()
    }
}

/// Reads up to the process id. A program that cannot be started has none: the engine then writes
/// its reasons where the output would be.
async fn greet(frames: &mut Frames, tail: &Tail, running: &Running) -> Result<Greeting, EngineError> {
    let mut read = BytesMut::new();
    while let Some(frame) = frames.next().await {
        match frame {
            Ok(LogOutput::StdOut { message }) => read.extend_from_slice(&message),
            Ok(LogOutput::StdErr { message }) => tail.push(&message),
            other => return Err(running.act("run").cut(damage(other))),
        }
        if let Some(pid) = first_line(&read) {
            let rest = read.split_off(pid.len() + 1).freeze();
            return Ok(Greeting::Runs(pid, rest));
        }
        read.truncate(REFUSAL);
    }
    let words = String::from_utf8_lossy(&read).trim().to_owned();
    Ok(Greeting::Failed(format!("{}{words}", tail.text())))
}

fn first_line(read: &[u8]) -> Option<String> {
    let end = read.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&read[..end]).ok()?;
    let is_pid = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    is_pid.then(|| line.to_owned())
}

/// 126 and 127 are a shell's words for a program that cannot be run; here it was the shell itself.
async fn never_ran(running: &Running, words: String, has_input: bool) -> Result<Process, EngineError> {
    match running.ended().await? {
        code @ (126 | 127) => Ok(NeverRan(Exit { code, errors: words }).process(has_input)),
        code => Err(running
            .act("run")
            .cut(format!("it ended before it began (exit code {code}) {words}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_is_a_process_id() {
        assert_eq!(first_line(b"17\nrest"), Some("17".into()));
        for read in [&b"17"[..], b"\n", b"OCI runtime exec failed\r\n", b"1 7\n", b"\xff\n"] {
            assert_eq!(first_line(read), None);
        }
    }

    #[test]
    fn secrets_stay_out_of_the_argument_list() {
        let command = Command::new(["psql", "-l"]).env("PGPASSWORD", "geheim".to_owned().into());
        let config = wrapped(command);
        assert_eq!(config.cmd.unwrap()[3..], ["sh", "psql", "-l"]);
        assert_eq!(config.env.unwrap(), ["PGPASSWORD=geheim"]);
    }
}
