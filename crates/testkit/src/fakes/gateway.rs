//! A gateway of the simulated world. A simulated store speaks no S3: it puts and gets objects here by the address that it
//! was told, and of an address that is closed it gets nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use stillpoint_core::hashing::Hashing;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::gateway::{Access, Place, Receiving, Recorded, Serving, Verified};
use stillpoint_core::ports::{EngineError, Gateway, Key, RepositoryError};

use super::lock;

/// The gateways of one host.
#[derive(Clone, Default)]
pub struct FakeGateway {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    opened: usize,
    open: BTreeMap<String, Endpoint>,
}

#[derive(Clone)]
struct Endpoint {
    place: Option<Place>,
    /// What was taken in, or what is served.
    objects: BTreeMap<String, Verified>,
    taken: Vec<Recorded>,
}

/// A gateway that is open until it is dropped.
struct Opened {
    host: FakeGateway,
    access: Access,
}

impl Drop for Opened {
    fn drop(&mut self) {
        lock(&self.host.state).open.remove(&self.access.endpoint);
    }
}

impl FakeGateway {
    /// How many are open.
    pub fn open(&self) -> usize {
        lock(&self.state).open.len()
    }

    fn start(&self, place: Option<Place>, objects: Vec<Verified>) -> Opened {
        let mut state = lock(&self.state);
        state.opened += 1;
        let endpoint = format!("http://gateway:{}", state.opened);
        let access = Access {
            endpoint: endpoint.clone(),
            bucket: "stillpoint".into(),
            prefix: place
                .as_ref()
                .map_or_else(|| "probe".into(), |place| place.prefix.clone()),
            access_key_id: "key".into(),
            secret_access_key: "secret".into(),
        };
        let objects = objects.into_iter().map(|one| (one.recorded.name.clone(), one));
        let opened = Endpoint {
            place,
            objects: objects.collect(),
            taken: Vec::new(),
        };
        state.open.insert(endpoint, opened);
        Opened {
            host: self.clone(),
            access,
        }
    }

    fn at(&self, access: &Access) -> Result<(Endpoint, Place), RepositoryError> {
        let found = lock(&self.state).open.get(&access.endpoint).cloned();
        let closed = || RepositoryError::Unreachable {
            cause: format!("{} is closed", access.endpoint),
        };
        let endpoint = found.ok_or_else(closed)?;
        let place = endpoint.place.clone().ok_or_else(closed)?;
        Ok((endpoint, place))
    }

    /// What a store does to write an object.
    pub(super) async fn put(&self, access: &Access, name: &str, content: Bytes) -> Result<(), RepositoryError> {
        let (_, place) = self.at(access)?;
        let name = format!("{}/{name}", access.prefix);
        let key = Key::of(place.backup, &name);
        let mut hash = Hashing::new(place.workers.clone());
        hash.add(&content).await.map_err(|ended| ended.at(&key))?;
        let recorded = Recorded {
            name,
            size: content.len() as u64,
            sha256: hash.finish().await.map_err(|ended| ended.at(&key))?,
        };
        place.repository.create(&key, content).await?;
        if let Some(endpoint) = lock(&self.state).open.get_mut(&access.endpoint) {
            endpoint.taken.push(recorded);
        }
        Ok(())
    }

    /// What a store does to read an object: exactly the one that was verified.
    pub(super) async fn get(&self, access: &Access, name: &str) -> Result<Bytes, RepositoryError> {
        let (endpoint, place) = self.at(access)?;
        let name = format!("{}/{name}", access.prefix);
        let Some(object) = endpoint.objects.get(&name) else {
            return Err(RepositoryError::Missing { key: name });
        };
        let key = Key::of(place.backup, &name);
        let range = 0..object.recorded.size;
        let content = place.repository.open_range(&key, &object.version, range).await?;
        let whole: BytesMut = content.try_collect().await?;
        Ok(whole.freeze())
    }
}

#[async_trait]
impl Gateway for FakeGateway {
    async fn probe(&self, _workload: &WorkloadId) -> Result<Box<dyn Serving>, EngineError> {
        Ok(Box::new(self.start(None, Vec::new())))
    }

    async fn receive(&self, _workload: &WorkloadId, place: Place) -> Result<Box<dyn Receiving>, EngineError> {
        Ok(Box::new(self.start(Some(place), Vec::new())))
    }

    async fn serve(
        &self,
        _workload: &WorkloadId,
        place: Place,
        objects: Vec<Verified>,
    ) -> Result<Box<dyn Serving>, EngineError> {
        Ok(Box::new(self.start(Some(place), objects)))
    }
}

#[async_trait]
impl Receiving for Opened {
    fn access(&self) -> &Access {
        &self.access
    }

    fn received(&self) -> u64 {
        let state = lock(&self.host.state);
        let taken = state.open.get(&self.access.endpoint).map(|endpoint| &endpoint.taken);
        taken.into_iter().flatten().map(|object| object.size).sum()
    }

    async fn finish(self: Box<Self>) -> Result<Vec<Recorded>, RepositoryError> {
        let found = lock(&self.host.state).open.remove(&self.access.endpoint);
        let mut taken = found.map(|endpoint| endpoint.taken).unwrap_or_default();
        taken.sort();
        Ok(taken)
    }
}

#[async_trait]
impl Serving for Opened {
    fn access(&self) -> &Access {
        &self.access
    }

    fn served(&self) -> u64 {
        0
    }

    async fn stop(self: Box<Self>) {}
}
