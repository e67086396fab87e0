//! Showing a run while it runs. A display hears events on a thread of its own: a slow terminal or a
//! blocked pipe never slows a backup, and the run's outcome never depends on it.

pub(crate) mod form;
mod locale;
pub(crate) mod plain;
pub(crate) mod print;
mod terminal;
pub(crate) mod words;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use stillpoint_core::events::{Event, Listener};

use self::form::Form;
use crate::diagnostics::are_told;

/// A running display.
pub(crate) struct Display {
    events: Sender<Event>,
    thread: JoinHandle<()>,
}

impl Display {
    /// Shows what it hears from now on.
    pub(crate) fn start(form: Form) -> Self {
        Self::start_as(form, None)
    }

    /// The same, of a run that is known to take so much, in words.
    pub(crate) fn start_as(form: Form, usually: Option<String>) -> Self {
        let (events, heard) = channel();
        let bars = std::io::stderr().is_terminal() && !are_told();
        let show = move || match form {
            Form::Json => plain::json_lines(&heard),
            Form::Quiet => plain::warnings(&heard),
            Form::Usual if bars => terminal::bars(&heard, usually),
            Form::Usual => plain::lines(&heard, usually.as_deref()),
        };
        Self {
            events,
            thread: std::thread::spawn(show),
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
