//! What labels of containers set: settings of the store that the container is, below `stillpoint.toml`. The
//! stores read them by themselves; here they are shown, and what has no effect is told.

use stillpoint_core::engine::plan::{Entry, Plan};
use stillpoint_stores::settings::{Declared, NO_STORE, every_key, label, labelled, names_of, variable};

use super::origin::Origin;
use super::settings::{Found, Layer, Settings};
use super::similar::did_you_mean;
use crate::failure::Failure;

/// What is common to all labels that are meant for us.
const OURS: &str = "stillpoint.";

/// Labels of ours that set nothing: those of the testbed.
const NOT_SETTINGS_FROM: &str = "stillpoint.testbed";

/// Says what a container is, whatever it looks like.
const KIND: &str = "stillpoint.kind";

/// The layer of the labels of the platform's stores. Each has the variable by which the settings above it speak of
/// the same, if they do.
pub(super) fn layer(plan: &Plan, above: &Settings) -> Layer {
    let mut layer = Layer::new();
    for entry in &plan.entries {
        let Some(store) = entry.store() else { continue };
        for set in labelled(&entry.workload) {
            let name = set.name.strip_suffix("_file").unwrap_or(&set.name);
            let names = names_of(Some(store), &entry.workload);
            let mut variables = names.iter().map(|store| variable(store, name));
            let known = variables.find(|variable| above.found(variable).is_some());
            let variable = known.unwrap_or_else(|| variable(store.as_str(), name));
            layer.entry(variable).or_insert_with(|| Found {
                text: set.value,
                origin: origin(entry, &set.label),
            });
        }
    }
    layer
}

/// What is meant for us in the labels of a platform and is nobody's.
pub(super) fn warnings(plan: &Plan) -> Vec<String> {
    let of_entry = |entry: &Entry| {
        let no_kind = no_kind(entry).into_iter();
        no_kind.chain(unknown(entry)).chain(hidden(entry))
    };
    plan.entries.iter().flat_map(of_entry).collect()
}

/// Refuses a label of a store that only other kinds of store know.
pub(super) fn check(entry: &Entry, declared: &Declared) -> Result<(), Failure> {
    for set in labelled(&entry.workload) {
        let origin = origin(entry, &set.label);
        let kind = declared.kind;
        let in_file = set.name.strip_suffix("_file");
        let known = declared.key(in_file.unwrap_or(&set.name)).is_some();
        let problem = match in_file {
            _ if !known => format!("a store of kind {kind} has no setting `{}`", set.name),
            Some(name) if !declared.reads_files => format!(
                "Stillpoint cannot read a file in a container of {kind}: set the label {} or `{}` in [stores.{}]",
                label(name),
                set.name,
                entry.workload.container
            ),
            _ => continue,
        };
        let hint = format!("remove the label; {}", settings_of(declared));
        return Err(Failure::usage(format!("{origin}: {problem}"), hint));
    }
    Ok(())
}

/// What a kind of store can be told, for messages.
pub(super) fn settings_of(declared: &Declared) -> String {
    let names: Vec<&str> = declared.all().map(|key| key.name).collect();
    format!("the settings of {} are {}", declared.kind, names.join(", "))
}

/// A store whose kind is mistyped is taken for a client, and is not in the backup.
fn no_kind(entry: &Entry) -> Option<String> {
    let kind = entry.workload.labels.get(KIND)?;
    let known = || settings_kinds().chain([NO_STORE]);
    if known().any(|known| known == kind) {
        return None;
    }
    let near = did_you_mean(kind, known());
    let origin = origin(entry, KIND);
    Some(format!(
        "{origin}: `{kind}` is not a kind of store, so the container counts as none{near}"
    ))
}

fn settings_kinds() -> impl Iterator<Item = &'static str> {
    stillpoint_stores::DECLARED.iter().map(|declared| declared.kind)
}

fn unknown(entry: &Entry) -> Vec<String> {
    if entry.store().is_none() {
        return Vec::new();
    }
    let known: Vec<String> = super::stores::names().iter().map(|name| label(name)).collect();
    let known = || known.iter().map(String::as_str);
    let names = entry.workload.labels.keys().map(String::as_str);
    let unknown = names
        .filter(|name| name.starts_with(OURS) && !name.starts_with(NOT_SETTINGS_FROM))
        .filter(|name| known().all(|known| known != *name));
    let warning = |name: &str| {
        let near = did_you_mean(name, known());
        format!("{} is unknown and does nothing{near}", origin(entry, name))
    };
    unknown.map(warning).collect()
}

