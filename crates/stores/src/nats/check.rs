//! Whether artifacts are what the record says, whatever their hashes: every archive is read to its end,
//! and what is in it is compared with what was counted when it was made. Writes nothing.

use std::collections::BTreeSet;

use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::manifest::{Artifact, Inventory, StoreRecord};
use stillpoint_core::stores::{Cx, StoreError};

use super::NatsStore;
use super::access::{Login, Proof};
use super::bundle::{Found, survey};
use crate::toolbox::damage_of_all;

impl NatsStore {
    pub(super) async fn read_along(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        let read = |artifact| self.look_into(cx, record, artifact, artifacts);
        damage_of_all(&self.name, record, read).await
    }

    /// What an artifact holds, if it is whole and holds what the record says.
    pub(super) async fn look_into(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifact: &Artifact,
        artifacts: &Artifacts,
    ) -> Result<Vec<Found>, StoreError> {
        let found = survey(cx, &self.name, artifact, artifacts).await?;
        // What others made was never counted.
        let differences = if record.inventory.0.is_empty() {
            Vec::new()
        } else {
            differences(&record.inventory, artifact.of.as_deref(), &found)
        };
        if differences.is_empty() {
            return Ok(found);
        }
        Err(StoreError::Damaged(differences.join("; ")))
    }
}

/// What the manifest says of an account's streams and the archives do not.
fn differences(inventory: &Inventory, of: Option<&str>, found: &[Found]) -> Vec<String> {
    let account = Login {
        account: of.map(ToOwned::to_owned),
        proof: Proof::None,
        prefix: String::new(),
    };
    let mut wrong = Vec::new();
    let mut unseen = counted_streams(inventory, &account);
    for one in found {
        let label = account.label(one.stream.name());
        unseen.remove(&label);
        let Some(expected) = inventory.0.get(&format!("{label}: messages")) else {
            wrong.push(format!("stream {label} is not in the manifest"));
            continue;
        };
        if let Some(messages) = one.counted.messages.filter(|messages| messages.count != expected.count) {
            let (there, said) = (messages.count, expected.count);
            wrong.push(format!("stream {label}: {there} messages, {said} in the manifest"));
        }
        wrong.extend(lost_consumers(inventory, &label, one));
    }
    wrong.extend(unseen.into_iter().map(|label| format!("stream {label} is missing")));
    wrong
}

/// The streams of an account that were counted.
fn counted_streams(inventory: &Inventory, account: &Login) -> BTreeSet<String> {
    let of_stream = |name: &String| name.strip_suffix(": messages").map(ToOwned::to_owned);
    let labels = inventory.0.keys().filter_map(of_stream);
    // No stream's name holds a slash: what does belongs to an account with a name.
    labels
        .filter(|label| match label.rsplit_once('/') {
            Some((of, _)) => account.account.as_deref() == Some(of),
            None => account.account.is_none(),
        })
        .collect()
}

fn lost_consumers(inventory: &Inventory, label: &str, found: &Found) -> Vec<String> {
    let prefix = format!("{label}: consumer ");
    let names = inventory.0.keys().filter_map(|name| {
        let rest = name.strip_prefix(&prefix)?;
        rest.strip_suffix(": delivered up to")
    });
    let lost = names.filter(|name| !found.counted.consumers.contains(*name));
    lost.map(|name| format!("stream {label}: consumer {name} is missing"))
        .collect()
}
