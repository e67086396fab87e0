//! Versions of servers. A load by an older one destroys what was there and ends with an error: so we refuse first. Pure.

/// The numbers of a version: `5.26.30`, `2026.08.1`; none of a text that is none.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let plain = version.split(['-', '+']).next().unwrap_or(version);
    let mut parts = plain.trim().split('.').map(str::parse);
    let mut next = || parts.next()?.ok();
    Some([next()?, next()?, next().unwrap_or(0)])
}

/// Why a server may not be given what another has dumped; none if it may. What is not known is let through: others made it.
pub(super) fn refuses(server: &str, backup: &str) -> Option<String> {
    match (numbers(server), numbers(backup)) {
        (Some(ours), Some(theirs)) if ours < theirs => Some(format!(
            "the backup is of Neo4j {backup}, the server is the older {server}, and there is no way down: use an image of Neo4j \
             {backup} or newer"
        )),
        _ => None,
    }
}

/// Why a server of this version or edition is not backed up; none if it is.
pub(super) fn unsupported(version: &str, edition: &str) -> Option<String> {
    if edition != "community" {
        return Some(format!(
            "it is Neo4j {version}, edition {edition}: only the Community edition is supported (the Enterprise edition has \
             backups of its own: `neo4j-admin database backup`)"
        ));
    }
    match numbers(version) {
        Some([major, ..]) if major < 5 => Some(format!("it is Neo4j {version}: versions before 5 are not supported")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_way_down() {
        for (server, backup, fits) in [
            ("5.26.30", "5.26.30", true),
            ("5.26.30", "5.26.5", true),
            ("5.26.5", "5.26.30", false),
            ("5.9.0", "5.13.0", false),
            ("2026.08.1", "5.26.30", true),
            ("5.26.30", "2025.01.0", false),
            ("2025.12.0", "2026.02.1", false),
            ("5.26.30", "", true),
        ] {
            assert_eq!(refuses(server, backup).is_none(), fits, "{backup} into {server}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        assert_eq!(unsupported("5.26.30", "community"), None);
        assert_eq!(unsupported("2026.08.1", "community"), None);
        assert!(unsupported("5.26.30", "enterprise").unwrap().contains("enterprise"));
        assert!(unsupported("4.4.30", "community").unwrap().contains("before 5"));
    }
}
