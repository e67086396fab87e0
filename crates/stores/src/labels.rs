//! The settings of a store that stand on its container: the label `stillpoint.user` sets what the variable
//! `STILLPOINT_<STORE>_USER` sets, for the store that the container is and for no other. The configuration
//! is above it, what the store finds out by itself below.
//!
//! Stores do not come here: each is made with a [`Setting`] that knows the labels of its container. Never
//! here: a file of this host. Whoever may label a container must not choose what we read.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::manifest::Mode;
use stillpoint_core::names::{StoreKind, StoreName};
use stillpoint_core::stores::{Kind, Neighbours, Store, StoreError};
use stillpoint_core::workload::Workload;

use crate::{Setting, variable};

/// A setting of a store.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in `[stores.<name>]` and behind `stillpoint.` in a label; its variable ends with it in capitals.
    pub name: &'static str,
    /// Its value is never shown. It may stand in a file of its own, which `<name>_file` names.
    pub secret: bool,
}

/// Every setting of a store, whatever its kind; a kind's page in `docs/stores/` says what they mean to it.
pub const KEYS: [Key; 13] = [
    shown("user"),
    secret("password"),
    secret("token"),
    secret("nkey_seed"),
    secret("creds"),
    shown("accounts"),
    shown("port"),
    shown("max_blocked_seconds"),
    shown("mode"),
    // No secret, but nothing to be shown either: pages of letters, which stand in a file.
    secret("tls_ca"),
    secret("tls_cert"),
    secret("tls_key"),
    shown("tls_name"),
];

const fn shown(name: &'static str) -> Key {
    Key { name, secret: false }
}

const fn secret(name: &'static str) -> Key {
    Key { name, secret: true }
}

/// What the name of a secret ends with where a file is named that holds it.
const FILE: &str = "_file";

/// A setting that a label sets.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The label.
    pub label: String,
    /// The variable that sets the same. It ends with `_FILE` where the value is the path of a file in the
    /// container.
    pub variable: String,
    /// The label's value.
    pub value: SecretString,
}

/// The names of all settings, those that end with `_file` among them.
pub fn names() -> Vec<String> {
    let names = KEYS.iter().flat_map(|key| {
        let in_file = key.secret.then(|| format!("{}{FILE}", key.name));
        [Some(key.name.to_owned()), in_file]
    });
    names.flatten().collect()
}

/// The label of a setting.
pub fn label(name: &str) -> String {
    format!("stillpoint.{name}")
}

/// What the labels of a store's container set, a value before the file that would hold it. Empty labels are as
/// good as none.
pub fn of(store: &StoreName, workload: &Workload) -> Vec<Labelled> {
    let set = names().into_iter().filter_map(|name| {
        let label = label(&name);
        let value = workload.labels.get(&label).filter(|value| !value.is_empty())?;
        Some(Labelled {
            variable: variable(store.as_str(), &name.to_ascii_uppercase()),
            value: SecretString::from(value.as_str()),
            label,
        })
    });
    set.collect()
}

/// The settings of one store: those of `above`, then those of its container's labels. A value that is set
/// hides a label that names a file for the same.
fn settings(above: &Setting, store: &StoreName, workload: &Workload) -> Setting {
    let above = above.clone();
    let set = of(store, workload).into_iter();
    let labels: BTreeMap<String, SecretString> = set.map(|set| (set.variable, set.value)).collect();
    Arc::new(move |name| {
        let hides = |plain: &str| above(plain).is_some() || labels.contains_key(plain);
        let is_hidden = name.strip_suffix("_FILE").is_some_and(hides);
        let label = || labels.get(name).filter(|_| !is_hidden).cloned();
        above(name).or_else(label)
    })
}

/// How a kind of store is made.
pub(crate) type Make = fn(Setting) -> Arc<dyn Kind>;

/// A kind whose stores find the labels of their containers among their settings.
struct WithLabels {
    make: Make,
    above: Setting,
    plain: Arc<dyn Kind>,
}

/// The kind that `make` makes; each of its stores is given the labels of its own container.
pub(crate) fn with_labels(make: Make, above: &Setting) -> Arc<dyn Kind> {
    Arc::new(WithLabels {
        make,
        above: above.clone(),
        plain: make(above.clone()),
    })
}

impl Kind for WithLabels {
    fn kind(&self) -> StoreKind {
        self.plain.kind()
    }

    fn recognises(&self, workload: &Workload) -> bool {
        self.plain.recognises(workload)
    }

