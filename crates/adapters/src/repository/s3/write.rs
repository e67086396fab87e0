//! Writing an object in one request, and finding out what became of it.
//!
//! An answer can be lost on its way; the request is then repeated, and finds its own work in its
//! place. So every write carries a number of its own in the object's metadata, by which it knows its
//! object again.

use object_store::{Attribute, Attributes, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, UpdateVersion};
use stillpoint_core::ports::Key;
use stillpoint_core::ports::repository::Version;

use super::S3Repository;
use super::trouble::Trouble;

/// Stored as `x-amz-meta-stillpoint-write`.
const MARK: Attribute = Attribute::Metadata(std::borrow::Cow::Borrowed("stillpoint-write"));

/// The number of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    pub(super) fn new() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    pub(super) fn attributes(&self) -> Attributes {
        Attributes::from_iter([(MARK, self.0.clone())])
    }
}

/// An object that is there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) version: Version,
    mark: Option<String>,
}

impl Found {
    /// Whether the write of this number made it.
    pub(super) fn is_of(&self, mark: &Mark) -> bool {
        self.mark.as_ref() == Some(&mark.0)
    }
}

impl S3Repository {
    /// The object, if it is there.
    pub(super) async fn find(&self, key: &Key) -> Result<Option<Found>, Trouble> {
        let head = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.objects().get_opts(&self.location(key)?, head).await {
            Ok(found) => Ok(Some(Found {
                size: found.meta.size,
                version: Version(found.meta.e_tag.unwrap_or_default()),
                mark: found.attributes.get(&MARK).map(|mark| mark.as_ref().to_owned()),
            })),
            Err(error) => match Trouble::of(&error) {
                trouble if trouble.is_missing() => Ok(None),
                trouble => Err(trouble),
            },
        }
    }

    /// Writes the object if it is not there yet; none if it is.
    pub(super) async fn put_new(&self, key: &Key, content: PutPayload) -> Result<Option<Version>, Trouble> {
        if self.is_conditional() {
            return self.put(key, content, PutMode::Create).await;
        }
        match self.find(key).await? {
            Some(_) => Ok(None),
            None => self.put(key, content, PutMode::Overwrite).await,
        }
    }

    /// Writes the object if it still is the version `was`; none if it is not.
    pub(super) async fn put_over(
        &self,
        key: &Key,
        content: PutPayload,
        was: &Version,
    ) -> Result<Option<Version>, Trouble> {
        if self.is_conditional() {
            let was = UpdateVersion {
                e_tag: Some(was.0.clone()),
                version: None,
            };
            return self.put(key, content, PutMode::Update(was)).await;
        }
        match self.find(key).await? {
            Some(found) if found.version == *was => self.put(key, content, PutMode::Overwrite).await,
            _ => Ok(None),
        }
    }

    /// None if a condition did not hold, and it was not our own first try that broke it.
    async fn put(&self, key: &Key, content: PutPayload, mode: PutMode) -> Result<Option<Version>, Trouble> {
        let mark = Mark::new();
        let mut options = PutOptions::from(mode);
        options.attributes = mark.attributes();
        let trouble = match self.objects().put_opts(&self.location(key)?, content, options).await {
            Ok(written) => return Ok(Some(Version(written.e_tag.unwrap_or_default()))),
            Err(error) => Trouble::of(&error),
        };
        if !trouble.is_open() {
            return Err(trouble);
        }
        match self.find(key).await {
            Ok(Some(found)) if found.is_of(&mark) => Ok(Some(found.version)),
            Ok(_) | Err(_) if trouble.is_condition() || trouble.is_missing() => Ok(None),
            Ok(_) | Err(_) => Err(trouble),
        }
    }
}
