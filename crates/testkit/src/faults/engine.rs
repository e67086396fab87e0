//! Faults between us and a container engine, and in the locks of its host.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use stillpoint_core::names::{Address, Project, RunId, WorkloadId};
use stillpoint_core::ports::journal::{JournalError, Loaded, Missing, OpenRun, Phase};
use stillpoint_core::ports::lock::LockError;
use stillpoint_core::ports::power::{Claim, Intent, Stopped};
use stillpoint_core::ports::{
    ByteStream, Catalog, Command, Control, EngineError, EngineVersion, Exit, Forward, Guard, Journal, Locks, Lost,
    Neighbour, Power, Process, Reach, Shell, Spool, SpoolError, SpoolFile,
};
use stillpoint_core::workload::{Contents, RestartPolicy, Workload};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Effect, Faults};
use crate::calls::Method;

struct Faulty<P: ?Sized> {
    faults: Faults,
    port: Arc<P>,
}

impl Faults {
    /// Decorates a catalog.
    pub fn catalog(&self, port: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        Arc::new(self.over(port))
    }

    /// Decorates a power.
    pub fn power(&self, port: Arc<dyn Power>) -> Arc<dyn Power> {
        Arc::new(self.over(port))
    }

    /// Decorates a shell, its processes and their streams.
    pub fn shell(&self, port: Arc<dyn Shell>) -> Arc<dyn Shell> {
        Arc::new(self.over(port))
    }

    /// Decorates a reach and its streams.
    pub fn reach(&self, port: Arc<dyn Reach>) -> Arc<dyn Reach> {
        Arc::new(self.over(port))
    }

    /// Decorates a spool.
    pub fn spool(&self, port: Arc<dyn Spool>) -> Arc<dyn Spool> {
        Arc::new(self.over(port))
    }

    /// Decorates locks.
    pub fn locks(&self, port: Arc<dyn Locks>) -> Arc<dyn Locks> {
        Arc::new(self.over(port))
    }

    /// Decorates a journal.
    pub fn journal(&self, port: Arc<dyn Journal>) -> Arc<dyn Journal> {
        Arc::new(self.over(port))
    }

    fn over<P: ?Sized>(&self, port: Arc<P>) -> Faulty<P> {
        Faulty {
            faults: self.clone(),
            port,
        }
    }
}

#[async_trait]
impl Catalog for Faulty<dyn Catalog> {
    async fn workloads(&self) -> Result<Vec<Workload>, EngineError> {
        let act = self.port.workloads();
        self.faults.pass(Method::CatalogWorkloads, "", act).await
    }

    async fn inspect(&self, id: &WorkloadId) -> Result<Workload, EngineError> {
        let act = self.port.inspect(id);
        self.faults.pass(Method::CatalogInspect, id, act).await
    }

    async fn contents(
        &self,
        workloads: &[Workload],
        files: &[&str],
    ) -> Result<BTreeMap<WorkloadId, Contents>, EngineError> {
        let act = self.port.contents(workloads, files);
        self.faults.pass(Method::CatalogContents, "", act).await
    }

    async fn neighbours(&self) -> Result<Vec<Neighbour>, EngineError> {
        let act = self.port.neighbours();
        self.faults.pass(Method::CatalogNeighbours, "", act).await
    }

    async fn engine(&self) -> Result<EngineVersion, EngineError> {
        self.faults.pass(Method::CatalogEngine, "", self.port.engine()).await
    }

    async fn lost(&self, of: &[WorkloadId]) -> Result<BTreeMap<WorkloadId, Vec<Lost>>, EngineError> {
        self.faults.pass(Method::CatalogLost, "", self.port.lost(of)).await
    }

    async fn missing(&self, of: &WorkloadId, paths: &[String]) -> Result<Option<Vec<String>>, EngineError> {
        let act = self.port.missing(of, paths);
        self.faults.pass(Method::CatalogMissing, of, act).await
    }

    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        let act = self.port.volume_sizes();
        self.faults.pass(Method::CatalogVolumeSizes, "", act).await
    }
}

