//! From a bucket and a key of a client to a key of the repository, or to a refusal. A key is taken as it is, never
//! cleaned: what could mean another place than it says, or what a directory could not hold, is refused, in a bucket
//! too, so that a backup is the same tree in both.

use std::io;

use s3s::{S3Result, s3_error};
use stillpoint_core::names::BackupId;
use stillpoint_core::ports::Key;

use super::access::BUCKET;

/// The longest name of a file that every file system takes.
const LONGEST_COMPONENT: usize = 255;

/// The longest key (Amazon's manual, "Naming Amazon S3 objects").
const LONGEST_KEY: usize = 1024;

/// What clients may name.
#[derive(Clone, Debug)]
pub(super) struct Names {
    backup: BackupId,
    prefix: String,
}

impl Names {
    pub(super) fn new(backup: BackupId, prefix: &str) -> io::Result<Self> {
        if !is_sound(prefix) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no prefix of a gateway"));
        }
        Ok(Self {
            backup,
            prefix: format!("{prefix}/"),
        })
    }

    /// What every key begins with, before a slash.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.trim_end_matches('/')
    }

    /// The key of an object that a client names.
    pub(super) fn key(&self, bucket: &str, key: &str) -> S3Result<Key> {
        check_bucket(bucket)?;
        if !key.starts_with(&self.prefix) {
            return Err(s3_error!(AccessDenied, "the key is outside of the prefix"));
        }
        if key.len() > LONGEST_KEY {
            return Err(s3_error!(KeyTooLongError));
        }
        if !is_sound(key) {
            return Err(s3_error!(InvalidArgument, "the key cannot be stored under this name"));
        }
        Ok(Key::of(self.backup, key))
    }

    /// That a listing asks for something of ours: below the prefix, or for what it is part of.
    pub(super) fn check_listing(&self, bucket: &str, asked: Option<&str>) -> S3Result<()> {
        check_bucket(bucket)?;
        let asked = asked.unwrap_or_default();
        if asked.starts_with(&self.prefix) || self.prefix.starts_with(asked) {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "the listing is outside of the prefix"))
    }
}

pub(super) fn check_bucket(bucket: &str) -> S3Result<()> {
    if bucket != BUCKET {
        return Err(s3_error!(NoSuchBucket));
    }
    Ok(())
}

/// Whether a name means one place, and may stand in a directory as it is.
fn is_sound(name: &str) -> bool {
    name.split('/').all(|part| {
        !matches!(part, "" | "." | "..")
            && part.len() <= LONGEST_COMPONENT
            && !part.chars().any(char::is_control)
            && !is_staged(part)
    })
}

/// Whether a directory would take it for an unfinished upload.
fn is_staged(part: &str) -> bool {
    let digits = part.rsplit_once('#').map(|(_, digits)| digits);
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            backup: "2026-02-17_00-00-00".parse().unwrap(),
            prefix: "clickhouse/b1/".into(),
        }
    }

    fn code(key: &str) -> Option<String> {
        let refused = names().key(BUCKET, key).err()?;
        Some(refused.code().as_str().to_owned())
    }

    #[test]
    fn a_key_below_the_prefix_stands_as_it_is() {
        let key = names().key(BUCKET, "clickhouse/b1/data/we%20ird/a.bin").unwrap();
        assert_eq!(key.as_str(), "2026-02-17_00-00-00/clickhouse/b1/data/we%20ird/a.bin");
        for key in [".backup", "..a", "a..b", "a#b", "#", "%2e%2e", "ü+&=?"] {
            assert_eq!(code(&format!("clickhouse/b1/{key}")), None, "{key}");
        }
    }

    #[test]
    fn what_lies_outside_is_denied() {
        for key in ["", "run.json", "clickhouse/b1", "clickhouse/b10/a", "/clickhouse/b1/a"] {
            assert_eq!(code(key).as_deref(), Some("AccessDenied"), "{key}");
        }
        let other = names().key("backups", "clickhouse/b1/a").unwrap_err();
        assert_eq!(other.code().as_str(), "NoSuchBucket");
    }

    #[test]
    fn what_could_mean_another_place_is_refused() {
        for key in [
            "../a",
            "a/../../b",
            "./a",
            "a//b",
            "",
            "a/",
            "a\0b",
            "a\nb",
            "a#1",
            "b#07/c",
        ] {
            let code = code(&format!("clickhouse/b1/{key}"));
            assert_eq!(code.as_deref(), Some("InvalidArgument"), "{key:?}");
        }
        let long = "a".repeat(LONGEST_COMPONENT + 1);
        assert_eq!(
            code(&format!("clickhouse/b1/{long}")).as_deref(),
            Some("InvalidArgument")
        );
        let key = format!("clickhouse/b1/{}", "a/".repeat(600));
        assert_eq!(code(&key).as_deref(), Some("KeyTooLongError"));
    }

    #[test]
    fn a_listing_is_of_the_prefix_or_of_what_holds_it() {
        for asked in [
            None,
            Some(""),
            Some("click"),
            Some("clickhouse/b1/"),
            Some("clickhouse/b1/data/"),
        ] {
            assert!(names().check_listing(BUCKET, asked).is_ok(), "{asked:?}");
        }
        for asked in ["run", "clickhouse/b2", "clickhouse/b1x"] {
            assert!(names().check_listing(BUCKET, Some(asked)).is_err(), "{asked}");
        }
    }
}
