//! A Docker Engine, through its HTTP API: one file per capability, and one table of errors.
//!
//! Nothing here decides what to stop or when. Every call has a deadline; what a call began outside
//! (a process, a claim) is named so that it can be ended by whoever finds it.
//!
//! Facts about the engine that stand in comments were tried on Docker Engine 20.10 (API 1.41).

mod buckets;
mod catalog;
mod claim;
mod connect;
mod contents;
mod dial;
mod errors;
mod exec;
mod forward;
mod gateway;
mod host;
mod keep_alive;
mod kill;
mod lost;
mod neighbours;
mod output;
mod power;
mod process;
mod reach;
mod reap;
mod running;
mod serving;
mod sibling;
mod signal;
mod translate;
mod usage;

pub use connect::Docker;
pub use serving::Server;
