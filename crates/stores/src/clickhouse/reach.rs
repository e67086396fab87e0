//! Whether the server reaches us: it writes and reads its backup over its own network, and one that cannot would only say so when the
//! clients are down, if ever. It is asked for an object that is not there. Never here: an answer of somebody else taken for ours.

use std::time::Duration;

use secrecy::ExposeSecret;
use stillpoint_core::ports::gateway;
use stillpoint_core::stores::StoreError;

use super::ClickhouseStore;
use super::session::{DENIED, Session, Trouble};
use super::sql::literal;

/// How long a server may take to show that it reaches us.
const REACHES: Duration = Duration::from_secs(20);

/// What the server is told for that: it gives up soon.
const SOON: &str =
    "s3_max_single_read_retries = 1, s3_retry_attempts = 0, s3_request_timeout_ms = 5000, s3_connect_timeout_ms = 3000";

impl ClickhouseStore {
    /// Whether the server reaches an endpoint of ours. It is asked for an object that is not there, and must have heard so.
    pub(super) async fn must_reach_us(&self, session: &Session<'_>) -> Result<(), StoreError> {
        let serving = session.cx.gateway.probe(&self.workload).await?;
        let heard = self.hear(session, serving.access()).await;
        serving.stop().await;
        heard
    }

    async fn hear(&self, session: &Session<'_>, access: &gateway::Access) -> Result<(), StoreError> {
        let url = format!("{}/{}/{}/probe", access.endpoint, access.bucket, access.prefix);
        let secret = &access.secret_access_key;
        let read = format!(
            "SELECT * FROM s3({}, {}, {}, 'RawBLOB', 'x String') SETTINGS {SOON}",
            literal(&url),
            literal(&access.access_key_id),
            literal(secret.expose_secret())
        );
        match session.ask_secretly(REACHES, &read, secret).await {
            Ok(_) => Err(self.unfit(&format!("something answers in our place at {}", access.endpoint))),
            Err(Trouble::Refused { message, .. }) if is_not_there(&message) => Ok(()),
            Err(Trouble::Refused { code: DENIED, message }) => Err(StoreError::Unfit(format!(
                "{}: `{}` may not use S3: {message}: grant it, or set another user",
                self.name, self.access.user
            ))),
            Err(Trouble::Refused { message, .. }) => Err(self.unfit(&format!(
                "it does not reach us at {}, where it has to put its backup: {message}: let its container connect to this host \
                 (firewall), and its `remote_url_allow_hosts` name us",
                access.endpoint
            ))),
            Err(Trouble::Store(StoreError::Overdue(overdue))) => Err(self.unfit(&format!(
                "it does not reach us at {}, where it has to put its backup: {overdue}: let its container connect to this host \
                 (firewall)",
                access.endpoint
            ))),
            Err(trouble) => Err(self.failed("asking it to reach us", trouble)),
        }
    }
}

/// Whether an answer of ours was heard: no such object.
fn is_not_there(message: &str) -> bool {
    ["code: 404", "NoSuchKey", "NoSuchBucket", "key does not exist"]
        .iter()
        .any(|sign| message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_answer_shows_that_we_are_reached() {
        let heard =
            "Failed to get object info: No response body.. HTTP response code: 404: while reading 'p/probe' (S3_ERROR)";
        assert!(is_not_there(heard));
        assert!(is_not_there("The specified key does not exist. (S3_ERROR)") && is_not_there("Code: NoSuchKey"));
        for other in [
            "Failed to get object info: Poco::Exception. Code: 1000, e.code() = 111, Connection refused. HTTP response code: 18446744073709551615",
            "HTTP response code: 403. Please check your AWS credentials",
            "URL \"http://10.0.0.1\" is not allowed in configuration file (UNACCEPTABLE_URL)",
        ] {
            assert!(!is_not_there(other), "{other}");
        }
    }
}