#[async_trait]
impl Power for Faulty<dyn Power> {
    async fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<Stopped, EngineError> {
        let act = self.port.stop(id, grace);
        self.faults.pass(Method::PowerStop, id, act).await
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        let act = self.port.start(id);
        self.faults.pass(Method::PowerStart, id, act).await
    }

    async fn pause(&self, id: &WorkloadId) -> Result<(), EngineError> {
        let act = self.port.pause(id);
        self.faults.pass(Method::PowerPause, id, act).await
    }

    async fn set_restart(&self, id: &WorkloadId, policy: &RestartPolicy) -> Result<(), EngineError> {
        let act = self.port.set_restart(id, policy);
        self.faults.pass(Method::PowerSetRestart, id, act).await
    }

    async fn claim(&self, intent: &Intent, image: &str) -> Result<Claim, EngineError> {
        let act = self.port.claim(intent, image);
        self.faults.pass(Method::PowerClaim, &intent.platform, act).await
    }

    async fn claimed(&self, platform: &Project) -> Result<Option<Intent>, EngineError> {
        let act = self.port.claimed(platform);
        self.faults.pass(Method::PowerClaimed, platform, act).await
    }

    async fn held(&self) -> Result<Vec<Project>, EngineError> {
        self.faults.pass(Method::PowerHeld, "", self.port.held()).await
    }

    async fn release(&self, platform: &Project) -> Result<(), EngineError> {
        let act = self.port.release(platform);
        self.faults.pass(Method::PowerRelease, platform, act).await
    }
}

#[async_trait]
impl Journal for Faulty<dyn Journal> {
    async fn plan(&self, intent: &Intent) -> Result<(), JournalError> {
        let act = self.port.plan(intent);
        self.faults.pass(Method::JournalPlan, &intent.platform, act).await
    }

    async fn advance(&self, run: &RunId, phase: Phase) -> Result<(), JournalError> {
        let act = self.port.advance(run, phase);
        let subject = format!("{phase:?}");
        self.faults.pass(Method::JournalAdvance, subject, act).await
    }

    async fn loaded(&self, run: &RunId, loaded: &Loaded) -> Result<(), JournalError> {
        let act = self.port.loaded(run, loaded);
        self.faults.pass(Method::JournalLoaded, &loaded.backup, act).await
    }

    async fn platforms(&self) -> Result<Vec<Project>, JournalError> {
        let act = self.port.platforms();
        self.faults.pass(Method::JournalPlatforms, "", act).await
    }

    async fn open_runs(&self, platform: &Project) -> Result<Vec<OpenRun>, JournalError> {
        let act = self.port.open_runs(platform);
        self.faults.pass(Method::JournalOpenRuns, platform, act).await
    }

    async fn note_missing(&self, missing: &[Missing]) -> Result<(), JournalError> {
        let act = self.port.note_missing(missing);
        self.faults.pass(Method::JournalNoteMissing, "", act).await
    }

    async fn missing(&self, platform: &Project) -> Result<Vec<Missing>, JournalError> {
        let act = self.port.missing(platform);
        self.faults.pass(Method::JournalMissing, platform, act).await
    }

    async fn forget_missing(&self, platform: &Project, addresses: &[Address]) -> Result<(), JournalError> {
        let act = self.port.forget_missing(platform, addresses);
        self.faults.pass(Method::JournalForgetMissing, platform, act).await
    }
}

impl Locks for Faulty<dyn Locks> {
    fn take(&self, platform: &Project) -> Result<Option<Box<dyn Guard>>, LockError> {
        let act = || self.port.take(platform);
        self.faults.pass_now(Method::LocksTake, platform, act)
    }

    fn lives(&self, process: u32, at: Timestamp) -> bool {
        self.port.lives(process, at)
    }
}

#[async_trait]
impl Reach for Faulty<dyn Reach> {
    async fn dial(&self, workload: &WorkloadId, port: u16) -> Result<Box<dyn ByteStream>, EngineError> {
        let act = self.port.dial(workload, port);
        let stream = self.faults.pass(Method::ReachDial, workload, act).await?;
        Ok(Box::new(Stream::new(
            &self.faults,
            Method::ReachStream,
            workload,
            stream,
        )))
    }

