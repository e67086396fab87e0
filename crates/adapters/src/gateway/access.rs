//! The keys of one gateway: random, known to nobody before it listens, and of no use after it has ended. They never print.

use std::net::SocketAddr;

use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};
use secrecy::{ExposeSecret, SecretString};

/// The bucket that clients name.
pub(super) const BUCKET: &str = "stillpoint";

/// How a client reaches a gateway.
#[derive(Clone, Debug)]
pub struct Access {
    /// Its URL, without a bucket; path style.
    pub endpoint: String,
    /// The one bucket.
    pub bucket: String,
    /// What every key begins with, before a slash.
    pub prefix: String,
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
}

impl Access {
    /// New keys.
    pub(super) fn new(address: SocketAddr, prefix: &str) -> Self {
        let secret = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        Self {
            endpoint: format!("http://{address}"),
            bucket: BUCKET.to_owned(),
            prefix: prefix.to_owned(),
            access_key_id: format!("SP{:016X}", rand::random::<u64>()),
            secret_access_key: secret.into(),
        }
    }
}

#[async_trait::async_trait]
impl S3Auth for Access {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key != self.access_key_id {
            return Err(s3_error!(InvalidAccessKeyId));
        }
        Ok(self.secret_access_key.expose_secret().into())
    }
}
