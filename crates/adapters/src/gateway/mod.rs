//! An S3 endpoint of our own process, for stores that write their backup to S3 by themselves: what such a store sends goes
//! into the repository, hashed in flight, whether that is a directory or a bucket; and what was recorded of it is
//! served again for a restore. `s3s` speaks the protocol; here is what the requests do.
//!
//! Nothing here lists or reads the repository to find out what there is: a receiving gateway knows what it has taken in
//! itself, a serving one what it was told. Nothing outside of one bucket name and one prefix can be named through it.
//!
//! Memory does not grow with the number of requests: see [`room`].

mod access;
mod answers;
mod body;
mod checked;
mod checks;
mod errors;
mod filter;
mod intake;
mod listing;
mod multipart;
mod names;
mod room;
mod server;
mod service;
mod shelf;
mod tasks;
mod writer;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use stillpoint_core::names::BackupId;
use stillpoint_core::ports::RepositoryError;
use stillpoint_core::ports::gateway::{self, Access, Place, Recorded, Verified};

use intake::Intake;
use names::Names;
pub use room::Memory;
use server::Server;
use service::Service;
use shelf::Shelf;

/// The prefix of a gateway that has nothing.
const PROBE: &str = "probe";

/// A gateway that takes in what a store writes.
#[derive(Debug)]
pub struct Receiving {
    server: Server,
    shelf: Arc<Shelf>,
    intake: Arc<Intake>,
}

impl Receiving {
    /// Listens at `ip`, on a port that is free. The backup's first object must have been written.
    pub async fn start(ip: IpAddr, place: Place) -> io::Result<Self> {
        let shelf = Arc::new(Shelf::new(Some(place.clone()), Vec::new()));
        let intake = Arc::new(Intake::new(&place, shelf.clone()));
        let names = Names::new(place.backup, &place.prefix)?;
        let service = Service::new(shelf.clone(), Some(intake.clone()), names);
        let server = Server::start(ip, service, &place.prefix).await?;
        Ok(Self { server, shelf, intake })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What its requests hold in memory.
    pub fn memory(&self) -> Memory {
        self.intake.memory()
    }
}

#[async_trait]
impl gateway::Receiving for Receiving {
    fn access(&self) -> &Access {
        self.server.access()
    }

    fn received(&self) -> u64 {
        self.shelf.room().moved()
    }

    async fn finish(mut self: Box<Self>) -> Result<Vec<Recorded>, RepositoryError> {
        self.server.stop().await;
        self.intake.end().await?;
        Ok(self.shelf.recorded())
    }
}

/// A gateway that serves what was recorded, and takes in nothing.
#[derive(Debug)]
pub struct Serving {
    server: Server,
    shelf: Arc<Shelf>,
}

impl Serving {
    /// Listens at `ip`, on a port that is free, and serves exactly `objects`.
    pub async fn start(ip: IpAddr, place: Place, objects: Vec<Verified>) -> io::Result<Self> {
        let names = Names::new(place.backup, &place.prefix)?;
        Self::over(ip, Shelf::new(Some(place), objects), names).await
    }

    /// Listens at `ip`, on a port that is free, and has nothing.
    pub async fn empty(ip: IpAddr) -> io::Result<Self> {
        let names = Names::new(BackupId::at(jiff::Timestamp::UNIX_EPOCH), PROBE)?;
        Self::over(ip, Shelf::new(None, Vec::new()), names).await
    }

    async fn over(ip: IpAddr, shelf: Shelf, names: Names) -> io::Result<Self> {
        let prefix = names.prefix().to_owned();
        let shelf = Arc::new(shelf);
        let service = Service::new(shelf.clone(), None, names);
        let server = Server::start(ip, service, &prefix).await?;
        Ok(Self { server, shelf })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

#[async_trait]
impl gateway::Serving for Serving {
    fn access(&self) -> &Access {
        self.server.access()
    }

    fn served(&self) -> u64 {
        self.shelf.room().moved()
    }

    async fn stop(mut self: Box<Self>) {
        self.server.stop().await;
    }
}
