//! Secrets that are made here: 256 bits of the system's randomness each. What is kept of one is its SHA-256; to look for a
//! hash tells nobody how close a guess was.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use stillpoint_core::ports::accounts::Hashed;

/// What tokens begin with, so that whoever finds one knows whose it is.
const TOKEN: &str = "stillpoint_";

/// A secret that nobody has seen.
pub fn fresh() -> String {
    hex(&rand::random::<[u8; 32]>())
}

/// The same for a program.
pub fn fresh_token() -> String {
    format!("{TOKEN}{}", fresh())
}

/// What is kept of a secret.
pub fn hashed(secret: &str) -> Hashed {
    Hashed(hex(&Sha256::digest(secret.as_bytes())))
}

/// A few random digits, to find something again by.
pub(crate) fn mark() -> String {
    hex(&rand::random::<[u8; 6]>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same_and_their_hash_is_another_text() {
        let (one, other) = (fresh(), fresh());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        assert_eq!(hashed(&one), hashed(&one));
        assert!(!hashed(&one).0.contains(&one));
        assert_eq!(
            hashed("abc").0,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
