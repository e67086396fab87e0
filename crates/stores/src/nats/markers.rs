//! Messages that the server writes by itself: where the last message of a subject went by age, a marker that
//! says so (nats-server 2.11, `subject_delete_marker_ttl`; KV buckets with `limit_markers`). Reads only.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stillpoint_core::stores::{Cx, StoreError};

use super::link::Link;

/// What a server's marker says in its headers (`JSMarkerReason` in nats-server's `server/stream.go`).
const BY_AGE: &str = "Nats-Marker-Reason: MaxAge";

/// Nothing is at a sequence, nor after it (nats-server's `errors.json`).
const NO_MESSAGE: u64 = 10037;

impl Link {
    /// Whether there is a message of these sequences that is no marker of the server's. Those that are gone
    /// again count as none.
    pub(super) async fn holds_written(
        &self,
        cx: &Cx,
        stream: &str,
        sequences: RangeInclusive<u64>,
    ) -> Result<bool, StoreError> {
        let what = format!("STREAM.MSG.GET.{stream}");
        let doing = format!("looking who wrote into stream {stream}");
        let mut next = *sequences.start();
        while sequences.contains(&next) {
            // The first one from there on, of any subject.
            let wanted = json!({"seq": next, "next_by_subj": ">"});
            let answer = self.try_ask(cx, &doing, &what, &wanted).await?;
            let message = match answer {
                Ok(answer) => answer["message"].clone(),
                Err(refusal) if refusal.code == NO_MESSAGE => return Ok(false),
                Err(refusal) => return Err(self.refused(&doing, &refusal)),
            };
            let at = message["seq"].as_u64().unwrap_or(next);
            if sequences.contains(&at) && !is_marker(&message) {
                return Ok(true);
            }
            next = at + 1;
        }
        Ok(false)
    }
}

fn is_marker(message: &Value) -> bool {
    let headers = message["hdrs"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let headers = headers.unwrap_or_default();
    String::from_utf8_lossy(&headers).lines().any(|line| line == BY_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_known_by_its_header_alone() {
        let message = |headers: &str| json!({"seq": 3, "subject": "s", "hdrs": STANDARD.encode(headers)});
        assert!(is_marker(&message(
            "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: 60s\r\n\r\n"
        )));
        assert!(!is_marker(&message("NATS/1.0\r\nNats-Marker-Reason: Purge\r\n\r\n")));
        assert!(!is_marker(&message(
            "NATS/1.0\r\nX: Nats-Marker-Reason: MaxAge\r\n\r\n"
        )));
        assert!(!is_marker(&json!({"seq": 3, "data": STANDARD.encode(BY_AGE)})));
    }
}