    fn mode(&self, name: &StoreName, workload: &Workload) -> Result<Option<Mode>, StoreError> {
        let settings = settings(&self.above, name, workload);
        let set = settings(&variable(name.as_str(), "MODE"));
        let mode = set.map(|mode| mode.expose_secret().parse());
        mode.transpose().map_err(|wrong| {
            StoreError::Unfit(format!(
                "{name}: mode: {wrong}: set it in [stores.{name}], or by its label"
            ))
        })
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let settings = settings(&self.above, &name, workload);
        (self.make)(settings).store(name, workload, neighbours)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use stillpoint_core::workload::Environment;
    use stillpoint_testkit::World;
    use stillpoint_testkit::fakes::Container;

    use super::*;

    /// The container `db` with these labels and this environment.
    pub(crate) fn container(labels: &[(&str, &str)], environment: &[&str]) -> Workload {
        let plain = Container::client("db");
        let labelled = labels
            .iter()
            .fold(plain, |one, (label, value)| one.labelled(label, value));
        let mut workload = World::of([labelled]).workload("db").unwrap();
        workload.environment = Environment::parse(environment.iter().map(|entry| (*entry).to_owned()));
        workload
    }

    /// The settings of the store `db` in that container, below these.
    pub(crate) fn settings_of(workload: &Workload, above: &[(&'static str, &'static str)]) -> Setting {
        settings(&configured(above), &StoreName::new("db"), workload)
    }

    fn configured(set: &[(&'static str, &'static str)]) -> Setting {
        let set: BTreeMap<&str, &str> = set.iter().copied().collect();
        Arc::new(move |name| set.get(name).copied().map(SecretString::from))
    }

    fn told(setting: &Setting, name: &str) -> Option<String> {
        setting(name).map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn a_label_sets_what_the_variable_sets_and_is_below_it() {
        let workload = container(&[("stillpoint.user", "label"), ("stillpoint.password", "secret")], &[]);
        let alone = settings_of(&workload, &[]);
        assert_eq!(told(&alone, "STILLPOINT_DB_USER").as_deref(), Some("label"));
        assert_eq!(told(&alone, "STILLPOINT_DB_PASSWORD").as_deref(), Some("secret"));
        let below = settings_of(&workload, &[("STILLPOINT_DB_USER", "variable")]);
        assert_eq!(told(&below, "STILLPOINT_DB_USER").as_deref(), Some("variable"));
        assert_eq!(told(&below, "STILLPOINT_DB_PASSWORD").as_deref(), Some("secret"));
        let empty = settings_of(&container(&[("stillpoint.user", "")], &[]), &[]);
        assert_eq!(told(&empty, "STILLPOINT_DB_USER"), None);
    }

    #[test]
    fn a_label_sets_nothing_of_another_store() {
        let setting = settings_of(&container(&[("stillpoint.user", "label")], &[]), &[]);
        assert_eq!(told(&setting, "STILLPOINT_DB_2_USER"), None);
        assert_eq!(told(&setting, "BACKUP_S3_BUCKET"), None);
    }

    #[test]
    fn a_value_hides_the_file_that_a_label_names() {
        let in_file = ("stillpoint.password_file", "/run/secrets/db");
        let alone = settings_of(&container(&[in_file], &[]), &[]);
        assert_eq!(
            told(&alone, "STILLPOINT_DB_PASSWORD_FILE").as_deref(),
            Some("/run/secrets/db")
        );
        let above = settings_of(&container(&[in_file], &[]), &[("STILLPOINT_DB_PASSWORD", "x")]);
        assert_eq!(told(&above, "STILLPOINT_DB_PASSWORD_FILE"), None);
        let beside = settings_of(&container(&[in_file, ("stillpoint.password", "y")], &[]), &[]);
        assert_eq!(told(&beside, "STILLPOINT_DB_PASSWORD_FILE"), None);
    }

    /// A kind that tells what its store would be given.
    struct Telling(Setting);

    impl Kind for Telling {
        fn kind(&self) -> StoreKind {
            StoreKind::new("telling")
        }

        fn recognises(&self, _workload: &Workload) -> bool {
            true
        }

        fn store(
            &self,
            name: StoreName,
            _workload: &Workload,
            neighbours: Neighbours<'_>,
        ) -> Result<Arc<dyn Store>, StoreError> {
            let user = told(&self.0, &variable(name.as_str(), "USER"));
            let beside = neighbours.called("beside").map(|workload| &*workload.container);
            let said = [user.as_deref(), beside].into_iter().flatten();
            Err(StoreError::Unfit(said.collect::<Vec<_>>().join(" beside ")))
        }
    }

    #[test]
    fn every_kind_is_made_with_the_labels_of_its_container() {
        let kind = with_labels(|setting| Arc::new(Telling(setting)), &configured(&[]));
        let store =
            |labels: &[(&str, &str)]| kind.store(StoreName::new("db"), &container(labels, &[]), Neighbours::of(&[]));
        let told = |labels| store(labels).err().map(|error| error.to_string());
        assert_eq!(told(&[("stillpoint.user", "one")]).as_deref(), Some("one"));
        assert_eq!(told(&[("stillpoint.user", "two")]).as_deref(), Some("two"));
        assert_eq!(told(&[]).as_deref(), Some(""));
    }

    #[test]
    fn every_kind_sees_the_neighbours_of_its_container_by_the_names_that_they_have_in_the_network() {
        let kind = with_labels(|setting| Arc::new(Telling(setting)), &configured(&[]));
        let mut other = container(&[], &[]);
        "acme-meta-1".clone_into(&mut other.container);
        other.aliases.push("beside".to_owned());
        let told = |neighbours: &[Workload]| {
            let db = container(&[("stillpoint.user", "one")], &[]);
            let store = kind.store(StoreName::new("db"), &db, Neighbours::of(neighbours));
            store.err().map(|error| error.to_string())
        };
        assert_eq!(told(&[other]).as_deref(), Some("one beside acme-meta-1"));
        assert_eq!(told(&[]).as_deref(), Some("one"));
    }
}
