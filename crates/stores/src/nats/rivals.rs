//! Streams that take the same messages as one of the backup's: no server has two of them. What the backup
//! does not hold is never deleted for that: it gives up the subjects and keeps its messages.

use std::collections::BTreeMap;

use serde_json::json;
use stillpoint_core::stores::{Cx, StoreError};

use super::NatsStore;
use super::access::Login;
use super::bundle::Found;
use super::order::overlap;
use super::streams::Stream;

/// A stream of the platform that the backup does not hold, and that takes messages which belong to one of the
/// backup's streams: no server has two of them.
pub(super) struct Rival {
    pub(super) stream: Stream,
    /// The subjects that it can keep.
    pub(super) kept: Vec<String>,
}

impl NatsStore {
    /// Takes from a stream that stays the subjects that the backup needs. Its messages stay.
    pub(super) async fn push_aside(&self, cx: &Cx, login: &Login, rival: &Rival) -> Result<(), StoreError> {
        let (name, old) = (rival.stream.name(), rival.stream.subjects().join(", "));
        let mut config = rival.stream.config.clone();
        config["subjects"] = json!(rival.kept);
        let doing = format!("taking subjects from stream {name}");
        let link = self.open(cx, login).await?;
        link.ask(cx, &doing, &format!("STREAM.UPDATE.{name}"), &config).await?;
        cx.report.warn(format!(
            "{}: stream {} is not in the backup and had subjects of the backup's streams: it keeps its messages, and takes \
             from now on {}, no longer {old}",
            self.name,
            login.label(name),
            rival.kept.join(", ")
        ));
        Ok(())
    }
}

impl Rival {
    /// None where it is in nobody's way.
    pub(super) fn of(stream: Stream, found: &BTreeMap<String, Found>) -> Option<Self> {
        let wanted = || found.values().flat_map(|found| found.stream.subjects());
        let is_free = |subject: &&str| !wanted().any(|other| overlap(subject, other));
        let mut kept: Vec<String> = stream
            .subjects()
            .into_iter()
            .filter(is_free)
            .map(ToOwned::to_owned)
            .collect();
        if kept.len() == stream.subjects().len() {
            return None;
        }
        if kept.is_empty() {
            // Without any it would take its own name for one.
            kept.push(format!("stillpoint.aside.{}", stream.name()));
        }
        Some(Self { stream, kept })
    }
}

/// Whether a live stream must go before another can be made.
pub(super) fn in_the_way(made: &Stream, live: &Stream) -> bool {
    let theirs = live.subjects();
    made.subjects()
        .iter()
        .any(|one| theirs.iter().any(|other| overlap(one, other)))
}
