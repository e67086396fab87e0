//! A store: something stateful whose data is backed up. The engine decides when; a store only knows
//! how. It is handed a [`Cx`] with which nothing can be stopped or started.
//!
//! Here stands what the engine asks of every kind of store; the kinds themselves live in a crate of their own.

mod at_rest;
mod cx;
mod error;
mod kind;
mod neighbours;
mod pinned;
mod quiet;
mod reasons;
mod recognition;
mod staged;
mod store;
mod together;
mod upkeep;
mod way_back;

pub use at_rest::AtRest;
pub use cx::Cx;
pub use error::{Cause, StoreError};
pub use kind::Kind;
pub use neighbours::Neighbours;
pub use pinned::{Drained, Pinned};
pub use quiet::{AsEver, Quiet};
pub use reasons::Reasons;
pub use recognition::{Greeting, Recognition};
pub use staged::{Gap, Staged};
pub use store::{Footing, InVolume, Preflight, Source, Store, Written};
pub use together::{MayBeCancelled, together};
pub use upkeep::Upkeep;
pub use way_back::{Aside, Copied, Old, WayBack};
