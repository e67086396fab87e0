//! The bench on which an engine's adapters are tried: it makes containers, does to them from outside
//! what the world does to them, and looks at them without the adapter's help.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use stillpoint_core::names::{Project, WorkloadId};
use stillpoint_core::workload::State;
use tokio::time::{Instant, sleep};

/// How long anything here is waited for. Generous: a loaded machine must not fail a test.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A port under test, and the bench around it.
pub struct Subject<P: ?Sized> {
    /// The port.
    pub port: Arc<P>,
    /// The same by another connection, as another process would have it.
    pub another: Arc<P>,
    /// The bench; whatever it made goes with it.
    pub bench: Box<dyn Bench>,
}

/// What the process of a fixture does.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Runs until it is asked to end, and then ends by itself with 0.
    Obedient,
    /// Runs, and does not listen when it is asked to end.
    Stubborn,
    /// Ends at once, by itself, with this code.
    Ending(i64),
    /// Ends at once, and the engine starts it again and again.
    Looping,
    /// Runs, and sends back whatever comes in at this TCP port.
    Echoing(u16),
}

/// A container to be made.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Its Compose service and number; none for a container that is not Compose's.
    pub service: Option<(String, u32)>,
    /// What it does.
    pub behaviour: Behaviour,
    /// Whether it is started.
    pub started: bool,
    /// Its health check's outcome, if it has one.
    pub healthy: Option<bool>,
    /// The grace that it asks for.
    pub stop_grace: Option<Duration>,
    /// Whether the engine removes it when it ends.
    pub auto_remove: bool,
    /// Whether the engine starts it again when it ends, unless it was stopped.
    pub always_restart: bool,
    /// Its environment.
    pub environment: Vec<(String, String)>,
}

impl Fixture {
    /// A running container of a service.
    pub fn running(behaviour: Behaviour) -> Self {
        Self {
            service: Some(("app".to_owned(), 1)),
            behaviour,
            started: true,
            healthy: None,
            stop_grace: None,
            auto_remove: false,
            always_restart: false,
            environment: Vec::new(),
        }
    }

    /// One that obeys.
    pub fn obedient() -> Self {
        Self::running(Behaviour::Obedient)
    }

    /// Made and never started.
    #[must_use]
    pub fn never_started(mut self) -> Self {
        self.started = false;
        self
    }

    /// Of this service.
    #[must_use]
    pub fn of(mut self, service: &str, number: u32) -> Self {
        self.service = Some((service.to_owned(), number));
        self
    }
}

/// What the tests need besides the port itself.
#[async_trait]
pub trait Bench: Send + Sync {
    /// The platform to which fixtures of services belong; this bench's alone.
    fn platform(&self) -> Project;

    /// An image that the engine has.
    fn image(&self) -> String;

    /// Makes a container; one that ends by itself has ended when it returns.
    async fn make(&self, fixture: &Fixture) -> anyhow::Result<WorkloadId>;

    /// Starts it.
    async fn start(&self, id: &WorkloadId) -> anyhow::Result<()>;

    /// Freezes it.
    async fn pause(&self, id: &WorkloadId) -> anyhow::Result<()>;

    /// Kills its process and with it all others in it; the engine knows when this returns.
    async fn kill(&self, id: &WorkloadId) -> anyhow::Result<()>;

    /// Removes it.
    async fn remove(&self, id: &WorkloadId) -> anyhow::Result<()>;

    /// What it does.
    async fn state(&self, id: &WorkloadId) -> anyhow::Result<State>;

    /// The command lines of all its processes.
    async fn processes(&self, id: &WorkloadId) -> anyhow::Result<Vec<String>>;
}

/// Looks until it is so.
pub async fn eventually(what: &str, mut so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !so().await.with_context(|| format!("while waiting for {what}"))? {
        if began.elapsed() > PATIENCE {
            bail!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Awaits what must not take for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .with_context(|| format!("waited {} s in vain for {what}", PATIENCE.as_secs()))
}
