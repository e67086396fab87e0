//! The program as a whole, on the real engine: one binary, one file for each concern.

mod by_hand;
mod common;
mod config;
mod conformance;
mod copied;
mod cron;
mod damage;
mod ddl;
mod errors;
mod faults;
mod kills;
mod logins;
mod nats;
mod neighbours;
mod page;
mod passwords;
mod postgres;
mod refuse;
mod s3_errors;
mod s3_faults;
mod s3_lease;
mod undo;
mod unfinished;
mod valkey;
mod whole;
mod written;
