//! Upkeep of Dagster's databases: how long which rows stay, how fast they go, and what is said of it. Pure: the statements are
//! made and run elsewhere, behind [`Upkeep`](crate::stores::Upkeep).

mod pace;
mod report;
mod rules;

pub use pace::{Follow, Pace, ticks};
pub use report::{
    Cleaned, CleanedDatabase, DatabaseStatus, Found, Handled, IndexStatus, Repacked, RepackedDatabase, RepackedTable,
    Status, TableStatus,
};
pub use rules::{CleanupWish, Handler, Rules};
