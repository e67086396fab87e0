//! The settings of stores. Each kind declares its own as typed [`Key`]s; from a declaration come the key of
//! `[stores.<name>]`, the variable, the label, the line in the documentation, and the refusal of what no kind knows.
//! [`Setting`] looks one up: the configuration is above the labels of the store's container, and what the
//! store finds out by itself is below both. A label speaks for the store that its container is and for no other.
//!
//! Never here: a file of this host. Whoever may label a container must not choose what we read.

mod key;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::names::StoreName;
use stillpoint_core::workload::Workload;

pub use key::{COMMON, Declared, KIND, Key, NO_STORE, Shape, any_key, declared, every_key};
pub(crate) use key::{PASSWORD, PORT, USER};

use key::{FILE, MODE, NAME};

/// The label of a setting.
pub fn label(name: &str) -> String {
    format!("stillpoint.{name}")
}

/// By what a store is called in `[stores.<name>]` and in variables: its name, its service with the replica's
/// number, its container.
pub fn names_of(store: Option<&StoreName>, workload: &Workload) -> Vec<String> {
    let mut names: Vec<String> = store.map(ToString::to_string).into_iter().collect();
    for name in [workload.address.store_name().to_string(), workload.container.clone()] {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The variable of a setting of a store: `STILLPOINT_POSTGRES_MAIN_PASSWORD` for the `password` of the store
/// `postgres-main`.
pub fn variable(store: &str, name: &str) -> String {
    format!("STILLPOINT_{}_{}", plain(store), plain(name))
}

/// A name as a part of a variable's.
fn plain(name: &str) -> String {
    let plain = |char: char| {
        if char.is_ascii_alphanumeric() {
            char.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}

/// A setting that a label sets.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The label.
    pub label: String,
    /// What it sets: `password`, `password_file`.
    pub name: String,
    /// The label's value.
    pub value: SecretString,
}

/// What the labels of a container set, a value before the file that would hold it. Empty labels are as good as none.
pub fn labelled(workload: &Workload) -> Vec<Labelled> {
    let names = every_key().into_iter().flat_map(|(key, _)| key.names());
    let set = names.filter_map(|name| {
        let label = label(&name);
        let value = workload.labels.get(&label).filter(|value| !value.is_empty())?;
        let value = SecretString::from(value.as_str());
        Some(Labelled { label, name, value })
    });
    set.collect()
}

/// What the configuration says, by variable.
pub type Configured = Arc<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

/// The settings of one store, or of a part of it.
#[derive(Clone)]
pub struct Setting {
    above: Configured,
    /// By what the store is called; the first is its name.
    names: Vec<String>,
    /// The part's name before each key; empty for the store itself.
    part: String,
    labels: BTreeMap<String, SecretString>,
}

impl Setting {
    /// Those of the store that the workload is.
    pub fn of(above: &Configured, store: Option<&StoreName>, workload: &Workload) -> Self {
        let labels = labelled(workload).into_iter();
        Self {
            above: above.clone(),
            names: names_of(store, workload),
            part: String::new(),
            labels: labels.map(|set| (set.name, set.value)).collect(),
        }
    }

    /// Those of no store: nothing is set.
    pub(crate) fn none() -> Self {
        Self {
            above: Arc::new(|_| None),
            names: Vec::new(),
            part: String::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Those of a part of the store.
    pub(crate) fn part(&self, part: &str) -> Self {
        Self {
            part: format!("{part}_"),
            ..self.clone()
        }
    }

    fn configured(&self, name: &str) -> Option<SecretString> {
        let name = format!("{}{name}", self.part);
        let mut set = self.names.iter().map(|store| (self.above)(&variable(store, &name)));
        set.find_map(|set| set)
    }

    fn find(&self, name: &str) -> Option<SecretString> {
        let labelled = || self.labels.get(&format!("{}{name}", self.part)).cloned();
        self.configured(name).or_else(labelled)
    }

    /// What a variable says that is the whole platform's and not of one store.
    pub(crate) fn of_platform(&self, variable: &str) -> Option<String> {
        let text = (self.above)(variable)?.expose_secret().trim().to_owned();
        Some(text).filter(|text| !text.is_empty())
    }

    /// A secret, or any other value of which nothing need be known.
    pub(crate) fn secret(&self, key: &Key) -> Option<SecretString> {
        self.find(key.name)
    }

    /// The file in the container that holds a secret. A value that is set hides it.
    pub(crate) fn in_file(&self, key: &Key) -> Option<SecretString> {
        match self.find(key.name) {
            Some(_) => None,
            None => self.find(&format!("{}{FILE}", key.name)),
        }
    }

    /// A text.
    pub(crate) fn text(&self, key: &Key) -> Option<String> {
        self.find(key.name).map(|text| text.expose_secret().trim().to_owned())
    }

    /// Texts.
    pub(crate) fn list(&self, key: &Key) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        for one in self.text(key).unwrap_or_default().split(',').map(str::trim) {
            if !one.is_empty() && list.iter().all(|known| known != one) {
                list.push(one.to_owned());
            }
        }
        list
    }

    /// A number: what is set, else what was `found` at the container. Fails in words.
    pub(crate) fn number<T: std::str::FromStr>(&self, key: &Key, found: Option<String>) -> Result<Option<T>, String> {
        let Some(text) = self.text(key).or(found) else {
            return Ok(None);
        };
        let text = text.trim();
        let wrong = |what: String| format!("{what}: set {} to one", self.variable(key));
        key.shape.check(text).map_err(wrong)?;
        let number = text.parse().map_err(|_| wrong(format!("`{text}` is too large")))?;
        Ok(Some(number))
    }

    /// Whether the setting `list` names this part of the store.
    pub fn has_part(&self, list: &str, part: &str) -> bool {
        let listed = self.find(list).map(|list| list.expose_secret().to_owned());
        let listed = listed.unwrap_or_default();
        listed.split(',').any(|one| plain(one.trim()) == plain(part))
    }

    /// The variable that sets a key.
    pub(crate) fn variable(&self, key: &Key) -> String {
        let store = self.names.first().map_or("", String::as_str);
        variable(store, &format!("{}{}", self.part, key.name))
    }

    /// What the names of the variables begin with: `STILLPOINT_NATS`, `STILLPOINT_NATS_APP` for a part.
    pub(crate) fn prefix(&self) -> String {
        let store = self.names.first().map_or("", String::as_str);
        let whole = variable(store, &self.part);
        whole.strip_suffix('_').map_or(whole.clone(), ToOwned::to_owned)
    }

    /// What the configuration says that the container is.
    pub(crate) fn kind(&self) -> Option<String> {
        self.configured(KIND.name).map(|kind| kind.expose_secret().to_owned())
    }

    /// What the store is to be called.
    pub(crate) fn name(&self) -> Result<Option<StoreName>, String> {
        let checked = |name: String| match NAME.shape.check(&name) {
            Ok(()) => Ok(StoreName::new(name)),
            Err(wrong) => Err(format!("name: {wrong}")),
        };
        self.text(&NAME).map(checked).transpose()
    }

    /// When clients start again.
    pub(crate) fn mode<M: std::str::FromStr<Err = String>>(&self) -> Result<Option<M>, String> {
        let mode = self.text(&MODE).map(|mode| mode.parse());
        mode.transpose().map_err(|wrong| format!("mode: {wrong}"))
    }
}
