//! The mark of client writes: a stream's last sequence, and what its consumers were given and have
//! acknowledged (an acknowledgement may delete a message and moves no sequence). Messages that go by
//! age, what the server copies by itself, and consumers that end by themselves move nothing here; where the
//! server writes markers or delivers again what nobody acknowledged, what has moved is looked at.

use std::collections::BTreeMap;

use stillpoint_core::manifest::Watermark;
use stillpoint_core::stores::{Cx, StoreError, Written};

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
        let mut moved = moved(before, &after);
        if !moved.is_empty() {
            for name in self.only_marked(cx, before, &after).await? {
                moved.remove(&name);
            }
        }
        let told = moved.into_iter();
        let moved = told.map(|(name, (was, is))| format!("{name}: {was} before, {is} after"));
        Ok(Written {
            after,
            moved: moved.collect(),
        })
    }

    /// The marks of streams in which nothing but the server's own markers is new.
    async fn only_marked(&self, cx: &Cx, before: &Watermark, after: &Watermark) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for login in &self.access.logins {
            let link = self.open(cx, login).await?;
            for stream in link.streams(cx).await?.iter().filter(|stream| stream.is_marked()) {
                let name = last_sequence(&login.label(stream.name()));
                let mark = |marks: &Watermark| marks.0.get(&name).copied();
                let (Some(was), Some(is)) = (mark(before), mark(after)) else {
                    continue;
                };
                if is > was && !link.holds_written(cx, stream.name(), was + 1..=is).await? {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }
}

/// What has moved, by name: before and after. A consumer that was only given again what it had been given before
/// has gone nowhere in its stream.
fn moved(before: &Watermark, after: &Watermark) -> BTreeMap<String, (u64, u64)> {
    let differences = before.differences(after);
    let mut moved: BTreeMap<_, _> = differences
        .map(|(name, was, is)| (name.to_owned(), (was, is)))
        .collect();
    let went = |name: &str, place: &str, moved: &BTreeMap<String, (u64, u64)>| {
        let other = name
            .strip_suffix(DELIVERED)
            .map(|consumer| format!("{consumer}{place}"));
        other.is_none_or(|other| moved.contains_key(&other))
    };
    let all = moved.clone();
    moved.retain(|name, _| !name.ends_with(UP_TO) && went(name, UP_TO, &all));
    moved
}

/// How the marks of what a consumer was given end: how often it was given something, and up to where in the stream.
/// Each moves by itself: the first when something is given again, the second when messages went by age.
const DELIVERED: &str = ": delivered";
const UP_TO: &str = ": delivered up to";

fn last_sequence(label: &str) -> String {
    format!("{label}: last sequence")
}

fn of_stream(login: &Login, stream: &Stream, consumers: &[Consumer]) -> BTreeMap<String, u64> {
    let label = login.label(stream.name());
    let mut marks = BTreeMap::new();
    if stream.takes_writes() {
        marks.insert(last_sequence(&label), stream.counted("last_seq"));
    }
    if stream.changes_only_by_clients() {
        marks.insert(format!("{label}: messages"), stream.counted("messages"));
    }
    for consumer in consumers {
        let name = format!("{label}: consumer {}", consumer.name);
        marks.insert(format!("{name}{DELIVERED}"), consumer.delivered.0);
        marks.insert(format!("{name}{UP_TO}"), consumer.delivered.1);
        if stream.changes_only_by_clients() {
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
                "APP/S: consumer c: delivered up to = 30",
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
            assert_eq!(
                marks,
                [
                    "APP/S: consumer c: delivered = 3",
                    "APP/S: consumer c: delivered up to = 30",
                    "APP/S: last sequence = 9"
                ]
            );
        }
    }

    #[test]
    fn a_consumer_is_moved_by_what_is_new_to_it() {
        let marks = |delivered, up_to| {
            let marks = [
                ("S: consumer c: delivered", delivered),
                ("S: consumer c: delivered up to", up_to),
            ];
            Watermark(marks.map(|(name, mark)| (name.to_owned(), mark)).into())
        };
        let moved = |after| moved(&marks(3, 30), &after).into_keys().collect::<Vec<_>>();
        assert_eq!(moved(marks(4, 31)), ["S: consumer c: delivered"]);
        assert_eq!(moved(marks(5, 30)), Vec::<String>::new(), "given again");
        assert_eq!(moved(marks(3, 33)), Vec::<String>::new(), "gone by age");
    }

    #[test]
    fn what_the_server_copies_moves_no_mark() {
        let state = json!({"messages": 5, "last_seq": 9});
        assert_eq!(marks(&json!({"name": "S", "mirror": {"name": "O"}}), &state).len(), 2);
        let sourced = json!({"name": "S", "sources": [{"name": "O"}], "subjects": ["s"]});
        assert!(marks(&sourced, &state).contains(&"APP/S: last sequence = 9".to_owned()));
    }
}
