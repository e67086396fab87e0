//! The service's own log: lines on standard error, written by a thread of its own. A pipe that nobody reads must not hold up a
//! run, least of all while clients are down: then lines are lost.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::display::print;

/// So many lines may wait for whoever reads them.
const WAITING: usize = 10_000;

/// How long the end of the service waits for its last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

enum Entry {
    Line(String),
    /// All lines before this are to be written.
    Flush(SyncSender<()>),
}

/// Where lines go.
#[derive(Clone)]
pub(super) struct Log(SyncSender<Entry>);

impl Log {
    /// Begins to write.
    pub(super) fn start() -> Self {
        Self::written_by(print::error)
    }

    fn written_by(write: impl Fn(&str) + Send + 'static) -> Self {
        let (entries, heard) = sync_channel(WAITING);
        std::thread::spawn(move || write_all(&heard, write));
        Self(entries)
    }

    /// A line. Returns at once.
    pub(super) fn say(&self, line: impl Into<String>) {
        // Full: nobody reads.
        let _ = self.0.try_send(Entry::Line(line.into()));
    }

    /// Waits a little until all of it is written.
    pub(super) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.0.try_send(Entry::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(LAST_LINES);
        }
    }
}

fn write_all(entries: &Receiver<Entry>, write: impl Fn(&str)) {
    for entry in entries {
        match entry {
            Entry::Line(line) => write(&line),
            Entry::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn who_speaks_never_waits_for_who_does_not_read() {
        let (go, may_go) = channel::<()>();
        let written: Arc<Mutex<usize>> = Arc::default();
        let count = written.clone();
        let log = Log::written_by(move |_| {
            // Blocked until the test lets go of its end.
            let _ = may_go.recv();
            *count.lock().unwrap() += 1;
        });
        for number in 0..2 * WAITING {
            log.say(number.to_string());
        }
        drop(go);
        // There is room for it once some lines are written.
        while *written.lock().unwrap() < WAITING {
            std::thread::yield_now();
        }
        log.flush();
        let written = *written.lock().unwrap();
        assert!((WAITING..2 * WAITING).contains(&written), "{written} lines");
    }
}
