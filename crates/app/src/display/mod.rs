//! Showing a run while it runs. A display hears events on a thread of its own: a slow terminal or a
//! blocked pipe never slows a backup, and the run's outcome never depends on it.

pub(crate) mod plain;
pub(crate) mod print;
mod terminal;
pub(crate) mod words;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use stillpoint_core::events::{Event, Listener};

use crate::diagnostics::are_told;

/// A running display.
pub(crate) struct Display {
    events: Sender<Event>,
    thread: JoinHandle<()>,
}

impl Display {
    /// Bars on a terminal, plain lines elsewhere and beside diagnostics, JSON lines if asked for.
    pub(crate) fn start(json: bool) -> Self {
        let (events, heard) = channel();
        let show: fn(&Receiver<Event>) = match (json, std::io::stderr().is_terminal() && !are_told()) {
            (true, _) => plain::json_lines,
            (false, true) => terminal::bars,
            (false, false) => plain::lines,
        };
        Self {
            events,
            thread: std::thread::spawn(move || show(&heard)),
        }
    }

    /// What feeds it.
    pub(crate) fn listener(&self) -> Arc<dyn Listener> {
        Arc::new(Ear(self.events.clone()))
    }

    /// Shows what is still unshown. Call it when the run is over and its listeners are gone.
    pub(crate) fn finish(self) {
        drop(self.events);
        // A display that panicked has nothing more to show; the run's outcome follows anyway.
        let _ = self.thread.join();
    }
}

struct Ear(Sender<Event>);

impl Listener for Ear {
    fn hear(&self, event: &Event) {
        // Nobody listens any more: the display died, and that must not stop a run.
        let _ = self.0.send(event.clone());
    }
}
