//! The keys of one gateway: random, known to nobody before it listens, and of no use after it has ended. They never print.

use std::net::SocketAddr;

use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};
use secrecy::ExposeSecret;
use stillpoint_core::ports::gateway::Access;

/// The bucket that clients name.
pub(super) const BUCKET: &str = "stillpoint";

/// New keys.
pub(super) fn access(address: SocketAddr, prefix: &str) -> Access {
    let secret = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    Access {
        endpoint: format!("http://{address}"),
        bucket: BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        access_key_id: format!("SP{:016X}", rand::random::<u64>()),
        secret_access_key: secret.into(),
    }
}

/// Who may come in.
pub(super) struct Keys(pub(super) Access);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key != self.0.access_key_id {
            return Err(s3_error!(InvalidAccessKeyId));
        }
        Ok(self.0.secret_access_key.expose_secret().into())
    }
}
