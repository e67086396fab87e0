//! The program as a whole, on the real engine: one binary, one file for each concern.

mod by_hand;
mod common;
mod damage;
mod errors;
mod faults;
mod kills;
mod refuse;
mod unfinished;
mod whole;
