//! What a backup answers.

use stillpoint_core::engine::backup::Sealed;
use stillpoint_core::manifest::{CLIENTS_WAITED, Manifest, StoreRecord};

use super::Answer;
use crate::commands::left_out;
use crate::display::words;

pub(super) fn answer(sealed: &Sealed) -> Answer {
    Answer::new(said(sealed), sealed, sealed.degraded.is_empty())
}

fn said(sealed: &Sealed) -> Vec<String> {
    let manifest = &sealed.manifest;
    let mut said = vec![format!(
        "Backup {} of {} is complete: {} in {} artifacts ({}).",
        manifest.id,
        manifest.platform,
        words::bytes(manifest.size()),
        manifest.artifacts().count(),
        words::local(manifest.id.timestamp()),
    )];
    if let Some(window) = &manifest.standstill {
        said.push(format!("Clients were down for {}.", words::span(window.down())));
    }
    said.extend(shares(manifest));
    for store in &manifest.stores {
        if let Some(waited) = store.facts.get(CLIENTS_WAITED) {
            said.push(format!(
                "Clients of {} waited while it was copied: {waited}.",
                store.name
            ));
        }
    }
    said.extend(left_out::lines(&manifest.workloads));
    let degraded = sealed.degraded.iter();
    said.extend(degraded.map(|degraded| format!("The backup is good, but {degraded}.")));
    said
}

/// What each store's pin took, the longest first: stores are pinned side by side while the clients are down.
fn shares(manifest: &Manifest) -> Option<String> {
    let took = |store: &StoreRecord| store.took.map(|took| (took.pin, store.name.clone()));
    let mut shares: Vec<_> = manifest.stores.iter().filter_map(took).collect();
    shares.sort_by(|a, b| b.cmp(a));
    let told = shares
        .iter()
        .map(|(pin, store)| format!("{store} {}", words::seconds(*pin)));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("Of that, stores were pinned side by side: {}.", told.join(", ")))
}
