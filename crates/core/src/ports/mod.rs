//! Everything the rules need from the world, one capability a file. A holder of one capability
//! cannot reach another: a store is handed [`Shell`] and [`Reach`] and so cannot stop anything.
//!
//! Each method's prose is its contract: the adapters' conformance suite in the testkit checks it,
//! and the fakes are held to the same suite.

pub mod accounts;
pub mod buckets;
pub mod catalog;
pub mod clock;
pub mod engine_error;
pub mod gateway;
pub mod history;
pub mod job;
pub mod journal;
pub mod lock;
pub mod neighbour;
pub mod notices;
pub mod power;
pub mod reach;
pub mod repository;
pub mod shell;
pub mod spool;
pub mod workers;

pub use accounts::Accounts;
pub use buckets::{BucketOf, Buckets};
pub use catalog::{Catalog, EngineVersion, Lost};
pub use clock::{Clock, Overdue, within};
pub use engine_error::EngineError;
pub use gateway::Gateway;
pub use history::History;
pub use journal::Journal;
pub use lock::{Guard, Locks};
pub use neighbour::Neighbour;
pub use notices::Outbox;
pub use power::Power;
pub use reach::{ByteStream, Forward, Reach};
pub use repository::{Key, Repository, RepositoryError, Upload};
pub use shell::{Command, Control, Exit, Process, Shell};
pub use spool::{Spool, SpoolError, SpoolFile};
pub use workers::Workers;
