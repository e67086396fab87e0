//! How often somebody may guess a password: so many times in a quarter of an hour, by address and by name. Of an address of
//! IPv6 its network counts (/64: one host has as many addresses as it likes). What is remembered is bounded.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Over this span attempts are counted.
const SPAN: SignedDuration = SignedDuration::from_mins(15);

/// So many from one address.
const BY_ADDRESS: u32 = 10;

/// So many for one name, from wherever: more, or anybody could keep somebody out from a single address.
const BY_NAME: u32 = 50;

/// So many addresses, and so many names, are remembered.
const REMEMBERED: usize = 4096;

/// No further attempt yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// For so long.
    pub(crate) seconds: u64,
    /// It is the first that is refused in its span.
    pub(crate) is_first: bool,
}

#[derive(Default)]
pub(crate) struct Attempts {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    addresses: BTreeMap<IpAddr, Count>,
    names: BTreeMap<String, Count>,
}

#[derive(Clone, Copy)]
struct Count {
    since: Timestamp,
    attempts: u32,
}

impl Attempts {
    /// Counts an attempt before it is looked at: those that come side by side are all counted.
    pub(crate) fn begin(&self, address: IpAddr, name: &str, now: Timestamp) -> Result<(), Wait> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counted(&mut counts.addresses, network(address), BY_ADDRESS, now)?;
        counted(&mut counts.names, same(name), BY_NAME, now)
    }

    /// The attempt was no guess.
    pub(crate) fn succeeded(&self, address: IpAddr, name: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut *counts;
        let both = [
            counts.addresses.get_mut(&network(address)),
            counts.names.get_mut(&same(name)),
        ];
        for count in both.into_iter().flatten() {
            count.attempts = count.attempts.saturating_sub(1);
        }
    }
}

fn counted<K: Ord + Clone>(counts: &mut BTreeMap<K, Count>, key: K, most: u32, now: Timestamp) -> Result<(), Wait> {
    let left = |count: &Count| SPAN - now.duration_since(count.since);
    if !counts.contains_key(&key) && counts.len() >= REMEMBERED {
        counts.retain(|_, count| left(count).is_positive());
        forget_oldest(counts);
    }
    let fresh = Count {
        since: now,
        attempts: 0,
    };
    let count = counts.entry(key).or_insert(fresh);
    // A clock that was set back must not keep anybody out for longer.
    if !left(count).is_positive() || now < count.since {
        *count = fresh;
    }
    count.attempts = count.attempts.saturating_add(1);
    if count.attempts <= most {
        return Ok(());
    }
    Err(Wait {
        seconds: left(count).as_secs().unsigned_abs() + 1,
        is_first: count.attempts == most + 1,
    })
}

/// Where all are remembered that may be, the older half goes: to look for the oldest each time would be work that anybody could
/// cause.
fn forget_oldest<K: Ord>(counts: &mut BTreeMap<K, Count>) {
    if counts.len() < REMEMBERED {
        return;
    }
    let mut since: Vec<Timestamp> = counts.values().map(|count| count.since).collect();
    since.sort_unstable();
    let middle = since[since.len() / 2];
    let mut goes = REMEMBERED / 2;
    counts.retain(|_, count| {
        let stays = count.since > middle || goes == 0;
        goes -= usize::from(!stays);
        stays
    });
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Of a name that is too long for a name its begin is enough.
fn same(name: &str) -> String {
    name.to_ascii_lowercase().chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_that_has_guessed_ten_times_waits_for_the_rest_of_the_span() {
        let attempts = Attempts::default();
        for _ in 0..BY_ADDRESS {
            assert_eq!(attempts.begin(address(1), "anna", at(0)), Ok(()));
        }
        let wait = attempts.begin(address(1), "anna", at(60)).unwrap_err();
        assert_eq!((wait.seconds, wait.is_first), (14 * 60 + 1, true));
        assert!(!attempts.begin(address(1), "bert", at(61)).unwrap_err().is_first);
        assert_eq!(attempts.begin(address(2), "anna", at(61)), Ok(()), "others may");
        assert_eq!(attempts.begin(address(1), "anna", at(15 * 60)), Ok(()), "it is over");
    }

    #[test]
    fn a_name_is_guessed_no_more_often_from_many_addresses() {
        let attempts = Attempts::default();
        let guessed = (0..=255).filter(|last| attempts.begin(address(*last), "Anna", at(0)).is_ok());
        assert_eq!(guessed.count(), BY_NAME as usize);
        assert!(attempts.begin(address(1), "bert", at(0)).is_ok());
    }

    #[test]
    fn who_knows_the_password_is_not_counted() {
        let attempts = Attempts::default();
        for _ in 0..1000 {
            assert_eq!(attempts.begin(address(1), "anna", at(0)), Ok(()));
            attempts.succeeded(address(1), "anna");
        }
    }

    #[test]
    fn neighbours_of_one_network_of_ipv6_are_one() {
        let attempts = Attempts::default();
        let guess = |last: u16| attempts.begin(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 9, 9, 9, last).into(), "anna", at(0));
        let guessed = (0..100).filter(|last| guess(*last).is_ok());
        assert_eq!(guessed.count(), BY_ADDRESS as usize);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_is_forgotten_first() {
        let attempts = Attempts::default();
        for number in 0..20_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let _ = attempts.begin(address, &number.to_string(), at(i64::from(number) / 100));
        }
        let counts = attempts.counts.lock().unwrap();
        assert!(counts.addresses.len() <= REMEMBERED && counts.names.len() <= REMEMBERED);
        assert!(counts.names.contains_key("19999") && !counts.names.contains_key("0"));
    }
}
