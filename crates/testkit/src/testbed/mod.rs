//! The testbed: a small platform of real engines in real containers, for tests, for `make demo` and for measurements.
//!
//! Synchronous and through the `docker` program only: what the product does over the engine's API must not be checked with the product's own code.
//! Nothing is cleaned up in `Drop`: a failed test leaves its platform for a look, and the next run removes it ([`reap`]).

mod beside;
mod clickhouse;
pub(crate) mod containers;
pub(crate) mod docker;
mod dump;
mod events;
mod guest;
mod milvus;
mod nats;
mod neo4j;
pub(crate) mod owner;
pub(crate) mod places;
mod platform;
mod psql;
pub(crate) mod reap;
mod seed;
mod stores;
mod ticks;
mod truth;
mod valkey;
mod witness;
mod wreck;

pub use containers::{ContainerState, Health, Status};
pub use docker::use_engine;
pub use events::{Event, Events};
pub use nats::Nats;
pub use places::{browser_tools, html_validate, images, promtool, schemathesis, screens};
pub use platform::{Chosen, Shape, Testbed, WitnessMode};
pub use reap::reap;
pub use ticks::Stop;
pub use truth::{Facts, Truth};
pub use witness::WitnessState;
