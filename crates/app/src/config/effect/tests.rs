//! That nothing which is set for a store is without effect in silence.

use secrecy::SecretString;
use stillpoint_core::operations::Operations;
use stillpoint_testkit::World;
use stillpoint_testkit::fakes::Container;

use super::*;

/// What the file says of stores: a table, a key and its value in each line.
type File<'a> = &'a [(&'a str, &'a str, &'a str)];

/// Looks at this on a platform `acme` with a store `db` of this kind and these labels, and the clients `api` and
/// `etcd`, the latter of which is never stopped.
async fn looked(
    kind: &str,
    labels: &[(&str, &str)],
    file: File<'_>,
    variables: &[&str],
) -> Result<Vec<String>, String> {
    let store = Container::store("db", &[]);
    let store = labels
        .iter()
        .fold(store, |one, (label, value)| one.labelled(label, value));
    let world = World::of([store, Container::client("api"), Container::client("etcd")]);
    let plan = world.operations().plan(None).await.unwrap();
    let in_file = file.iter().enumerate().map(|(line, (table, key, value))| {
        let origin = Origin::File {
            file: "stillpoint.toml".into(),
            line: line + 1,
            path: format!("stores.{table}.{key}"),
        };
        (variable(table, key), (*value, origin))
    });
    let in_environment = variables.iter().map(|name| {
        let origin = Origin::Environment((*name).to_owned());
        ((*name).to_owned(), ("x", origin))
    });
    let mut settings = Settings::default();
    for (variable, (text, origin)) in in_file.chain(in_environment) {
        let text = SecretString::from(text);
        settings.push([(variable, Found { text, origin })].into());
    }
    let kind_of = |workload: &Workload| (workload.address.service == "db").then(|| StoreKind::new(kind));
    check(&settings, &plan, &kind_of).map_err(|refused| refused.what())
}

async fn in_file(kind: &str, file: File<'_>) -> Result<Vec<String>, String> {
    looked(kind, &[], file, &[]).await
}

async fn refused(kind: &str, file: File<'_>) -> String {
    in_file(kind, file).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn what_a_store_knows_is_taken_by_whatever_name_it_is_called() {
    for table in ["db", "acme-db-1"] {
        let taken = in_file("postgres", &[(table, "user", "x"), (table, "max_blocked_seconds", "1")]).await;
        assert_eq!(taken, Ok(vec![]), "{table}");
    }
    let variables = looked(
        "postgres",
        &[],
        &[],
        &["STILLPOINT_DB_USER", "STILLPOINT_ACME_DB_1_PORT"],
    )
    .await;
    assert_eq!(variables, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_only_other_kinds_know_is_refused_with_what_this_one_knows() {
    let problem = "container acme-db-1 is a store of kind postgres, which has no setting `token`";
    let told = refused("postgres", &[("db", "user", "x"), ("db", "token", "x")]).await;
    assert_eq!(told, format!("stillpoint.toml:2: stores.db.token: {problem}"));
    let told = looked("postgres", &[], &[], &["STILLPOINT_DB_TOKEN"])
        .await
        .unwrap_err();
    assert_eq!(told, format!("STILLPOINT_DB_TOKEN (environment): {problem}"));
    let told = looked("postgres", &[("stillpoint.token", "x")], &[], &[])
        .await
        .unwrap_err();
    assert_eq!(
        told,
        "label stillpoint.token of container acme-db-1: a store of kind postgres has no setting `token`"
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_must_be_one_that_the_store_has() {
    assert_eq!(
        refused("valkey", &[("db", "app_user", "x")]).await,
        "stillpoint.toml:1: stores.db.app_user: container acme-db-1 is a store of kind valkey, which has no setting \
         `app_user`"
    );
    let accounts = |list| [("db", "accounts", list), ("db", "my_app_user", "x")];
    assert_eq!(in_file("nats", &accounts("OTHER, My-App")).await, Ok(vec![]));
    assert_eq!(
        refused("nats", &accounts("OTHER")).await,
        "stillpoint.toml:2: stores.db.my_app_user: `my_app_user` has no effect: `accounts` of container acme-db-1 does \
         not name `my_app`"
    );
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_no_store_takes_nothing_but_its_kind() {
    assert_eq!(in_file("postgres", &[("api", "kind", "none")]).await, Ok(vec![]));
    assert_eq!(
        refused("postgres", &[("api", "user", "x")]).await,
        "stillpoint.toml:1: stores.api.user: container acme-api-1 is not a store, so `user` has no effect"
    );
    assert_eq!(
        refused("postgres", &[("etcd", "kind", "postgres")]).await,
        "stillpoint.toml:1: stores.etcd.kind: container acme-etcd-1 is never stopped (its name begins with `etcd`), \
         and is not a store"
    );
}

#[tokio::test(start_paused = true)]
async fn a_container_that_does_not_exist_is_told_with_those_that_do() {
    let warned = "speaks of no container of platform acme and does nothing; its containers are api, db, etcd";
    assert_eq!(
        in_file("postgres", &[("dbb", "kind", "postgres")]).await,
        Ok(vec![format!("stillpoint.toml:1: stores.dbb.kind {warned}")])
    );
    assert_eq!(
        looked("postgres", &[], &[], &["STILLPOINT_DBB_USER"]).await,
        Ok(vec![format!("STILLPOINT_DBB_USER (environment) {warned}")])
    );
}

#[tokio::test(start_paused = true)]
async fn one_setting_of_one_store_stands_in_one_place() {
    assert_eq!(
        refused("postgres", &[("acme-db-1", "user", "x"), ("db", "user", "x")]).await,
        "stillpoint.toml:2: stores.db.user: stillpoint.toml:1: stores.acme-db-1.user sets the same for container \
         acme-db-1, and only one of them can hold"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_nobody_can_read_in_the_container_is_refused() {
    let label = [("stillpoint.password_file", "/run/x")];
    assert_eq!(looked("postgres", &label, &[], &[]).await, Ok(vec![]));
    let told = looked("nats", &label, &[], &[]).await.unwrap_err();
    assert!(told.contains("cannot read a file in a container of nats"), "{told}");
}
