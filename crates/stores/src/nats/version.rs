//! Versions of servers. An older one refuses what a newer one wrote, and it does so when the live stream
//! is gone already: so we refuse first. Pure.

/// The numbers of a version; none of a text that is none.
pub(super) fn numbers(version: &str) -> Option<[u64; 3]> {
    let plain = version.trim_start_matches('v');
    let plain = plain.split(['-', '+']).next().unwrap_or(plain);
    let mut parts = plain.split('.').map(str::parse);
    let mut next = || parts.next()?.ok();
    Some([next()?, next()?, next().unwrap_or(0)])
}

/// Whether a server is older than another. What is not known is not older.
pub(super) fn is_older(server: &str, than: &str) -> bool {
    match (numbers(server), numbers(than)) {
        (Some(server), Some(than)) => server < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older("2.9.10", "2.15.1"));
        assert!(is_older("2.15.1", "2.15.2"));
        assert!(!is_older("2.15.1", "2.15.1"));
        assert!(!is_older("2.16.0-beta.1", "2.15.1"));
        assert!(!is_older("v2.15.1", "2.9.10"));
        assert!(!is_older("2.9.10", "unknown"));
    }
}
