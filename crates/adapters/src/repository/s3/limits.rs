//! How long the server is waited for, and how often it is asked again: every number of the S3
//! repository that is a length of time, and why.

use std::time::Duration;

use object_store::{BackoffConfig, RetryConfig};

/// A connection that is not there by then will not come.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// A host that acknowledges nothing for so long is gone.
pub(super) const SILENT_HOST: Duration = Duration::from_secs(30);

/// An answer whose next byte does not come for so long is given up. A server that starts again
/// answers within 20 s.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// A request that carries nothing is answered by then.
const ANSWER: Duration = Duration::from_secs(30);

/// The slowest line that is served: 1 Mbit/s for each of the parts on their way.
const SLOWEST: u64 = 128 << 10;

/// Amazon says of the request that completes an upload that it may take minutes.
pub(super) const COMPLETE: Duration = Duration::from_mins(5);

/// Requests of our own are repeated so often; `object_store` repeats its own by [`retries`].
pub(super) const TRIES: u32 = 3;

/// Before the second try; doubled before each further one.
pub(super) const PAUSE: Duration = Duration::from_millis(300);

/// So often in a row a download that breaks off is taken up again without a byte having come.
pub(super) const RESUMES: u32 = 3;

/// How long a request that carries so many bytes may take: 94 s for a part of 8 MiB.
pub(super) fn of_bytes(bytes: usize) -> Duration {
    ANSWER + Duration::from_secs(bytes as u64 / SLOWEST)
}

/// At most six tries within about half a minute, and none that begins after a minute; the pauses
/// are random, so that many parts that failed together do not come back together.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(10),
            base: 3.0,
        },
        max_retries: 5,
        retry_timeout: Duration::from_mins(1),
    }
}
