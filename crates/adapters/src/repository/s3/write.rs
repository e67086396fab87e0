//! Writing an object in one request, and finding out what became of it.
//!
//! An answer can be lost on its way; the request is then repeated, and finds its own work in its
//! place. So every write carries a number of its own in the object's metadata, by which it knows its
//! object again.

use object_store::{Attribute, Attributes, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, UpdateVersion};
use stillpoint_core::ports::Key;
use stillpoint_core::ports::repository::Version;

use super::request_error::RequestError;
use super::{S3Repository, limits};

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
    pub(super) async fn find(&self, key: &Key) -> Result<Option<Found>, RequestError> {
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
            Err(error) => match RequestError::of(&error) {
                trouble if trouble.is_missing() => Ok(None),
                trouble => Err(trouble),
            },
        }
    }

    /// Writes the object if it is not there yet; none if it is.
    pub(super) async fn put_new(&self, key: &Key, content: PutPayload) -> Result<Option<Version>, RequestError> {
        self.put(key, content, None).await
    }

    /// Writes the object if it still is the version `was`; none if it is not.
    pub(super) async fn put_over(
        &self,
        key: &Key,
        content: PutPayload,
        was: &Version,
    ) -> Result<Option<Version>, RequestError> {
        self.put(key, content, Some(was)).await
    }

    async fn put(
        &self,
        key: &Key,
        content: PutPayload,
        was: Option<&Version>,
    ) -> Result<Option<Version>, RequestError> {
        if !self.is_conditional() && self.find(key).await?.as_ref().map(|found| &found.version) != was {
            return Ok(None);
        }
        let mark = Mark::new();
        let mut tries = 1;
        loop {
            let trouble = match self.put_once(key, content.clone(), was, &mark).await {
                Ok(version) => return Ok(Some(version)),
                Err(trouble) if !trouble.is_open() => return Err(trouble),
                Err(trouble) => trouble,
            };
            match self.find(key).await {
                Ok(Some(found)) if found.is_of(&mark) => return Ok(Some(found.version)),
                Ok(found) if found.as_ref().map(|found| &found.version) != was => return Ok(None),
                // Amazon answers so, too, when it was busy with another request for this key.
                Ok(_) if trouble.is_condition() && tries < limits::TRIES => tries += 1,
                Ok(_) | Err(_) => return Err(trouble),
            }
        }
    }

    async fn put_once(
        &self,
        key: &Key,
        content: PutPayload,
        was: Option<&Version>,
        mark: &Mark,
    ) -> Result<Version, RequestError> {
        let mut options = PutOptions::from(match was {
            _ if !self.is_conditional() => PutMode::Overwrite,
            None => PutMode::Create,
            Some(was) => PutMode::Update(UpdateVersion {
                e_tag: Some(was.0.clone()),
                version: None,
            }),
        });
        options.attributes = mark.attributes();
        let written = self.objects().put_opts(&self.location(key)?, content, options).await;
        let written = written.map_err(|error| RequestError::of(&error))?;
        Ok(Version(written.e_tag.unwrap_or_default()))
    }
}
