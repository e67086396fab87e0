//! Whether what is set for stores has an effect on the platform as it is: a setting of a container that does not exist is
//! warned of, one that a store of its kind does not know is refused. A mistyped setting that nobody tells of would be
//! found out by a restore.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use stillpoint_core::engine::plan::{Entry, Plan, Role};
use stillpoint_core::names::StoreKind;
use stillpoint_core::workload::Workload;
use stillpoint_stores::Setting;
use stillpoint_stores::settings::{self, Declared, NO_STORE, any_key, declared, names_of, variable};

use super::labels::{self, settings_of};
use super::origin::Origin;
use super::settings::{Found, Settings};
use super::similar::did_you_mean;
use super::stores;
use crate::failure::Failure;

/// Looks at every setting of a store, and at the labels of the platform's containers. Returns what looks like a
/// mistake and stops nothing; refuses what a store would not heed.
pub(super) fn check(
    settings: &Settings,
    plan: &Plan,
    kind_of: &dyn Fn(&Workload) -> Option<StoreKind>,
) -> Result<Vec<String>, Failure> {
    let look = Look {
        settings,
        plan,
        kind_of,
    };
    let mut warnings = Vec::new();
    let mut heeded: BTreeMap<(&str, String), &Origin> = BTreeMap::new();
    for (variable, found) in settings.all() {
        if stores::setting_of(variable).is_none() {
            continue;
        }
        match look.meant(variable, found)? {
            None => warnings.push(look.nobody(found)),
            Some((entry, name)) => {
                look.must_have_effect(entry, &name, found)?;
                if let Some(other) = heeded.insert((&entry.workload.container, name), &found.origin) {
                    return Err(twice(other, &found.origin, entry));
                }
            }
        }
    }
    for entry in &plan.entries {
        if let Some(declared) = look.declared(entry) {
            labels::check(entry, declared)?;
        }
    }
    warnings.extend(labels::warnings(plan));
    Ok(warnings)
}

struct Look<'a> {
    settings: &'a Settings,
    plan: &'a Plan,
    /// What kind of store a workload is.
    kind_of: &'a dyn Fn(&Workload) -> Option<StoreKind>,
}

impl<'a> Look<'a> {
    /// The container that a setting speaks of, and the name of what it sets: `password`, `app_user`.
    fn meant(&self, set: &str, found: &Found) -> Result<Option<(&'a Entry, String)>, Failure> {
        let in_table = match &found.origin {
            Origin::File { path, .. } => path.strip_prefix("stores.").and_then(|path| path.rsplit_once('.')),
            _ => None,
        };
        let named = |entry: &'a Entry| {
            let names = names_of(entry.store(), &entry.workload).into_iter();
            let rests = names.filter_map(|name| {
                let rest = set.strip_prefix(&variable(&name, ""))?.to_ascii_lowercase();
                let is_it = in_table.is_none_or(|(table, _)| variable(table, "") == variable(&name, ""));
                (is_it && any_key(&rest).is_some()).then_some((entry, rest))
            });
            rests.min_by_key(|(_, rest)| rest.len())
        };
        let candidates: Vec<_> = self.plan.entries.iter().filter_map(named).collect();
        // The store `db-2` rather than a part `2` of the store `db`.
        let nearest = candidates.iter().map(|(_, rest)| rest.len()).min();
        let mut nearest = candidates.into_iter().filter(|(_, rest)| Some(rest.len()) == nearest);
        match (nearest.next(), nearest.next()) {
            (Some((entry, _)), Some((other, _))) => {
                let both = [entry, other].map(|entry| entry.workload.container.as_str());
                let what = format!("it speaks of the containers {} and {} alike", both[0], both[1]);
                Err(refused(&found.origin, &what, "name one of them by its container"))
            }
            (one, _) => Ok(one),
        }
    }

    fn must_have_effect(&self, entry: &Entry, name: &str, found: &Found) -> Result<(), Failure> {
        let container = &entry.workload.container;
        if name == settings::KIND.name {
            let none = found.text.expose_secret() == NO_STORE;
            return match &entry.role {
                Role::Kept if !none => {
                    let what = format!(
                        "container {container} is never stopped ({}), and is not a store",
                        entry.reason
                    );
                    Err(refused(&found.origin, &what, "remove it"))
                }
                _ => Ok(()),
            };
        }
        let Some(declared) = self.declared(entry) else {
            let what = format!("container {container} is not a store, so `{name}` has no effect");
            let hint = format!("remove it, or say what the container is by `kind` in [stores.{container}]");
            return Err(refused(&found.origin, &what, &hint));
        };
        let kind = declared.kind;
        let Some((key, part)) = declared.key(name) else {
            let known = declared.all().map(|key| key.name);
            let near = did_you_mean(name, known);
            let what = format!("container {container} is a store of kind {kind}, which has no setting `{name}`{near}");
            return Err(refused(
                &found.origin,
                &what,
                &format!("remove it; {}", settings_of(declared)),
            ));
        };
        if let (Some(part), Some(list)) = (part, key.parts)
            && !self.setting(entry).has_part(list, part)
        {
            let what = format!("`{name}` has no effect: `{list}` of container {container} does not name `{part}`");
            return Err(refused(
                &found.origin,
                &what,
                &format!("add it to `{list}`, or remove it"),
            ));
        }
        Ok(())
    }

    fn setting(&self, entry: &Entry) -> Setting {
        Setting::of(&stores::configured(self.settings), entry.store(), &entry.workload)
    }

    /// What the store that a container is can be told; none: it is no store.
    fn declared(&self, entry: &Entry) -> Option<&'static Declared> {
        entry.store()?;
        declared((self.kind_of)(&entry.workload)?.as_str())
    }

    /// A setting of a container that does not exist.
    fn nobody(&self, found: &Found) -> String {
        let entries = self.plan.entries.iter();
        let mut names: Vec<String> = entries
            .map(|entry| match entry.store() {
                Some(store) => store.to_string(),
                None => entry.workload.address.store_name().to_string(),
            })
            .collect();
        names.sort();
        names.dedup();
        format!(
            "{} speaks of no container of platform {} and does nothing; its containers are {}",
            found.origin.subject(),
            self.plan.platform,
            names.join(", ")
        )
    }
}

fn twice(one: &Origin, other: &Origin, entry: &Entry) -> Failure {
    let container = &entry.workload.container;
    let what = format!(
        "{} sets the same for container {container}, and only one of them can hold",
        one.subject()
    );
    refused(other, &what, "remove one of them")
}

fn refused(origin: &Origin, problem: &str, hint: &str) -> Failure {
    Failure::usage(format!("{}: {problem}", origin.subject()), hint)
}

#[cfg(test)]
mod tests;
