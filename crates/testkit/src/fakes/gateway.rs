//! A gateway that nobody can reach: no simulated store speaks S3. What a store would have written is put there by hand.

use async_trait::async_trait;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::gateway::{Place, Receiving, Serving, Verified};
use stillpoint_core::ports::{EngineError, Gateway};

/// A gateway that opens nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoGateway;

fn refused<T>() -> Result<T, EngineError> {
    Err(EngineError::Refused {
        doing: "open a gateway".into(),
        status: 0,
        message: "nobody speaks S3 here".into(),
    })
}

#[async_trait]
impl Gateway for NoGateway {
    async fn probe(&self, _workload: &WorkloadId) -> Result<Box<dyn Serving>, EngineError> {
        refused()
    }

    async fn receive(&self, _workload: &WorkloadId, _place: Place) -> Result<Box<dyn Receiving>, EngineError> {
        refused()
    }

    async fn serve(
        &self,
        _workload: &WorkloadId,
        _place: Place,
        _objects: Vec<Verified>,
    ) -> Result<Box<dyn Serving>, EngineError> {
        refused()
    }
}
