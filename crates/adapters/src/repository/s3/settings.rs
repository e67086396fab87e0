//! What must be known to reach a bucket. Where each value comes from is decided elsewhere.

use std::path::PathBuf;

use secrecy::SecretString;

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
}
