//! How settings are looked up, and what their declarations promise.

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

/// A configuration that sets these variables.
pub(crate) fn configured(set: &[(&'static str, &'static str)]) -> Configured {
    let set: BTreeMap<&str, &str> = set.iter().copied().collect();
    Arc::new(move |name| set.get(name).copied().map(SecretString::from))
}

/// The settings of the store `db` in that container, below these.
pub(crate) fn settings_of(workload: &Workload, above: &[(&'static str, &'static str)]) -> Setting {
    Setting::of(&configured(above), Some(&StoreName::new("db")), workload)
}

fn secret(setting: &Setting) -> Option<String> {
    setting.secret(&PASSWORD).map(|value| value.expose_secret().to_owned())
}

#[test]
fn a_label_sets_what_the_variable_sets_and_is_below_it() {
    let workload = container(&[("stillpoint.user", "label"), ("stillpoint.password", "secret")], &[]);
    let alone = settings_of(&workload, &[]);
    assert_eq!(alone.text(&USER).as_deref(), Some("label"));
    assert_eq!(secret(&alone).as_deref(), Some("secret"));
    let below = settings_of(&workload, &[("STILLPOINT_DB_USER", "variable")]);
    assert_eq!(below.text(&USER).as_deref(), Some("variable"));
    assert_eq!(secret(&below).as_deref(), Some("secret"));
    let empty = settings_of(&container(&[("stillpoint.user", "")], &[]), &[]);
    assert_eq!(empty.text(&USER), None);
}

#[test]
fn a_store_is_found_by_its_name_its_service_and_its_container() {
    let workload = container(&[], &[]);
    let above = [
        ("STILLPOINT_ACME_DB_1_USER", "container"),
        ("STILLPOINT_DB_PASSWORD", "service"),
    ];
    let main = Setting::of(&configured(&above), Some(&StoreName::new("main")), &workload);
    assert_eq!(main.text(&USER).as_deref(), Some("container"));
    assert_eq!(secret(&main).as_deref(), Some("service"));
    let named = [("STILLPOINT_MAIN_USER", "name"), ("STILLPOINT_DB_USER", "service")];
    let main = Setting::of(&configured(&named), Some(&StoreName::new("main")), &workload);
    assert_eq!(main.text(&USER).as_deref(), Some("name"));
    assert_eq!(main.variable(&USER), "STILLPOINT_MAIN_USER");
}

#[test]
fn a_value_hides_the_file_that_a_label_names() {
    let path = |setting: &Setting| setting.in_file(&PASSWORD).map(|path| path.expose_secret().to_owned());
    let in_file = ("stillpoint.password_file", "/run/secrets/db");
    let alone = settings_of(&container(&[in_file], &[]), &[]);
    assert_eq!(path(&alone).as_deref(), Some("/run/secrets/db"));
    let above = settings_of(&container(&[in_file], &[]), &[("STILLPOINT_DB_PASSWORD", "x")]);
    assert_eq!(path(&above), None);
    let beside = settings_of(&container(&[in_file, ("stillpoint.password", "y")], &[]), &[]);
    assert_eq!(path(&beside), None);
}

#[test]
fn a_name_means_the_key_of_the_kind_that_has_it() {
    let nats = declared("nats").unwrap();
    let found = |name| nats.key(name).map(|(key, part)| (key.name, part));
    assert_eq!(found("nkey_seed"), Some(("nkey_seed", None)));
    assert_eq!(found("my_app_nkey_seed"), Some(("nkey_seed", Some("my_app"))));
    assert_eq!(found("app_port"), None, "the server has one port");
    assert_eq!(found("_user"), None);
    let postgres = declared("postgres").unwrap();
    assert_eq!(postgres.key("token"), None);
    assert_eq!(postgres.key("app_user"), None, "it has no accounts");
    assert_eq!(any_key("token").map(|(key, _)| key.name), Some("token"));
}

#[test]
fn one_name_is_one_key_whatever_the_kind() {
    let keys = every_key();
    for (key, kinds) in &keys {
        let same = keys.iter().filter(|(other, _)| other.name == key.name);
        assert_eq!(same.count(), 1, "{} of {kinds:?}", key.name);
        assert!(key.about.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn a_value_of_another_shape_is_told() {
    let wrong = |shape: Shape, text: &str| shape.check(text).err();
    assert_eq!(wrong(Shape::Port, "0").as_deref(), Some("`0` is not a port"));
    assert_eq!(wrong(Shape::Port, "65535"), None);
    assert_eq!(wrong(Shape::Kind, "none"), None);
    assert!(wrong(Shape::Kind, "postgers").is_some());
    assert!(wrong(Shape::OneOf(&["pin", "hold"]), "x").is_some());
    for name in ["", ".hidden", "a/b", "ä"] {
        assert!(wrong(Shape::Name, name).is_some(), "{name}");
    }
    assert_eq!(wrong(Shape::Name, "postgres-main"), None);
}
