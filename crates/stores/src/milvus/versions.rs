//! Which versions fit each other: metadata is read by servers of the same minor version.

/// The major and the minor version in a server's own words: `v2.3.5-lite`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Why metadata of `from` is not given to a server of `to`; none if it may be.
pub(super) fn misfit(from: &str, to: &str) -> Option<String> {
    match (minor(from), minor(to)) {
        (Some(from), Some(to)) if from == to => None,
        _ => Some(format!(
            "the backup is of Milvus {from}, and this is {to}: its files are read by a server of the same minor version; start that one \
             first, restore, then upgrade"
        )),
    }
}

/// Why a server cannot be copied; none if it can.
pub(super) fn too_old(version: &str) -> Option<String> {
    let is_old = minor(version).is_none_or(|version| version < (2, 3));
    is_old.then(|| format!("it is Milvus {version}: 2.3 is the oldest that is supported"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_minor_version_fits() {
        assert_eq!(misfit("v2.3.5-lite", "v2.3.9"), None);
        assert!(misfit("v2.3.5", "v2.4.1").unwrap().contains("same minor version"));
        assert!(misfit("v2.3.5", "latest").is_some());
        assert_eq!(too_old("v2.3.5-lite"), None);
        assert!(too_old("2.2.16").is_some() && too_old("").is_some());
    }
}