    async fn forward(&self, workload: &WorkloadId, port: u16) -> Result<Forward, EngineError> {
        let act = self.port.forward(workload, port);
        self.faults.pass(Method::ReachForward, workload, act).await
    }
}

#[async_trait]
impl Spool for Faulty<dyn Spool> {
    fn place(&self) -> String {
        self.port.place()
    }

    async fn room(&self) -> Result<u64, SpoolError> {
        let act = self.port.room();
        self.faults.pass(Method::SpoolRoom, "", act).await
    }

    async fn create(&self) -> Result<Box<dyn SpoolFile>, SpoolError> {
        let act = self.port.create();
        self.faults.pass(Method::SpoolCreate, "", act).await
    }
}

#[async_trait]
impl Shell for Faulty<dyn Shell> {
    async fn exec(&self, workload: &WorkloadId, command: Command) -> Result<Process, EngineError> {
        let act = self.port.exec(workload, command);
        let Process { input, output, control } = self.faults.pass(Method::ShellExec, workload, act).await?;
        let input = input.map(|input| -> Box<dyn AsyncWrite + Send + Unpin> {
            Box::new(Stream::new(&self.faults, Method::ProcessInput, workload, input))
        });
        Ok(Process {
            input,
            output: Box::new(Stream::new(&self.faults, Method::ProcessOutput, workload, output)),
            control: Box::new(FaultyControl {
                faults: self.faults.clone(),
                workload: workload.clone(),
                control,
            }),
        })
    }

    async fn sibling(&self, of: &WorkloadId, run: &RunId, called: &str) -> Result<WorkloadId, EngineError> {
        let act = self.port.sibling(of, run, called);
        self.faults.pass(Method::ShellSibling, of, act).await
    }

    async fn end_sibling(&self, sibling: &WorkloadId) -> Result<(), EngineError> {
        let act = self.port.end_sibling(sibling);
        self.faults.pass(Method::ShellEndSibling, sibling, act).await
    }

    async fn reap(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        let act = self.port.reap(workload, run);
        self.faults.pass(Method::ShellReap, workload, act).await
    }
}

struct FaultyControl {
    faults: Faults,
    workload: WorkloadId,
    control: Box<dyn Control>,
}

#[async_trait]
impl Control for FaultyControl {
    async fn finish(&mut self) -> Result<Exit, EngineError> {
        let act = self.control.finish();
        self.faults.pass(Method::ProcessFinish, &self.workload, act).await
    }

    async fn kill(&mut self) -> Result<(), EngineError> {
        let act = self.control.kill();
        self.faults.pass(Method::ProcessKill, &self.workload, act).await
    }
}

/// A stream. Its use counts as one call, made when the first byte is to pass.
struct Stream<S> {
    faults: Faults,
    method: Method,
    workload: WorkloadId,
    inner: S,
    entered: bool,
    effect: Option<Effect>,
    /// The wait at a gate.
    opening: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S> Stream<S> {
    fn new(faults: &Faults, method: Method, workload: &WorkloadId, inner: S) -> Self {
        Self {
            faults: faults.clone(),
            method,
            workload: workload.clone(),
            inner,
            entered: false,
            effect: None,
            opening: None,
        }
    }

    /// Ready when bytes may pass.
    fn admit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.entered {
            self.entered = true;
            self.effect = self.faults.enter(self.method, &self.workload).1;
        }
        match &self.effect {
            Some(Effect::Fail(_) | Effect::LoseAnswer(_)) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                format!("{} (injected)", self.method.name()),
            ))),
            Some(Effect::Hang) => Poll::Pending,
            Some(Effect::DieBefore | Effect::DieAfter) => {
                self.faults.lock().dead.cancel();
                Poll::Pending
            }
            Some(Effect::Act(deed)) => {
                deed();
                self.effect = None;
                Poll::Ready(Ok(()))
            }
            Some(Effect::Wait(gate)) => {
                gate.reached.cancel();
                let open = gate.open.clone();
                let opening = self.opening.get_or_insert_with(|| Box::pin(open.cancelled_owned()));
                opening.as_mut().poll(cx).map(Ok)
            }
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.admit(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.inner).poll_read(cx, buf),
            other => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.admit(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.inner).poll_write(cx, buf),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
