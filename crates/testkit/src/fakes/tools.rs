//! The simulated tools in a store's container (`dump`, `load` and `check`), and its protocol: a connection
//! tells the rows, one table a line, and closes.

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use stillpoint_core::names::{RunId, WorkloadId};
use stillpoint_core::ports::shell::RUN_VARIABLE;
use stillpoint_core::ports::{ByteStream, Command, Control, EngineError, Exit, Forward, Process, Reach, Shell};
use stillpoint_core::workload::State;
use tokio::io::AsyncWrite;

use super::container::Container;
use super::engine::refused;
use super::lock;
use super::world::World;

pub(super) struct FakeTools {
    pub(super) world: World,
}

pub(super) type Rows = BTreeMap<String, u64>;

pub(super) fn to_text(rows: &Rows) -> String {
    let lines: Vec<String> = rows.iter().map(|(table, count)| format!("{table} {count}\n")).collect();
    lines.concat()
}

pub(super) fn from_text(text: &[u8]) -> Rows {
    let text = String::from_utf8_lossy(text);
    let row = |line: &str| {
        let (table, count) = line.rsplit_once(' ')?;
        Some((table.to_owned(), count.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

fn rows(container: &Container) -> String {
    container
        .data
        .as_ref()
        .map(|data| to_text(&data.rows))
        .unwrap_or_default()
}

#[async_trait]
impl Reach for FakeTools {
    async fn dial(&self, workload: &WorkloadId, port: u16) -> Result<Box<dyn ByteStream>, EngineError> {
        let told = self.world.with(workload, |container, now| {
            container.look(now);
            container.answers(now).then(|| rows(container))
        })?;
        let told = told.ok_or_else(|| EngineError::Refused {
            doing: format!("connect to port {port} of {workload}"),
            status: 502,
            message: "connection refused".into(),
        })?;
        Ok(Box::new(tokio::io::join(
            Cursor::new(told.into_bytes()),
            tokio::io::sink(),
        )))
    }

    /// A way that nobody goes: there is no network.
    async fn forward(&self, workload: &WorkloadId, port: u16) -> Result<Forward, EngineError> {
        self.world.with(workload, |_, _| ())?;
        Ok(Forward::new(port, Box::new(())))
    }
}

#[async_trait]
impl Shell for FakeTools {
    async fn exec(&self, workload: &WorkloadId, command: Command) -> Result<Process, EngineError> {
        let origin = self.world.origin(workload);
        let told = self.world.with(origin.as_ref().unwrap_or(workload), |container, now| {
            let runs = origin.is_some() || container.look(now).state == State::Running;
            runs.then(|| (rows(container), container.pinned_rows()))
        })?;
        let (told, pinned) = told.ok_or_else(|| EngineError::Refused {
            doing: format!("run {} in {workload}", command.program()),
            status: 409,
            message: "the container does not run".into(),
        })?;
        let (output, code) = match command.program() {
            "dump" => (pinned.unwrap_or(told), 0),
            "load" | "check" => (String::new(), 0),
            _ => (String::new(), 127),
        };
        let inbox = Inbox::default();
        let mark = command.env.iter().find(|(name, _)| name == RUN_VARIABLE);
        let run = mark.map_or("", |(_, run)| run.expose_secret());
        let process = self.world.begin_process(workload, run);
        let input = command
            .input
            .then(|| -> Box<dyn AsyncWrite + Send + Unpin> { Box::new(inbox.clone()) });
        Ok(Process {
            input,
            output: Box::new(Cursor::new(output.into_bytes())),
            control: Box::new(FakeControl {
                world: self.world.clone(),
                workload: workload.clone(),
                process,
                loads: (command.program() == "load").then(|| inbox.clone()),
                checks: (command.program() == "check").then_some(inbox),
                code,
            }),
        })
    }

    async fn sibling(&self, of: &WorkloadId, run: &RunId, _called: &str) -> Result<WorkloadId, EngineError> {
        self.world.with(of, |_, _| ())?;
        Ok(self.world.begin_sibling(of, run.as_str()))
    }

    async fn end_sibling(&self, sibling: &WorkloadId) -> Result<(), EngineError> {
        self.world.end_sibling(sibling);
        Ok(())
    }

    async fn reap(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        let state = self.world.with(workload, |container, now| container.look(now).state);
        if let Ok(State::Paused) = state {
            return Err(refused("reap", workload, State::Paused));
        }
        self.world.end_processes(workload, run.as_str());
        Ok(())
    }
}

struct FakeControl {
    world: World,
    workload: WorkloadId,
    process: u64,
    loads: Option<Inbox>,
    checks: Option<Inbox>,
    code: i64,
}

#[async_trait]
impl Control for FakeControl {
    async fn finish(&mut self) -> Result<Exit, EngineError> {
        self.world.end_process(self.process);
        if let Some(inbox) = self.loads.take() {
            let text = lock(&inbox.bytes).clone();
            let origin = self.world.origin(&self.workload);
            self.world
                .with(origin.as_ref().unwrap_or(&self.workload), |container, _| {
                    if let Some(data) = &mut container.data {
                        data.rows = from_text(&text);
                    }
                })?;
        }
        let text = self.checks.take().map(|inbox| lock(&inbox.bytes).clone());
        if text.is_some_and(|text| to_text(&from_text(&text)).as_bytes() != text) {
            return Ok(Exit {
                code: 1,
                errors: "this is no dump".into(),
            });
        }
        Ok(Exit {
            code: self.code,
            errors: String::new(),
        })
    }

    async fn kill(&mut self) -> Result<(), EngineError> {
        self.world.end_process(self.process);
        self.loads = None;
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Inbox {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl AsyncWrite for Inbox {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.bytes).extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
