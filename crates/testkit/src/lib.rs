//! What the tests of all crates share: fakes of every port around one simulated world, a decorator
//! that makes any call of any port fail, and the suites that every adapter must pass.
//!
//! Nothing of the product depends on this crate, and nothing here sleeps: time is tokio's, paused.

pub mod calls;
pub mod conformance;
pub mod disks;
pub mod fakes;
pub mod faults;
pub mod recorder;
pub mod sample;

pub use calls::{Call, Method};
pub use fakes::world::World;
pub use faults::{Failure, Faults};
pub use recorder::Recorder;
