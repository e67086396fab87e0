//! Which stores still have data that an earlier restore has replaced. There is one such state for the whole
//! platform: a restore that began while there is one would leave nobody able to say what `undo` brings back.

use futures::future::join_all;

use super::pairs::Pair;
use super::refusals::{down, of_store};
use super::safety;
use crate::engine::errors::Error;
use crate::engine::platform::Platform;
use crate::engine::site::{Run, Site};
use crate::findings::Finding;
use crate::manifest::Manifest;
use crate::stores::{Aside, Old, Store, WayBack};
use crate::workload::State;

/// What a platform keeps of the data that a restore has replaced.
pub(super) struct Kept<'a> {
    /// Stores that hold it themselves, with what they hold.
    pub(super) aside: Vec<(&'a dyn Store, &'a dyn Aside, Vec<Old>)>,
    /// Copies, oldest first.
    pub(super) copies: Vec<Manifest>,
    /// Stores that could not be asked, and why.
    pub(super) unknown: Vec<(&'a dyn Store, Finding)>,
}

impl<'a> Kept<'a> {
    /// Asks every store, while it runs, and looks into the repository.
    pub(super) async fn of(site: &Site, run: &Run, platform: &'a Platform) -> Result<Self, Error> {
        let cx = site.cx(run);
        let holders = platform.stores.values().filter_map(|store| match store.way_back() {
            WayBack::Aside(aside) => Some((&**store, aside)),
            WayBack::Copy(_) => None,
        });
        let looks = holders.map(async |(store, aside)| {
            let held = match platform.state(store) {
                State::Running => aside.held(&cx).await.map_err(|error| of_store(store.name(), &error)),
                state => Err(vec![down(store.name(), state)]),
            };
            (store, aside, held)
        });
        let mut kept = Self {
            aside: Vec::new(),
            copies: Vec::new(),
            unknown: Vec::new(),
        };
        for (store, aside, held) in join_all(looks).await {
            match held {
                Ok(held) if held.is_empty() => {}
                Ok(held) => kept.aside.push((store, aside, held)),
                Err(reasons) => kept.unknown.extend(reasons.into_iter().map(|reason| (store, reason))),
            }
        }
        run.check()?;
        kept.copies = safety::all(site, platform).await?;
        Ok(kept)
    }

    /// The same, of which something must be known and there.
    pub(super) async fn must_be(site: &Site, run: &Run, platform: &'a Platform) -> Result<Self, Error> {
        let kept = Self::of(site, run, platform).await?;
        if !kept.unknown.is_empty() {
            let unknown = kept.unknown.into_iter().map(|(_, why)| why);
            return Err(Error::RestoreRefused(unknown.collect()));
        }
        if kept.aside.is_empty() && kept.copies.is_empty() {
            return Err(Error::NothingKept(platform.name.clone()));
        }
        Ok(kept)
    }

    /// What must not be freed: somebody would be left with nothing.
    pub(super) fn sole(&self) -> impl Iterator<Item = Finding> {
        self.aside.iter().flat_map(|(store, _, held)| {
            let sole = held.iter().filter(|old| old.is_sole);
            sole.map(|old| Finding::refuses(sole_one(*store, old), SOLE))
        })
    }

    /// Why stores could not be asked.
    pub(super) fn unasked(&self) -> impl Iterator<Item = String> {
        self.unknown.iter().map(|(_, why)| why.what.clone())
    }

    /// Why nothing may be restored over it. A store that is not restored need not answer.
    pub(super) fn reasons(self, pairs: &[Pair<'_>]) -> Vec<Finding> {
        const WAY_OUT: &str = "`stillpoint restore undo` brings it back, `stillpoint restore discard-old` frees it";
        let aside = self.aside.into_iter().map(|(store, _, held)| {
            let held: Vec<&str> = held.iter().map(|old| &*old.what).collect();
            let (store, held) = (store.name(), held.join(", "));
            let what = format!("store {store} still keeps what an earlier restore has replaced ({held})");
            Finding::refuses(what, WAY_OUT)
        });
        let copies = self.copies.into_iter().map(|copy| {
            let what = format!("{} still holds what an earlier restore has replaced", copy.id);
            Finding::refuses(what, WAY_OUT)
        });
        let wanted = |store: &dyn Store| pairs.iter().any(|(pair, _)| pair.name() == store.name());
        let unknown = self.unknown.into_iter().filter(|(store, _)| wanted(*store));
        let unknown = unknown.map(|(_, why)| why);
        unknown.chain(aside).chain(copies).collect()
    }
}

const SOLE: &str = "`stillpoint restore undo` brings it back; if nobody needs it, remove it by hand";

fn sole_one(store: &dyn Store, old: &Old) -> String {
    format!(
        "store {} holds {}, and what the restore put in its place is gone since, so it is not freed",
        store.name(),
        old.what
    )
}

/// Why something of a store is not freed.
pub(super) fn sole_copy_reason(store: &dyn Store, old: &Old) -> String {
    format!("{}: {SOLE}", sole_one(store, old))
}
