//! Versions of servers. An older one refuses what a newer one wrote, and it does so when the live stream
//! is gone already: so we refuse first. Pure.

use super::archive::ENTRIES_SINCE;

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

/// Whether the server hands out its own blocks, in which deleted messages may still lie: those before 2.15. What is
/// not known is older.
pub(super) fn packs_whole_blocks(server: &str) -> bool {
    numbers(server).is_none_or(|version| version < ENTRIES_SINCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_before_2_15_hand_out_blocks() {
        assert!(packs_whole_blocks("2.14.5"));
        assert!(packs_whole_blocks("unknown"));
        assert!(!packs_whole_blocks("2.15.0"));
        assert!(!packs_whole_blocks("2.15.0-beta.1"));
    }

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
