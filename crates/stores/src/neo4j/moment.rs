//! A server that runs for a moment, in a container beside the store's and on data that is not its own: it recovers what a
//! frozen server had not written down, tells what is in it, and stops in order. Nobody but us can reach it.

use stillpoint_core::ports::shell::Control;
use stillpoint_core::ports::within;
use stillpoint_core::stores::{Cx, StoreError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Neo4jStore;
use super::beside::Beside;
use super::session::{Session, Way};
use crate::toolbox::{BY_SIZE, cancellable};

/// Starts the server, says `up`, waits for the end of its input, and stops the server as an engine would. The command line
/// is the one that the server's own program makes of the configuration, as in the official entry point. Says on the error
/// output what the server has said, if that ends before it is up.
const SERVE: &str = r#"cd /tmp
log=/tmp/stillpoint/server.log
: >"$log"
command=$(neo4j console --dry-run 2>>"$log") || { cat "$log" >&2; exit 1; }
( eval "exec $command" ) >>"$log" 2>&1 </dev/null &
server=$!
until grep -q 'Started\.$' "$log"; do
  kill -0 "$server" 2>/dev/null || { tail -n 40 "$log" >&2; exit 1; }
  sleep 0.1
done
echo up
read -r word || :
kill -TERM "$server" 2>/dev/null || :
wait "$server" || { code=$?; [ "$code" -eq 143 ] || { tail -n 40 "$log" >&2; exit "$code"; }; }"#;

const UP: &[u8] = b"up\n";

const RUNS: &str = "running a server on the data beside the store";

/// Asks the server that runs there. Nobody has to log in.
pub(super) async fn ask<'a>(cx: &'a Cx, beside: &'a Beside, store: &Neo4jStore) -> Result<Session<'a>, StoreError> {
    let session = Session::open(cx, Way::Inside(&beside.id), None).await;
    session.map_err(|trouble| store.failed(RUNS, trouble))
}

/// A server that runs. It must be stopped.
pub(super) struct Moment {
    input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    output: Box<dyn AsyncRead + Send + Unpin>,
    control: Box<dyn Control>,
}

impl Moment {
    /// Starts it, and waits for its recovery, however long that takes.
    pub(super) async fn begin(cx: &Cx, beside: &Beside) -> Result<Self, StoreError> {
        let command = beside.command(["bash", "-uc", SERVE]).with_input();
        let process = cx.shell.exec(&beside.id, command).await?;
        let mut moment = Self {
            input: process.input,
            output: process.output,
            control: process.control,
        };
        match moment.up(cx).await {
            Ok(true) => Ok(moment),
            Ok(false) => {
                // What it has said is told with its end.
                moment.ended(cx).await?;
                Err(StoreError::Server {
                    doing: RUNS.to_owned(),
                    cause: "it ended before it was up".into(),
                })
            }
            Err(error) => {
                moment.kill(cx).await;
                Err(error)
            }
        }
    }

    async fn up(&mut self, cx: &Cx) -> Result<bool, StoreError> {
        let mut said = [0; UP.len()];
        let read = within(
            &*cx.clock,
            BY_SIZE,
            RUNS,
            cancellable(cx, self.output.read_exact(&mut said)),
        );
        Ok(read.await??.is_ok() && said == UP)
    }

    /// Stops it in order. After a failure of the work it is ended as it is: its data is not used.
    pub(super) async fn end<T>(mut self, cx: &Cx, worked: Result<T, StoreError>) -> Result<T, StoreError> {
        match worked {
            Ok(done) => self.ended(cx).await.map(|()| done),
            Err(error) => {
                self.kill(cx).await;
                Err(error)
            }
        }
    }

    /// A last checkpoint of much data takes its time.
    async fn ended(&mut self, cx: &Cx) -> Result<(), StoreError> {
        if let Some(mut input) = self.input.take() {
            // One that has ended already says so by its code.
            let _ = input.shutdown().await;
        }
        let finish = within(&*cx.clock, BY_SIZE, RUNS, cancellable(cx, self.control.finish()));
        let exit = match finish.await.map_err(StoreError::from).flatten() {
            Ok(exit) => exit?,
            Err(error) => {
                self.kill(cx).await;
                return Err(error);
            }
        };
        match exit.code {
            0 => Ok(()),
            code => Err(StoreError::Tool {
                doing: RUNS.to_owned(),
                tool: "neo4j".to_owned(),
                code,
                errors: exit.errors.trim().to_owned(),
            }),
        }
    }

    async fn kill(&mut self, cx: &Cx) {
        if let Err(left) = self.control.kill().await {
            cx.report
                .warn(format!("a server beside the store may still run: {left}"));
        }
    }
}
