//! What the tests of all crates share. Nothing of the product depends on this crate.

pub mod conformance;
