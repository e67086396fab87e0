//! Where backups are kept: a directory or an object store. It knows objects and nothing of backups;
//! what an object means, and in which order they come and go, is decided in `crate::backups`.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use crate::names::{ArtifactName, BackupId};

/// The directory of what belongs to no backup.
pub const PRODUCT: &str = ".stillpoint";

/// An object's place below the repository's root: components joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// An object of a backup.
    pub fn of(backup: BackupId, name: &str) -> Self {
        Self(format!("{backup}/{name}"))
    }

    /// An artifact of a backup.
    pub fn artifact(backup: BackupId, name: &ArtifactName) -> Self {
        Self::of(backup, name.as_str())
    }

    /// An object of the product that belongs to no backup.
    pub fn product(name: &str) -> Self {
        Self(format!("{PRODUCT}/{name}"))
    }

    /// An object as a listing names it. For adapters: its text is not looked at again.
    pub fn found(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The directory directly below the root, and the place below it; none for an object that lies
    /// in the root itself.
    pub fn split(&self) -> Option<(&str, &str)> {
        self.0.split_once('/')
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A failure of the repository, or on the way to it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RepositoryError {
    /// There is no such object.
    #[error("`{key}` is not in the repository")]
    Missing {
        /// The object.
        key: String,
    },
    /// The object is there already, and was not touched.
    #[error("`{key}` is already in the repository")]
    Exists {
        /// The object.
        key: String,
    },
    /// It is no longer the version that was to be replaced, or is gone; it was not touched.
    #[error("`{key}` was changed by somebody else")]
    Changed {
        /// The object.
        key: String,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}`{why}")]
    NoBucket {
        /// Its name.
        bucket: String,
        /// Why it was not made; empty where nothing forbade it.
        why: String,
    },
    /// It cannot be reached: no connection, no such host, a certificate that nobody vouches for.
    #[error("it cannot be reached: {cause}")]
    Unreachable {
        /// The system's own words.
        cause: String,
    },
    /// No space is left.
    #[error("the repository is full: writing `{key}` failed: {cause}")]
    Full {
        /// The object that did not fit.
        key: String,
        /// The system's own words.
        cause: String,
    },
    /// It may not be written (or read) by us.
    #[error("the repository refuses access to `{key}`: {cause}")]
    Denied {
        /// The object.
        key: String,
        /// The system's own words.
        cause: String,
    },
    /// It knows no write that holds only under a condition.
    #[error("the repository does not support conditional writes, and refused `{key}`: {cause}")]
    NoConditions {
        /// The object.
        key: String,
        /// The system's own words.
        cause: String,
    },
    /// Anything else; trying again may help.
    #[error("the repository failed at `{key}`: {cause}")]
    Failed {
        /// The object.
        key: String,
        /// The system's own words.
        cause: String,
    },
}

/// Which of the contents that an object has had: of two writings of one key no two are equal. Only
/// compared, never looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The object.
    pub key: Key,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the repository's clock.
    pub written: Timestamp,
}

/// An object that is read as a stream.
pub struct Object {
    /// Its size in bytes.
    pub size: u64,
    /// Which of its contents is read.
    pub version: Version,
    /// When it was written, by the repository's clock.
    pub written: Timestamp,
    /// Its content. A content that ends early reads as an error, never as an end.
    pub content: Content,
}

/// The bytes of an object as they are read.
pub type Content = BoxStream<'static, Result<Bytes, RepositoryError>>;

/// Objects by key. Nothing here renames, and nothing is overwritten but by [`Repository::replace`].
#[async_trait]
pub trait Repository: Send + Sync {
    /// What and where it is, as a person would say it.
    fn place(&self) -> String;

    /// Writes a small object that must not exist yet: of two callers exactly one succeeds, the
    /// other fails with [`RepositoryError::Exists`]. Durable when it returns, and never seen half.
    /// An answer that was lost and asked for again is no second caller.
    async fn create(&self, key: &Key, content: Bytes) -> Result<Version, RepositoryError>;

    /// Replaces a small object if it is still the version `was`: of two callers exactly one succeeds,
    /// the other fails with [`RepositoryError::Changed`], also where the object is gone. Durable when
    /// it returns, and never seen half. The new content must differ from every earlier one.
    async fn replace(&self, key: &Key, content: Bytes, was: &Version) -> Result<Version, RepositoryError>;

    /// Begins an object of any size. It does not exist before [`Upload::complete`].
    async fn upload(&self, key: &Key) -> Result<Box<dyn Upload>, RepositoryError>;

    /// Reads an object as a stream. Fails with [`RepositoryError::Missing`].
    async fn open(&self, key: &Key) -> Result<Object, RepositoryError>;

    /// Reads the bytes `range` of an object that still is the version `was`; the range lies within the object. Fails with
    /// [`RepositoryError::Changed`] if it is not, or is gone. A range that ends early reads as an error, never as an end.
    async fn open_range(&self, key: &Key, was: &Version, range: Range<u64>) -> Result<Content, RepositoryError>;

    /// The names directly below the root that hold objects, in no particular order. One that cannot
    /// be looked into is named too: whoever opens what should be there is told why.
    async fn directories(&self) -> Result<Vec<String>, RepositoryError>;

    /// Every object below a directory of the root, at any depth, or with none everywhere; in no
    /// particular order. A success also when there is no such directory.
    async fn list(&self, directory: Option<&str>) -> Result<Vec<Entry>, RepositoryError>;

    /// What the repository's own clock says now, to a second or better: the clock of
    /// [`Object::written`].
    async fn clock(&self) -> Result<Timestamp, RepositoryError>;

    /// Bytes that can still be written, where the repository can tell.
    async fn room(&self) -> Result<Option<u64>, RepositoryError>;

    /// Why what was replaced or deleted goes on taking room, and what ends that, as a person would say it; none where it
    /// is gone for good. Asked after something was written.
    async fn keeps(&self) -> Result<Option<String>, RepositoryError>;

    /// Removes what uploads of a dead process have left unfinished below a directory of the root;
    /// objects are not touched. A success also when there is nothing, and no directory.
    async fn sweep(&self, directory: &str) -> Result<(), RepositoryError>;

    /// Removes an object, and the directories that hold nothing any more. A success also when there
    /// is none; durable when it returns.
    async fn delete(&self, key: &Key) -> Result<(), RepositoryError>;
}

/// An object that is being written. One that is dropped, or whose process dies, never exists.
#[async_trait]
pub trait Upload: Send {
    /// Appends. Returns when the piece was taken over, not when it is durable.
    async fn write(&mut self, piece: Bytes) -> Result<(), RepositoryError>;

    /// Makes the object exist, durably; fails with [`RepositoryError::Exists`] if there is one of
    /// its name already. After an error nothing of it is left. Two uploads of one key at the same
    /// moment are the caller's mistake: one of them may replace the other.
    async fn complete(&mut self) -> Result<(), RepositoryError>;

    /// Gives up: nothing of the object is left. May be repeated.
    async fn abort(&mut self) -> Result<(), RepositoryError>;
}