/// A file is named for what another label sets.
fn hidden(entry: &Entry) -> Vec<String> {
    let has = |label: &str| entry.workload.labels.get(label).is_some_and(|value| !value.is_empty());
    let both = every_key()
        .into_iter()
        .map(|(key, _)| (label(key.name), label(&format!("{}_file", key.name))));
    let both = both.filter(|(value, in_file)| entry.store().is_some() && has(value) && has(in_file));
    both.map(|(value, in_file)| format!("{} does nothing: {value} is set, too", origin(entry, &in_file)))
        .collect()
}

fn origin(entry: &Entry, label: &str) -> Origin {
    Origin::Label {
        label: label.to_owned(),
        container: entry.workload.container.clone(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use stillpoint_core::operations::Operations;
    use stillpoint_testkit::World;
    use stillpoint_testkit::fakes::Container;

    use super::*;

    /// The plan of a platform whose store `db` and whose client `api` have these labels.
    async fn plan(of_store: &[(&str, &str)], of_client: &[(&str, &str)]) -> Plan {
        let with = |container: Container, labels: &[(&str, &str)]| {
            let labelled = |one: Container, (label, value): &(&str, &str)| one.labelled(label, value);
            labels.iter().fold(container, labelled)
        };
        let store = with(Container::store("db", &[]), of_store);
        let world = World::of([store, with(Container::client("api"), of_client)]);
        world.operations().plan(None).await.unwrap()
    }

    fn warned(plan: &Plan) -> Vec<String> {
        warnings(plan)
    }

    #[tokio::test(start_paused = true)]
    async fn a_label_is_a_value_with_an_origin_for_its_own_store_alone() {
        let user = [("stillpoint.user", "backup"), ("stillpoint.password_file", "/run/x")];
        let layer = layer(
            &plan(&user, &[("stillpoint.user", "nobody")]).await,
            &Settings::default(),
        );
        let names: Vec<&str> = layer.keys().map(String::as_str).collect();
        assert_eq!(names, ["STILLPOINT_DB_PASSWORD", "STILLPOINT_DB_USER"]);
        let user = &layer["STILLPOINT_DB_USER"];
        assert_eq!(user.text.expose_secret(), "backup");
        assert_eq!(user.origin.to_string(), "label stillpoint.user of container acme-db-1");
        assert_eq!(
            layer["STILLPOINT_DB_PASSWORD"].origin.to_string(),
            "label stillpoint.password_file of container acme-db-1"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_labels_of_stores_are_warned_of_and_others_are_not() {
        let labels = [
            ("stillpoint.usr", "x"),
            ("stillpoint.colour", "x"),
            ("stillpoint.user", "x"),
            ("stillpoint.kind", "postgres"),
            ("stillpoint.testbed.owner", "x"),
            ("com.example.user", "x"),
        ];
        let plan = plan(&labels, &[("stillpoint.usr", "x")]).await;
        let container = "of container acme-db-1 is unknown and does nothing";
        assert_eq!(
            warned(&plan),
            [
                format!("label stillpoint.colour {container}"),
                format!("label stillpoint.usr {container}; did you mean `stillpoint.user`?"),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_mistyped_kind_is_told_because_its_container_is_not_backed_up() {
        let plan = plan(&[], &[("stillpoint.kind", "postgers")]).await;
        assert_eq!(
            warned(&plan),
            [
                "label stillpoint.kind of container acme-api-1: `postgers` is not a kind of store, so the container counts as \
                 none; did you mean `postgres`?"
            ]
        );
        for kind in ["none", "valkey"] {
            let plan = self::plan(&[], &[("stillpoint.kind", kind)]).await;
            assert_eq!(warned(&plan), [""; 0], "{kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_password_beside_its_file_holds_and_that_is_told() {
        let both = [("stillpoint.password", "x"), ("stillpoint.password_file", "/run/x")];
        let plan = plan(&both, &[]).await;
        let layer = layer(&plan, &Settings::default());
        assert_eq!(layer["STILLPOINT_DB_PASSWORD"].text.expose_secret(), "x");
        assert_eq!(
            warned(&plan),
            ["label stillpoint.password_file of container acme-db-1 does nothing: stillpoint.password is set, too"]
        );
    }
}
