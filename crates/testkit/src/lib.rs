//! What tests and tasks need and the product must never contain: fakes of every port around one
//! simulated world, a decorator that makes any call of any port fail, the suites that every adapter
//! must pass, and a testbed of real engines. Nothing of the product depends on this crate.

pub mod bucket;
pub mod calls;
pub mod conformance;
pub mod dagster;
pub mod disks;
pub mod fakes;
pub mod faults;
pub mod lone_postgres;
pub mod patience;
pub mod product;
pub mod proxy;
pub mod recorder;
pub mod rounds;
pub mod s3_proxy;
pub mod sample;
pub mod seaweed;
pub mod second_engine;
pub mod stage;
pub mod testbed;
pub mod tree;

pub use calls::{Call, Method};
pub use fakes::world::World;
pub use faults::{Failure, Faults};
pub use recorder::Recorder;
