//! The one sequence behind every job: look, claim, stop, capture or load, start, seal. Each act is
//! declared beside what undoes it, and every way out of a job passes the undo.
//!
//! [`standstill`] alone holds the power to stop and start; everything else asks it.

mod await_jobs;
mod await_work;
pub mod backup;
pub mod claim;
mod deadline;
pub mod errors;
mod greet;
mod healing;
mod hints;
pub mod keep;
pub mod limits;
pub mod look;
pub mod machine;
mod marked_shell;
mod missing;
mod moment;
pub(crate) mod one_shots;
pub mod plan;
pub mod platform;
pub mod prune;
pub mod recovery;
pub mod remove;
pub mod restore;
pub(crate) mod room;
mod seal;
pub mod site;
pub mod standstill;
pub mod start;
pub mod startable;
pub mod stores;
mod strangers;
pub mod unprotected;
mod waves;

pub(crate) use deadline::asked;
