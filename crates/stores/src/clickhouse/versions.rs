//! Versions of servers. An older one need not read what a newer one has written: so we refuse first. Pure.

/// The release of a version: `26.9` of `26.9.2.1`; none of a text that is none.
fn release(version: &str) -> Option<[u32; 2]> {
    let mut parts = version.trim().split('.').map(str::parse);
    let mut next = || parts.next()?.ok();
    Some([next()?, next()?])
}

/// Why a server may not be given what another has written; none if it may. What is not known is let through: others made it.
pub(super) fn refuses(server: &str, backup: &str) -> Option<String> {
    match (release(server), release(backup)) {
        (Some(ours), Some(theirs)) if ours < theirs => Some(format!(
            "the backup is of ClickHouse {backup}, the server is the older {server}, which need not read it: use an image of \
             ClickHouse {backup} or newer"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_release_is_refused() {
        for (server, backup, fits) in [
            ("26.9.2.1", "26.9.2.1", true),
            ("26.9.1.1", "26.9.2.1", true),
            ("26.8.9.1", "26.9.2.1", false),
            ("25.12.1.1", "26.1.1.1", false),
            ("26.10.1.1", "26.9.2.1", true),
            ("26.9.2.1", "", true),
        ] {
            assert_eq!(refuses(server, backup).is_none(), fits, "{backup} into {server}");
        }
    }
}
