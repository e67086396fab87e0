//! What happened inside the standstills, from what the outsider said: that it was seen, and in how many.

use std::fmt::Write;

use anyhow::{Result, bail};

use super::window::Window;

/// How the numbers that the outsider says are to be read.
#[derive(Clone, Copy)]
enum Kind {
    /// It happened, as often as the number says.
    Deed,
    /// It counts up or down: it happened where the number changed.
    Counter,
}

/// What the outsider calls it, and what it is.
const THINGS: [(&str, Kind, &str); 14] = [
    (
        "autovacuum",
        Kind::Counter,
        "PostgreSQL: autovacuum of tables with dead rows",
    ),
    ("vacuum", Kind::Deed, "PostgreSQL: VACUUM from outside"),
    ("analyze", Kind::Deed, "PostgreSQL: ANALYZE from outside"),
    ("checkpoint", Kind::Deed, "PostgreSQL: CHECKPOINT from outside"),
    (
        "postgres-visitor",
        Kind::Deed,
        "PostgreSQL: idle sessions from outside, one in a transaction",
    ),
    ("expired_keys", Kind::Counter, "Valkey: keys that expire"),
    ("save", Kind::Deed, "Valkey: BGSAVE from outside"),
    ("rdb_saves", Kind::Counter, "Valkey: saves, on demand and by themselves"),
    ("valkey-visitor", Kind::Deed, "Valkey: an idle subscriber from outside"),
    ("messages", Kind::Counter, "NATS: messages that go by age"),
    (
        "markers",
        Kind::Counter,
        "NATS: markers that the server writes where a message went by age",
    ),
    (
        "consumers",
        Kind::Counter,
        "NATS: consumers that end because nobody uses them",
    ),
    (
        "redelivered",
        Kind::Counter,
        "NATS: messages delivered again, because nobody acknowledges them",
    ),
    ("nats-visitor", Kind::Deed, "NATS: an idle subscriber from outside"),
];

/// One line of the outsider's.
struct Line<'a> {
    at: f64,
    thing: &'a str,
    number: u64,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        Some(Self {
            at: words.next()?.parse().ok()?,
            thing: words.next()?,
            number: words.next()?.parse().ok()?,
        })
    }
}

/// By thing, in how many of the windows it was seen.
pub(super) struct Seen(Vec<(&'static str, usize)>);

impl Seen {
    pub(super) fn of(log: &str, windows: &[Window]) -> Self {
        let lines: Vec<Line> = log.lines().filter_map(Line::of).collect();
        let count = |thing: &str, kind: Kind| {
            windows
                .iter()
                .filter(|window| happened(&lines, window, thing, kind))
                .count()
        };
        Self(THINGS.map(|(thing, kind, words)| (words, count(thing, kind))).into())
    }

    /// Fails if something did not happen in at least half of so many standstills.
    pub(super) fn must_be_common(&self, standstills: usize) -> Result<()> {
        let rare = self.0.iter().filter(|(_, count)| count * 2 < standstills.max(1));
        let rare: Vec<_> = rare.map(|(words, count)| format!("{words}: {count}")).collect();
        if rare.is_empty() {
            return Ok(());
        }
        bail!(
            "of {standstills} standstills too few saw this, so nothing is proven of it: {}",
            rare.join("; ")
        )
    }

    pub(super) fn table(&self) -> String {
        let mut text = "| inside the standstill | backups |\n|---|---:|\n".to_owned();
        for (words, count) in &self.0 {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "| {words} | {count} |");
        }
        text
    }
}

fn happened(lines: &[Line], window: &Window, thing: &str, kind: Kind) -> bool {
    let inside = lines.iter().filter(|line| line.thing == thing && window.holds(line.at));
    let mut numbers = inside.map(|line| line.number);
    match kind {
        Kind::Deed => numbers.any(|number| number > 0),
        Kind::Counter => numbers
            .next()
            .is_some_and(|first| numbers.any(|number| number != first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "10.0 vacuum 1\n20.5 vacuum 1\n20.1 messages 7\n20.2 messages 7\n30.1 messages 7\n30.9 messages 6\n31.5 messages 5\n";

    fn windows() -> [Window; 2] {
        [20.0, 30.0].map(|begin| Window {
            begin,
            end: begin + 1.0,
        })
    }

    fn seen(words: &str) -> usize {
        let seen = Seen::of(LOG, &windows());
        seen.0.iter().find(|(thing, _)| thing.contains(words)).unwrap().1
    }

    #[test]
    fn what_happened_inside_counts_and_what_happened_outside_does_not() {
        assert_eq!(seen("VACUUM from outside"), 1);
        assert_eq!(seen("messages that go by age"), 1);
        assert_eq!(seen("keys that expire"), 0);
    }

    #[test]
    fn what_was_never_seen_is_no_proof() {
        let error = Seen::of(LOG, &windows()).must_be_common(2).unwrap_err().to_string();
        assert!(
            error.contains("keys that expire: 0") && !error.contains("VACUUM"),
            "{error}"
        );
    }
}
