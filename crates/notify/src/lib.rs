//! What an operator is told who is not looking: notices to the channels that he has named, and heartbeats to whoever watches
//! from outside that jobs come at all.
//!
//! Nothing here decides anything about a run, and no run waits for it: every attempt is bounded, and what fails is attempted
//! again from the outbox. An address is a secret as a whole: of a channel only its kind and its host are ever shown.

mod address;
mod channels;
mod compose;
mod heartbeats;
mod hex;
mod post;
mod sender;
#[cfg(test)]
mod tests;

pub use self::address::{Refusal, parted};
pub use self::channels::{Channel, Channels, channels};
pub use self::compose::{Place, begun, digest, ended, job_word, not_recovered, overdue, test, unreadable};
pub use self::heartbeats::{Beat, Heartbeat, Heartbeats, Patience, heartbeats};
pub use self::post::{Answer, Post, Told};
pub use self::sender::{ATTEMPT, Carrier, Sender};
