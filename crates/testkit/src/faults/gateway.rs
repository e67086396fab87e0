//! Faults of the gateway through which stores write and read by themselves. What passes through it are calls of the
//! repository.

use std::sync::Arc;

use async_trait::async_trait;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::gateway::{Access, Place, Receiving, Recorded, Serving, Verified};
use stillpoint_core::ports::{EngineError, Gateway, RepositoryError};

use super::Faults;
use crate::calls::Method;

struct FaultyGateway {
    faults: Faults,
    port: Arc<dyn Gateway>,
}

struct FaultyReceiving {
    faults: Faults,
    port: Box<dyn Receiving>,
}

impl Faults {
    /// Decorates a gateway, and its ends.
    pub fn gateway(&self, port: Arc<dyn Gateway>) -> Arc<dyn Gateway> {
        Arc::new(FaultyGateway {
            faults: self.clone(),
            port,
        })
    }
}

#[async_trait]
impl Gateway for FaultyGateway {
    async fn probe(&self, workload: &WorkloadId) -> Result<Box<dyn Serving>, EngineError> {
        let act = self.port.probe(workload);
        self.faults.pass(Method::GatewayProbe, workload, act).await
    }

    async fn receive(&self, workload: &WorkloadId, place: Place) -> Result<Box<dyn Receiving>, EngineError> {
        let act = self.port.receive(workload, place);
        let port = self.faults.pass(Method::GatewayReceive, workload, act).await?;
        Ok(Box::new(FaultyReceiving {
            faults: self.faults.clone(),
            port,
        }))
    }

    async fn serve(
        &self,
        workload: &WorkloadId,
        place: Place,
        objects: Vec<Verified>,
    ) -> Result<Box<dyn Serving>, EngineError> {
        let act = self.port.serve(workload, place, objects);
        self.faults.pass(Method::GatewayServe, workload, act).await
    }
}

#[async_trait]
impl Receiving for FaultyReceiving {
    fn access(&self) -> &Access {
        self.port.access()
    }

    fn received(&self) -> u64 {
        self.port.received()
    }

    async fn finish(self: Box<Self>) -> Result<Vec<Recorded>, RepositoryError> {
        let Self { faults, port } = *self;
        let prefix = port.access().prefix.clone();
        faults.pass(Method::GatewayFinish, prefix, port.finish()).await
    }
}
