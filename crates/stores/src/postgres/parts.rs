//! The databases of a record: what can be restored alone, and what may be missing afterwards.

use stillpoint_core::manifest::{Artifact, StoreRecord};

use super::drain::DATABASE;
use super::preflight::BYTES;

/// The databases that a record holds.
pub(super) fn databases(record: &StoreRecord) -> Vec<String> {
    let dumps = record.artifacts.iter().filter(|artifact| artifact.content == DATABASE);
    dumps.filter_map(|artifact| artifact.of.clone()).collect()
}

/// The record with these of its databases alone. What they need of room is guessed by their share of the dumps.
pub(super) fn only(record: &StoreRecord, wanted: &[String]) -> StoreRecord {
    let all = databases(record);
    let mut only = record.clone();
    only.artifacts
        .retain(|artifact| artifact.of.as_ref().is_none_or(|of| wanted.contains(of)));
    only.inventory
        .0
        .retain(|line, _| counted_in(line, &all).is_none_or(|of| wanted.contains(of)));
    if let Some(bytes) = only.facts.get_mut(BYTES)
        && let Ok(whole) = bytes.parse::<u64>()
    {
        *bytes = share(whole, dumped(&only.artifacts), dumped(&record.artifacts)).to_string();
    }
    only
}

/// The database that a line of an inventory speaks of. A name may begin as another one with a colon does.
fn counted_in<'a>(line: &str, databases: &'a [String]) -> Option<&'a String> {
    let is_of = |name: &&String| {
        line.strip_prefix(name.as_str())
            .is_some_and(|rest| rest.starts_with(": "))
    };
    databases.iter().filter(is_of).max_by_key(|name| name.len())
}

fn dumped(artifacts: &[Artifact]) -> u64 {
    let dumps = artifacts.iter().filter(|artifact| artifact.content == DATABASE);
    dumps.map(|artifact| artifact.size).sum()
}

fn share(whole: u64, part: u64, of: u64) -> u64 {
    let share = u128::from(whole) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_database_that_it_names_and_of_no_other() {
        let all = ["a".to_owned(), "a: b".to_owned()];
        assert_eq!(counted_in("a: rows of public.t", &all), Some(&all[0]));
        assert_eq!(counted_in("a: b: rows of public.t", &all), Some(&all[1]));
        assert_eq!(counted_in("ab: rows of public.t", &all), None);
    }

    #[test]
    fn a_tenth_of_the_dumps_needs_a_tenth_of_the_room() {
        assert_eq!(share(1000, 1, 10), 100);
        assert_eq!(share(u64::MAX, 7, 7), u64::MAX);
        assert_eq!(share(1000, 0, 0), 0);
    }
}
