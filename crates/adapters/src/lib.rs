//! The rim: what the rules need from the world, done with real engines, files and clocks. Nothing
//! here decides anything; each adapter is held to its port's prose by the suites of the testkit.

mod awake;
pub mod clock;
pub mod docker;
pub mod gateway;
pub mod ledger;
pub mod lock;
pub mod repository;
pub mod spool;
pub mod traced;
pub mod workers;
