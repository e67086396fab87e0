//! The names by which things are addressed, each its own type, so that a container's id can never
//! stand where a service is meant. Nothing here looks anything up.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Takes the name as it is.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The bare text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// A Docker Compose project (label `com.docker.compose.project`): the platform that is protected.
    Project
);
name!(
    /// A container's id. It dies with the container: what must outlive a recreation uses [`Address`].
    WorkloadId
);
name!(
    /// A store's name, unique within its platform: `postgres-main`.
    StoreName
);
name!(
    /// A kind of store, as the registry of the stores crate spells it: `postgres`.
    StoreKind
);
name!(
    /// One run of one job; made by the caller, unique for ever.
    RunId
);

/// Where a workload stands in its platform. Survives the recreation of its container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The Compose project.
    pub project: Project,
    /// The Compose service.
    pub service: String,
    /// The replica's number, from 1.
    pub number: u32,
}

impl Address {
    /// What a store is called that nobody has named: after its service; further replicas carry their number.
    pub fn store_name(&self) -> StoreName {
        match self.number {
            1 => StoreName::new(&self.service),
            number => StoreName::new(format!("{}-{number}", self.service)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => f.pad(&self.service),
            number => f.pad(&format!("{}#{number}", self.service)),
        }
    }
}

/// A backup's id: the name of its directory, the second in UTC at which its run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct BackupId(Timestamp);

const BACKUP_ID: &str = "%Y-%m-%d_%H-%M-%S";

/// A text that is no backup's id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a backup id: one looks like 2026-02-17_00-00-00 (UTC)")]
pub struct NotABackupId(String);

impl BackupId {
    /// The id of a run that begins `at` this moment; fractions of a second are cut off.
    pub fn at(at: Timestamp) -> Self {
        Self(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }

    /// The moment it names.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_zoned(TimeZone::UTC).strftime(BACKUP_ID).to_string())
    }
}

impl std::str::FromStr for BackupId {
    type Err = NotABackupId;

    fn from_str(text: &str) -> Result<Self, NotABackupId> {
        jiff::civil::DateTime::strptime(BACKUP_ID, text)
            .and_then(|moment| moment.to_zoned(TimeZone::UTC))
            .map(|moment| Self(moment.timestamp()))
            .ok()
            // strptime takes one-digit months too; only the canonical spelling names a directory.
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| NotABackupId(text.to_owned()))
    }
}

impl TryFrom<String> for BackupId {
    type Error = NotABackupId;

    fn try_from(text: String) -> Result<Self, NotABackupId> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.to_string()
    }
}

/// An artifact's place below its backup's directory: `postgres-main/openwebui.dump`.
///
/// Made of components that were escaped one by one, so a database named `../x` cannot leave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ArtifactName(String);

/// A text that cannot be an artifact's name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an artifact name: components of A-Z a-z 0-9 . _ - %XX, joined by /")]
pub struct NotAnArtifactName(String);

impl ArtifactName {
    /// Joins components taken from data, escaping each.
    pub fn of(components: &[&str]) -> Self {
        Self(components.iter().map(|part| escape(part)).collect::<Vec<_>>().join("/"))
    }

    /// The name of an object that others have put there, which may be any text: what could be no name is escaped.
    pub fn found(place: &str) -> Self {
        let escaped = |_| Self::of(&place.split('/').collect::<Vec<_>>());
        Self::try_from(place.to_owned()).unwrap_or_else(escaped)
    }

    /// The text as it stands in the repository.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for ArtifactName {
    type Error = NotAnArtifactName;

    fn try_from(text: String) -> Result<Self, NotAnArtifactName> {
        let sound = |part: &str| !part.is_empty() && !is_dots(part) && part.bytes().all(is_plain_or_percent);
        if text.split('/').all(sound) {
            Ok(Self(text))
        } else {
            Err(NotAnArtifactName(text))
        }
    }
}

impl From<ArtifactName> for String {
    fn from(name: ArtifactName) -> Self {
        name.0
    }
}

/// Writes bytes outside `[A-Za-z0-9._-]` as `%XX`; `.` and `..` too, which are directories.
pub fn escape(raw: &str) -> String {
    if is_dots(raw) {
        return raw.replace('.', "%2E");
    }
    raw.bytes().fold(String::with_capacity(raw.len()), |mut escaped, byte| {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            push_hex(&mut escaped, byte);
        }
        escaped
    })
}

/// The name that was escaped; none if it is not what [`escape`] writes of a text.
pub fn unescape(escaped: &str) -> Option<String> {
    let mut raw = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            raw.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            raw.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(raw).ok()
}

fn push_hex(text: &mut String, byte: u8) {
    text.push('%');
    for digit in [byte >> 4, byte & 0xF] {
        text.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
    }
}

fn is_dots(text: &str) -> bool {
    matches!(text, "." | "..")
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn is_plain_or_percent(byte: u8) -> bool {
    is_plain(byte) || byte == b'%'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_id_is_its_directory_name_in_utc() {
        let id: BackupId = "2026-02-17_00-00-00".parse().unwrap();
        assert_eq!(id.timestamp().to_string(), "2026-02-17T00:00:00Z");
        assert_eq!(id.to_string(), "2026-02-17_00-00-00");
    }

    #[test]
    fn what_is_no_backup_id_is_refused() {
        for text in [
            "",
            "2026-2-17_00-00-00",
            "2026-02-17",
            "2026-02-17_00-00-00/..",
            ".stillpoint",
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_taken_from_data_are_escaped() {
        assert_eq!(
            ArtifactName::of(&["postgres-main", "we \"ird' db #1%.dump"]).as_str(),
            "postgres-main/we%20%22ird%27%20db%20%231%25.dump"
        );
        assert_eq!(ArtifactName::of(&["..", "a/b"]).as_str(), "%2E%2E/a%2Fb");
        assert_eq!(escape("größe"), "gr%C3%B6%C3%9Fe");
    }

    #[test]
    fn what_was_escaped_is_found_again() {
        for name in ["openwebui", "we \"ird' db #1%.dump", "größe", "..", "a/b", "%20"] {
            assert_eq!(unescape(&escape(name)).as_deref(), Some(name));
        }
        for text in ["%", "%2", "%zz", "%FF"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    #[test]
    fn an_artifact_cannot_leave_its_backup() {
        for text in ["", "/etc/passwd", "a/../b", "a//b", "a\\b", "a b"] {
            assert!(ArtifactName::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
