//! A listener that keeps what it hears, so that a test can assert on the story that was told.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stillpoint_core::events::{Event, EventKind, Listener, Step};

/// Keeps every event.
#[derive(Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was heard, in order.
    pub fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// What was heard, without when and by whom.
    pub fn kinds(&self) -> Vec<EventKind> {
        self.lock().iter().map(|event| event.kind.clone()).collect()
    }

    /// The warnings.
    pub fn warnings(&self) -> Vec<String> {
        let warning = |kind| match kind {
            EventKind::Warning { message } => Some(message),
            _ => None,
        };
        self.kinds().into_iter().filter_map(warning).collect()
    }

    /// The steps that began, in order.
    pub fn steps(&self) -> Vec<Step> {
        let began = |kind| match kind {
            EventKind::StepBegan { step } => Some(step),
            _ => None,
        };
        self.kinds().into_iter().filter_map(began).collect()
    }

    /// How often an event was told that satisfies this.
    pub fn count(&self, is: impl Fn(&EventKind) -> bool) -> usize {
        self.kinds().iter().filter(|kind| is(kind)).count()
    }
}

impl Listener for Recorder {
    fn hear(&self, event: &Event) {
        self.lock().push(event.clone());
    }
}
