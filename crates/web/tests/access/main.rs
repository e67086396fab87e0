//! Who gets in over the network port, and who does not: every route for everybody, and every way around that is known.

#![allow(clippy::unwrap_used)]

mod attacks;
mod platform;
mod roles;
mod scene;
mod sessions;
