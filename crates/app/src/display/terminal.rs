//! Bars: one for each store, and above them the clock that an operator watches.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use stillpoint_core::events::{Event, EventKind};
use stillpoint_core::names::StoreName;

use super::{locale, words};

/// The clock moves twice a second, so that no second is skipped.
const TICK: Duration = Duration::from_millis(500);

/// Shows the events until the last sender is gone.
pub(super) fn bars(events: &Receiver<Event>, usually: Option<String>) {
    let mut screen = Screen::new(usually);
    loop {
        match events.recv_timeout(TICK) {
            Ok(event) => screen.show(&event.kind),
            Err(RecvTimeoutError::Timeout) => screen.tick(),
            Err(RecvTimeoutError::Disconnected) => return screen.clear(),
        }
    }
}

struct Screen {
    all: MultiProgress,
    clock: ProgressBar,
    down_since: Option<Instant>,
    /// What such a run usually takes, in words.
    usually: Option<String>,
    stores: BTreeMap<StoreName, ProgressBar>,
}

impl Screen {
    fn new(usually: Option<String>) -> Self {
        let all = MultiProgress::new();
        let clock = all.add(ProgressBar::new_spinner().with_style(style("{spinner} {msg}")));
        Self {
            all,
            clock,
            down_since: None,
            usually,
            stores: BTreeMap::new(),
        }
    }

    fn show(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Progress {
                store,
                artifact,
                bytes,
                total,
            } => self.progress(store, artifact.as_str(), *bytes, *total),
            EventKind::StepBegan { .. } => {
                let step = words::sentence(kind).unwrap_or_default();
                self.clock.set_message(locale::shown(&step).into_owned());
            }
            EventKind::ClientsGoDown { .. } => self.down_since = Some(Instant::now()),
            EventKind::ClientsAreBack { .. } => self.down_since = None,
            _ => {}
        }
        let is_step = matches!(kind, EventKind::StepBegan { .. });
        if let Some(sentence) = words::sentence(kind).filter(|_| !is_step) {
            // A terminal that is gone cannot be written to; the run goes on.
            let _ = self.all.println(locale::shown(&sentence));
        }
        self.tick();
    }

    fn progress(&mut self, store: &StoreName, artifact: &str, bytes: u64, total: Option<u64>) {
        let bar = self
            .stores
            .entry(store.clone())
            .or_insert_with(|| self.all.add(ProgressBar::no_length()));
        match total {
            Some(total) => {
                bar.set_style(style(
                    "  {prefix} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left {msg}",
                ));
                bar.set_length(total);
            }
            None => bar.set_style(style("  {prefix} {spinner} {bytes} {binary_bytes_per_sec} {msg}")),
        }
        bar.set_prefix(store.to_string());
        bar.set_message(artifact.to_owned());
        bar.set_position(bytes);
    }

    fn tick(&self) {
        let usually = self
            .usually
            .as_ref()
            .map_or_else(String::new, |usually| format!(" ({usually})"));
        if let Some(since) = self.down_since {
            self.clock
                .set_prefix(format!("{}{usually}", words::clock(since.elapsed())));
            self.clock.set_style(style("{spinner} clients down {prefix} · {msg}"));
        } else {
            self.clock.set_prefix(usually);
            self.clock.set_style(style("{spinner} {msg}{prefix}"));
        }
        self.clock.tick();
    }

    fn clear(&self) {
        let _ = self.all.clear();
    }
}

/// Templates are constants of this file; one that is wrong shows as indicatif's default.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(&locale::shown(template)).unwrap_or_else(|_| ProgressStyle::default_bar());
    match locale::spinner() {
        Some(frames) => style.tick_chars(frames),
        None => style,
    }
}
