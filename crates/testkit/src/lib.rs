//! What tests and tasks need and the product must never contain. No crate of the product depends on this one outside its tests.
pub mod product;
pub mod proxy;
pub mod second_engine;
pub mod testbed;
