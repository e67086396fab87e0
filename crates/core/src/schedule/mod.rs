//! Work that comes by itself, and the order in which work is done: when a job is due (`calendar`, `due`), when it is overdue
//! (`standing`), who waits for whom (`queue`), and what meets what (`windows`). Pure: time and runs are handed in, nothing is started here.

mod calendar;
mod due;
mod queue;
mod standing;
#[cfg(test)]
mod tests;
mod windows;

pub use calendar::{Calendar, NotACalendar};
pub use due::Due;
pub use queue::{Cancel, Queue, Tag, Urgency};
pub use standing::{Standing, Success};
pub use windows::{Meeting, NotAWindow, Usual, Window, meetings};

use std::time::Duration;

/// When a job comes by itself.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The times.
    pub calendar: Calendar,
    /// How late a run may still begin whose time was missed, and after how long without a success the job is overdue.
    pub catch_up: Duration,
}
