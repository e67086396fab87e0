//! The mark of client writes: a stream's last sequence, and what its consumers were given and have
//! acknowledged (an acknowledgement may delete a message and moves no sequence). Messages that go by
//! age, what the server copies by itself, and consumers that end by themselves move nothing here.

use std::collections::BTreeMap;

use stillpoint_core::manifest::Watermark;
use stillpoint_core::ports::store::Written;
use stillpoint_core::ports::{Cx, StoreError};

use super::NatsStore;
use super::access::Login;
use super::streams::{Consumer, Stream};

impl NatsStore {
    pub(super) async fn mark(&self, cx: &Cx) -> Result<Watermark, StoreError> {
        let mut marks = BTreeMap::new();
        for login in &self.access.logins {
            let link = self.open(cx, login).await?;
            for stream in link.streams(cx).await? {
                let consumers = link.consumers(cx, stream.name()).await?;
                marks.extend(of_stream(login, &stream, &consumers));
            }
        }
        Ok(Watermark(marks))
    }

    pub(super) async fn compare_mark(&self, cx: &Cx, before: &Watermark) -> Result<Written, StoreError> {
        let after = self.mark(cx).await?;
        let moved = before.differences(&after);
        let moved = moved
            .map(|(name, was, is)| format!("{name}: {was} before, {is} after"))
            .collect();
        Ok(Written { after, moved })
    }
}

fn of_stream(login: &Login, stream: &Stream, consumers: &[Consumer]) -> BTreeMap<String, u64> {
    let label = login.label(stream.name());
    let mut marks = BTreeMap::new();
    if stream.takes_writes() {
        marks.insert(format!("{label}: last sequence"), stream.counted("last_seq"));
    }
    if stream.holds_still() {
        marks.insert(format!("{label}: messages"), stream.counted("messages"));
    }
    for consumer in consumers {
        let name = format!("{label}: consumer {}", consumer.name);
        marks.insert(format!("{name}: delivered"), consumer.delivered.0);
        if stream.holds_still() {
            // Where messages go by age, the server takes those that nobody acknowledged for acknowledged.
            marks.insert(format!("{name}: acknowledged"), consumer.acknowledged.0);
            marks.insert(format!("{name}: unacknowledged"), consumer.unacknowledged);
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::access::Proof;
    use super::*;

    fn marks(config: &Value, state: &Value) -> Vec<String> {
        let login = Login {
            account: Some("APP".into()),
            proof: Proof::None,
            prefix: String::new(),
        };
        let consumer = Consumer {
            name: "c".into(),
            delivered: (3, 30),
            acknowledged: (2, 20),
            unacknowledged: 1,
            pending: 7,
            in_memory: false,
        };
        let stream = Stream::of(&json!({"config": config, "state": state}));
        of_stream(&login, &stream, &[consumer])
            .into_iter()
            .map(|(name, mark)| format!("{name} = {mark}"))
            .collect()
    }

    #[test]
    fn writes_deliveries_and_acknowledgements_are_marked() {
        assert_eq!(
            marks(&json!({"name": "S"}), &json!({"messages": 5, "last_seq": 9})),
            [
                "APP/S: consumer c: acknowledged = 2",
                "APP/S: consumer c: delivered = 3",
                "APP/S: consumer c: unacknowledged = 1",
                "APP/S: last sequence = 9",
                "APP/S: messages = 5",
            ]
        );
    }

    #[test]
    fn what_goes_by_age_moves_no_mark() {
        for config in [
            json!({"name": "S", "max_age": 1}),
            json!({"name": "S", "allow_msg_ttl": true}),
            json!({"name": "S", "retention": "interest"}),
        ] {
            let marks = marks(&config, &json!({"messages": 5, "last_seq": 9}));
            assert_eq!(marks, ["APP/S: consumer c: delivered = 3", "APP/S: last sequence = 9"]);
        }
    }

    #[test]
    fn what_the_server_copies_moves_no_mark() {
        let state = json!({"messages": 5, "last_seq": 9});
        assert_eq!(marks(&json!({"name": "S", "mirror": {"name": "O"}}), &state).len(), 1);
        let sourced = json!({"name": "S", "sources": [{"name": "O"}], "subjects": ["s"]});
        assert!(marks(&sourced, &state).contains(&"APP/S: last sequence = 9".to_owned()));
    }
}
