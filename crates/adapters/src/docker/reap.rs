//! Ending what a dead run left running in a container. Its processes are found by their environment:
//! whoever knew their ids is gone.

use std::time::Duration;

use bollard::models::ExecConfig;
use futures::StreamExt;
use stillpoint_core::names::{RunId, WorkloadId};
use stillpoint_core::ports::EngineError;
use stillpoint_core::ports::shell::RUN_VARIABLE;
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Docker, LOOK_EVERY};
use super::running::{Running, act_on};

/// The port's promise.
const WITHIN: Duration = Duration::from_secs(10);

/// How long a polite signal is given to work.
const POLITELY: Duration = Duration::from_secs(5);

/// Signals every living process whose environment has this entry. Exits 1 if there was any. `cat`
/// and a shell are all it takes; the entries' ends get lost on the way, so a value is matched by its
/// beginning, which is as good: a run's id is longer than any other value that begins like it.
const SIGNAL: &str = r#"
signal=$1 entry=$2 found=0
for process in /proc/[0-9]*; do
    case "$(cat "$process/environ" 2>/dev/null | tr '\0' '\n')" in
    *"$entry"*) ;;
    *) continue ;;
    esac
    read -r line 2>/dev/null <"$process/stat" || continue
    set -- ${line##*) }
    [ "$1" = Z ] && continue
    found=1
    kill -s "$signal" "${process#/proc/}" 2>/dev/null
done
exit $found
"#;

impl Docker {
    /// Ends them all; a container that is down has none.
    pub(super) async fn reap_run(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        let overdue = || Err(act_on(workload, "end", "what a dead run left").overdue(WITHIN));
        timeout(WITHIN, self.reap_in_time(workload, run))
            .await
            .unwrap_or_else(|_| overdue())
    }

    async fn reap_in_time(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        let began = Instant::now();
        while self.is_up(workload).await? {
            let signal = if began.elapsed() < POLITELY { "TERM" } else { "KILL" };
            if !self.signal_run(workload, run, signal).await? {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn is_up(&self, workload: &WorkloadId) -> Result<bool, EngineError> {
        match self.state(workload.as_str()).await {
            Ok(state) => Ok(state.is_up()),
            Err(error) if error.is_gone() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether there was anything to signal.
    async fn signal_run(&self, workload: &WorkloadId, run: &RunId, signal: &str) -> Result<bool, EngineError> {
        let entry = format!("{RUN_VARIABLE}={run}");
        let config = ExecConfig {
            cmd: Some(["sh", "-c", SIGNAL, "sh", signal, &entry].map(ToOwned::to_owned).into()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let signaller = Running::prepare(self, workload, "sh", config).await?;
        let (mut frames, _input) = signaller.attach().await?;
        while let Some(frame) = frames.next().await {
            // It says nothing; only its end matters.
            drop(frame);
        }
        match signaller.ended().await? {
            0 => Ok(false),
            1 => Ok(true),
            code => Err(signaller.act("search").refused(format!("exit code {code}"))),
        }
    }
}
