//! The names under which old data is set aside: they follow from what it is the data of, so that whoever
//! comes after a death knows them.

use sha2::{Digest, Sha256};

const PREFIX: &str = "sp_";

/// The name for what belongs to `name`: `sp_` and the first eight hexadecimal digits of its SHA-256.
/// Short, because PostgreSQL cuts names at 63 bytes without a word (manual §4.1.1).
pub(crate) fn short_name(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    format!("{PREFIX}{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

/// Whether a name is one that [`short_name`] gives.
pub(crate) fn is_short_name(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or("");
    digits.len() == 8 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_follows_from_what_it_stands_for() {
        assert_eq!(short_name("openwebui"), short_name("openwebui"));
        assert_ne!(short_name("openwebui"), short_name("langfuse"));
        assert!(is_short_name(&short_name("we \"ird' db")));
    }

    #[test]
    fn a_users_name_is_not_taken_for_one() {
        for name in [
            "sp_",
            "sp_12345678x",
            "sp_1234567",
            "sp_ABCDEF01",
            "spare",
            "sp_notes___",
        ] {
            assert!(!is_short_name(name), "{name}");
        }
    }
}
