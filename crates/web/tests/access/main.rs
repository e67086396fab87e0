//! Who gets in over the network port, and who does not: every route for everybody, and every way around that is known.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that died while it held a lock has failed anyway; and one has the service die"
)]

mod attacks;
mod platform;
mod roles;
mod scene;
mod sessions;
