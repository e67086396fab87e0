//! The rules of Stillpoint: what is stopped and why, when a store's point in time is fixed, when a
//! backup counts, what a restore may overwrite.
//!
//! Nothing here knows Docker, a network, a file or a clock: the world is reached through [`ports`],
//! whose adapters live in other crates (this crate's `clippy.toml` bans the short cuts). Nothing
//! here prints: what happens is told as [`events`].

pub mod backups;
pub mod command_line;
mod directory;
pub mod doctor;
pub mod engine;
pub mod events;
pub mod findings;
pub mod hashing;
pub mod history;
pub mod logins;
pub mod maintenance;
pub mod manifest;
pub mod names;
mod objects;
pub mod operations;
pub mod ports;
pub mod retention;
pub mod schedule;
pub mod selection;
pub mod sink;
pub mod stores;
pub mod words;
pub mod workload;
