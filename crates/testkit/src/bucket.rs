//! What stands in a bucket, seen past the product: by requests of curl in the server's own container.
//! Reads listings of up to a thousand entries, which is more than any test makes.

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::seaweed::{BUCKET, Seaweed};

/// What lies below a prefix.
#[derive(Debug, Clone)]
pub struct Folder<'a> {
    server: &'a Seaweed,
    prefix: String,
}

/// An object as a listing shows it: two equal ones have the same bytes, written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Below the folder.
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// Of its content.
    pub etag: String,
    /// By the server's clock, to a second or better.
    pub written: Timestamp,
}

impl Seaweed {
    /// What lies in [`BUCKET`] below `prefix`, which has no slash at its end.
    pub fn folder(&self, prefix: &str) -> Folder<'_> {
        Folder {
            server: self,
            prefix: prefix.to_owned(),
        }
    }
}

impl Folder<'_> {
    /// All objects, sorted by key.
    pub fn objects(&self) -> Result<Vec<Object>> {
        let listed = self
            .server
            .s3(&url(&format!("?list-type=2&prefix={}%2F", self.prefix)), &[])?;
        let mut objects = listed
            .split("<Contents>")
            .skip(1)
            .map(|entry| self.object(entry))
            .collect::<Result<Vec<_>>>()?;
        objects.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(objects)
    }

    /// Their keys.
    pub fn keys(&self) -> Result<Vec<String>> {
        Ok(self.objects()?.into_iter().map(|object| object.key).collect())
    }

    /// The keys of uploads that were begun and neither completed nor ended.
    pub fn uploads(&self) -> Result<Vec<String>> {
        let listed = self.server.s3(&url("?uploads="), &[])?;
        let keys = listed.split("<Upload>").skip(1).map(|entry| text(entry, "Key"));
        let keys: Vec<&str> = keys.collect::<Result<_>>()?;
        let ours = keys.into_iter().filter_map(|key| self.below(key));
        Ok(ours.map(ToOwned::to_owned).collect())
    }

    /// Writes an object.
    pub fn put(&self, key: &str, content: &str) -> Result<()> {
        let url = url(&format!("/{}/{key}", self.prefix));
        self.server.s3(&url, &["-X", "PUT", "--data-binary", content]).map(drop)
    }

    /// Writes an object of so many bytes that do not compress.
    pub fn put_noise(&self, key: &str, bytes: u64) -> Result<()> {
        self.server.noise(&url(&format!("/{}/{key}", self.prefix)), bytes)
    }

    fn below<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&self.prefix)?.strip_prefix('/')
    }

    fn object(&self, entry: &str) -> Result<Object> {
        let key = text(entry, "Key")?;
        Ok(Object {
            key: self
                .below(key)
                .with_context(|| format!("{key} was not asked for"))?
                .to_owned(),
            size: text(entry, "Size")?.parse()?,
            etag: text(entry, "ETag")?.to_owned(),
            written: text(entry, "LastModified")?.parse()?,
        })
    }
}

fn url(rest: &str) -> String {
    format!("{BUCKET}{rest}")
}

/// What stands in the first element of that name.
fn text<'x>(xml: &'x str, element: &str) -> Result<&'x str> {
    let found = xml
        .split_once(&format!("<{element}>"))
        .and_then(|(_, rest)| rest.split_once('<'));
    Ok(found.with_context(|| format!("no {element} in {xml}"))?.0)
}
