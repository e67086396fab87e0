//! The ports of an engine. A container is told by its id, as the engine's own log does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use stillpoint_core::names::{Project, RunId, WorkloadId};
use stillpoint_core::ports::gateway::{Place, Receiving, Serving, Verified};
use stillpoint_core::ports::power::{Claim, Intent, Stopped};
use stillpoint_core::ports::{
    BucketOf, Buckets, ByteStream, Catalog, Command, Control, EngineError, EngineVersion, Exit, Forward, Gateway, Lost,
    Neighbour, Power, Process, Reach, Repository, RepositoryError, Shell,
};
use stillpoint_core::workload::{Contents, RestartPolicy, Workload};
use tracing::debug;

use super::{Traced, engine, millis};

#[async_trait]
impl<P: Catalog + ?Sized> Catalog for Traced<P> {
    async fn workloads(&self) -> Result<Vec<Workload>, EngineError> {
        engine("list", "all containers", self.0.workloads()).await
    }

    async fn inspect(&self, id: &WorkloadId) -> Result<Workload, EngineError> {
        engine("describe", id, self.0.inspect(id)).await
    }

    async fn contents(
        &self,
        workloads: &[Workload],
        files: &[&str],
    ) -> Result<BTreeMap<WorkloadId, Contents>, EngineError> {
        engine("look inside", "containers", self.0.contents(workloads, files)).await
    }

    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        engine("measure", "its volumes", self.0.volume_sizes()).await
    }

    async fn neighbours(&self) -> Result<Vec<Neighbour>, EngineError> {
        engine("list", "what runs", self.0.neighbours()).await
    }

    async fn engine(&self) -> Result<EngineVersion, EngineError> {
        engine("tell its version", "itself", self.0.engine()).await
    }

    async fn lost(&self, of: &[WorkloadId]) -> Result<BTreeMap<WorkloadId, Vec<Lost>>, EngineError> {
        engine("look for networks and images of", "containers", self.0.lost(of)).await
    }

    async fn missing(&self, of: &WorkloadId, paths: &[String]) -> Result<Option<Vec<String>>, EngineError> {
        engine("look for the files of the host of", of, self.0.missing(of, paths)).await
    }
}

#[async_trait]
impl<P: Power + ?Sized> Power for Traced<P> {
    async fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<Stopped, EngineError> {
        engine("stop", id, self.0.stop(id, grace)).await
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        engine("start", id, self.0.start(id)).await
    }

    async fn pause(&self, id: &WorkloadId) -> Result<(), EngineError> {
        engine("pause", id, self.0.pause(id)).await
    }

    async fn set_restart(&self, id: &WorkloadId, policy: &RestartPolicy) -> Result<(), EngineError> {
        engine("set the restart policy", id, self.0.set_restart(id, policy)).await
    }

    async fn claim(&self, intent: &Intent, image: &str) -> Result<Claim, EngineError> {
        engine("claim", &intent.platform, self.0.claim(intent, image)).await
    }

    async fn claimed(&self, platform: &Project) -> Result<Option<Intent>, EngineError> {
        engine("look for a claim", platform, self.0.claimed(platform)).await
    }

    async fn held(&self) -> Result<Vec<Project>, EngineError> {
        engine("look for claims", "all platforms", self.0.held()).await
    }

    async fn release(&self, platform: &Project) -> Result<(), EngineError> {
        engine("release the claim", platform, self.0.release(platform)).await
    }
}

#[async_trait]
impl<P: Reach + ?Sized> Reach for Traced<P> {
    async fn dial(&self, workload: &WorkloadId, port: u16) -> Result<Box<dyn ByteStream>, EngineError> {
        engine("dial", format!("{workload} port {port}"), self.0.dial(workload, port)).await
    }

    async fn forward(&self, workload: &WorkloadId, port: u16) -> Result<Forward, EngineError> {
        engine(
            "forward",
            format!("{workload} port {port}"),
            self.0.forward(workload, port),
        )
        .await
    }
}

#[async_trait]
impl<P: Gateway + ?Sized> Gateway for Traced<P> {
    async fn probe(&self, workload: &WorkloadId) -> Result<Box<dyn Serving>, EngineError> {
        engine("open a gateway to probe", workload, self.0.probe(workload)).await
    }

    async fn receive(&self, workload: &WorkloadId, place: Place) -> Result<Box<dyn Receiving>, EngineError> {
        let about = format!("{workload} into {place:?}");
        engine("open a gateway", about, self.0.receive(workload, place)).await
    }

    async fn serve(
        &self,
        workload: &WorkloadId,
        place: Place,
        objects: Vec<Verified>,
    ) -> Result<Box<dyn Serving>, EngineError> {
        let about = format!("{} objects of {place:?} to {workload}", objects.len());
        engine("serve", about, self.0.serve(workload, place, objects)).await
    }
}

#[async_trait]
impl<P: Buckets + ?Sized> Buckets for Traced<P> {
    async fn open(&self, bucket: &BucketOf) -> Result<Arc<dyn Repository>, RepositoryError> {
        let about = format!("{} at {}", bucket.bucket, bucket.endpoint);
        let opened = engine("open a bucket", about, self.0.open(bucket)).await?;
        Ok(Arc::new(Traced::new(opened)))
    }
}

#[async_trait]
impl<P: Shell + ?Sized> Shell for Traced<P> {
    async fn exec(&self, workload: &WorkloadId, command: Command) -> Result<Process, EngineError> {
        let tool = command.program().to_owned();
        let about = format!("{tool} in {workload}");
        let process = engine("run", about, self.0.exec(workload, command)).await?;
        let control = Box::new(TracedControl {
            control: process.control,
            tool,
            workload: workload.clone(),
            began: Instant::now(),
        });
        Ok(Process { control, ..process })
    }

    async fn sibling(&self, of: &WorkloadId, run: &RunId, called: &str) -> Result<WorkloadId, EngineError> {
        engine("make a sibling", of, self.0.sibling(of, run, called)).await
    }

    async fn end_sibling(&self, sibling: &WorkloadId) -> Result<(), EngineError> {
        engine("remove a sibling", sibling, self.0.end_sibling(sibling)).await
    }

    async fn reap(&self, workload: &WorkloadId, run: &RunId) -> Result<(), EngineError> {
        engine("reap", workload, self.0.reap(workload, run)).await
    }
}

/// Tells how a tool ended.
struct TracedControl {
    control: Box<dyn Control>,
    tool: String,
    workload: WorkloadId,
    began: Instant,
}

#[async_trait]
impl Control for TracedControl {
    async fn finish(&mut self) -> Result<Exit, EngineError> {
        let finished = self.control.finish().await;
        let Self {
            tool, workload, began, ..
        } = self;
        let millis = millis(*began);
        match &finished {
            // What it wrote to its error output may hold anything: whoever reports its failure shows it.
            Ok(Exit { code, .. }) => debug!(target: "stillpoint::tool", %tool, %workload, code, millis, "tool ended"),
            Err(error) => debug!(target: "stillpoint::tool", %tool, %workload, millis, %error, "tool lost"),
        }
        finished
    }

    async fn kill(&mut self) -> Result<(), EngineError> {
        let killed = self.control.kill().await;
        let Self {
            tool, workload, began, ..
        } = self;
        let millis = millis(*began);
        match &killed {
            Ok(()) => debug!(target: "stillpoint::tool", %tool, %workload, millis, "tool killed"),
            Err(error) => debug!(target: "stillpoint::tool", %tool, %workload, millis, %error, "tool may still run"),
        }
        killed
    }
}
