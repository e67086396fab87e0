//! What must be known to reach a bucket. Where each value comes from is decided elsewhere.

use std::path::PathBuf;

use object_store::aws::AwsCredential;
use object_store::path::Path as Location;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

/// A bucket, a place in it, and the way there.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// Where the server listens, as a URL; none is Amazon's own service of the region.
    pub endpoint: Option<String>,
    /// The region, which is part of every signature. Servers other than Amazon's rarely look at it.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// The directory in the bucket that is the repository's root; empty for the bucket itself.
    pub prefix: String,
    /// Who we are.
    pub access_key_id: Option<SecretString>,
    /// The proof.
    pub secret_access_key: Option<SecretString>,
    /// Certificates (PEM) of authorities that vouch for the server, besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The bucket stands in the path, not in the host's name.
    pub path_style: bool,
    /// A bucket that is missing is made.
    pub create_bucket: bool,
    /// The server honours `If-None-Match` and `If-Match`. Without them two writers are not kept apart.
    pub conditional_writes: bool,
    /// Bytes of a part of an upload; less than a server takes counts as the least.
    pub part: usize,
}

impl S3Settings {
    pub(super) fn credential(&self) -> Result<AwsCredential, String> {
        let (Some(key_id), Some(secret_key)) = (&self.access_key_id, &self.secret_access_key) else {
            return Err("no access key is configured: both its id and its secret are needed".into());
        };
        Ok(AwsCredential {
            key_id: key_id.expose_secret().to_owned(),
            secret_key: secret_key.expose_secret().to_owned(),
            token: None,
        })
    }

    pub(super) fn endpoint_url(&self) -> Result<Url, String> {
        let amazon = format!("https://s3.{}.amazonaws.com", self.region);
        let text = self.endpoint.as_deref().unwrap_or(&amazon);
        let url = Url::parse(text).map_err(|cause| format!("the endpoint `{text}` is not a URL: {cause}"))?;
        // An error or a place that shows the URL must not show a secret.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the endpoint's URL holds a user or a password: name the access key apart from it".into());
        }
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || url.query().is_some() {
            return Err(format!(
                "the endpoint `{text}` is not of the form http(s)://host[:port]"
            ));
        }
        Ok(url)
    }

    pub(super) fn bucket_url(&self, endpoint: &Url) -> Result<Url, String> {
        let bucket = &self.bucket;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(allowed) {
            return Err(format!("`{bucket}` cannot be the name of a bucket"));
        }
        let mut url = endpoint.clone();
        if self.path_style {
            let above = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{above}/{bucket}"));
            return Ok(url);
        }
        let host = format!("{bucket}.{}", endpoint.host_str().unwrap_or_default());
        url.set_host(Some(&host)).map_err(|cause| format!("{host}: {cause}"))?;
        Ok(url)
    }

    pub(super) fn root(&self) -> Result<Location, String> {
        Location::parse(&self.prefix).map_err(|cause| format!("the prefix `{}`: {cause}", self.prefix))
    }
}
