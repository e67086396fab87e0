//! How long clients were down, by the engine's own account: neither tool's word is taken.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::testbed::Event;

/// From the moment at which the first client is told to stop to the last client's start. Every client must have ended and started.
pub(super) fn downtime(events: &[Event], clients: &BTreeSet<String>) -> Result<Duration> {
    let ends = of(events, clients, "die");
    let starts = of(events, clients, "start");
    for (what, seen) in [("ended", &ends), ("started", &starts)] {
        let services: BTreeSet<_> = seen.iter().map(|event| event.service.clone()).collect();
        ensure!(
            services == *clients,
            "the clients are {clients:?}, but the engine reports that {services:?} {what}"
        );
    }
    let told = of(events, clients, "kill");
    let first = told
        .iter()
        .map(|event| event.at)
        .min()
        .context("no client was told to stop")?;
    let last = starts.iter().map(|event| event.at).max().context("no client started")?;
    Ok(Duration::from_nanos(last.saturating_sub(first)))
}

fn of<'a>(events: &'a [Event], clients: &BTreeSet<String>, action: &str) -> Vec<&'a Event> {
    let wanted = |event: &&Event| event.action == action && clients.contains(&event.service);
    events.iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, action: &str, service: &str) -> Event {
        Event {
            at,
            action: action.to_owned(),
            command: String::new(),
            service: service.to_owned(),
            id: String::new(),
            container: String::new(),
            exit_code: None,
        }
    }

    #[test]
    fn from_the_first_word_to_a_client_to_the_last_start_of_one() {
        let clients = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let mut events = vec![
            event(5, "kill", "store"),
            event(8, "kill", "a"),
            event(9, "kill", "b"),
            event(10, "die", "b"),
            event(12, "die", "a"),
            event(50, "start", "b"),
        ];
        assert!(downtime(&events, &clients).is_err());
        events.extend([event(70, "start", "a"), event(90, "start", "store")]);
        assert_eq!(downtime(&events, &clients).unwrap(), Duration::from_nanos(62));
    }
}
