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
mod verify;
mod writer;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stillpoint_core::names::BackupId;
use stillpoint_core::ports::{Repository, RepositoryError, Workers};

pub use access::Access;
use intake::Intake;
use names::Names;
pub use room::Memory;
use server::Server;
use service::Service;
use shelf::Shelf;
pub use verify::{Unfit, Verified, verify};

/// Where a gateway's objects lie.
#[derive(Clone)]
pub struct Place {
    /// The repository.
    pub repository: Arc<dyn Repository>,
    /// What computes the hashes.
    pub workers: Arc<dyn Workers>,
    /// The backup in whose directory the objects lie: the bucket of the clients.
    pub backup: BackupId,
    /// The directory below it that the clients may use: at least one name, no slash at either end.
    pub prefix: String,
}

/// An object that a store has written: a line of `objects.jsonl.gz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place below the backup's directory.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

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
        let shelf = Arc::new(Shelf::new(&place, Vec::new()));
        let intake = Arc::new(Intake::new(&place, shelf.clone()));
        let service = Service::new(shelf.clone(), Some(intake.clone()), Names::new(&place)?);
        let server = Server::start(ip, service, &place.prefix).await?;
        Ok(Self { server, shelf, intake })
    }

    /// How a client reaches it.
    pub fn access(&self) -> &Access {
        self.server.access()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What its requests hold in memory.
    pub fn memory(&self) -> Memory {
        self.intake.memory()
    }

    /// Ends it, and says what was written, by name. What was not completed by then is given up. Fails where something of it
    /// could not be removed.
    pub async fn finish(mut self) -> Result<Vec<Recorded>, RepositoryError> {
        self.server.stop().await;
        self.intake.end().await?;
        Ok(self.shelf.recorded())
    }
}

/// A gateway that serves what was recorded, and takes in nothing.
#[derive(Debug)]
pub struct Serving {
    server: Server,
}

impl Serving {
    /// Listens at `ip`, on a port that is free, and serves exactly `objects`.
    pub async fn start(ip: IpAddr, place: Place, objects: Vec<Verified>) -> io::Result<Self> {
        let shelf = Arc::new(Shelf::new(&place, objects));
        let service = Service::new(shelf, None, Names::new(&place)?);
        let server = Server::start(ip, service, &place.prefix).await?;
        Ok(Self { server })
    }

    /// How a client reaches it.
    pub fn access(&self) -> &Access {
        self.server.access()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Ends it, and every connection to it.
    pub async fn stop(mut self) {
        self.server.stop().await;
    }
}
