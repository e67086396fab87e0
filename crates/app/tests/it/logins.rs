//! The logins that clients hold in their environments are tried around a restore, by each store's own protocol.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{is_back, on, on_mini, standing};

#[test]
fn a_client_that_the_restore_locks_out_is_named_and_runs() -> Result<()> {
    on_mini("lockedout", |testbed, product| {
        let before = standing(testbed)?;
        testbed.tick()?;
        let backup = product.backup()?;
        let good = product.restore(&backup)?.must_say("trying the clients' logins")?;
        assert!(!good.err.contains("the login in"), "{}", good.err);

        testbed.psql("postgres", "alter role openwebui nologin")?;
        let truth = testbed.truth()?;
        let backup = product.backup()?;
        testbed.psql("postgres", "alter role openwebui login; drop database litellm")?;
        let refused = "(user `openwebui`, database `openwebui`)";
        let words = "role \"openwebui\" is not permitted to log in; make the role";
        let ran = product
            .run(&["restore", &backup, "--confirm", &backup, "--discard-old"])?
            .must_end_with(3)?
            .must_say(&format!(
                "the login in DATABASE_URL of webapp {refused} for postgres-main: refused since the restore: {words}"
            ))?
            .must_print(&format!(
                "webapp: postgres-main refuses its login in DATABASE_URL {refused}: {words}"
            ))?;
        assert!(
            !format!("{}{}", ran.out, ran.err).contains("-secret"),
            "a password was shown"
        );
        is_back(testbed, &before)?;
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        Ok(())
    })
}

/// A client's variables, each with what its store says to the login in it.
const LOGINS: [(&str, &str, &str); 13] = [
    (
        "PG_GOOD",
        "postgresql://openwebui:openwebui-secret@postgres-main:5432/openwebui",
        "admitted",
    ),
    (
        "PG_WRONG",
        "postgresql+asyncpg://openwebui:wrong-secret@postgres-main/openwebui",
        "refused: password authentication failed for user \"openwebui\"",
    ),
    (
        "PG_ABSENT",
        "postgresql://openwebui:openwebui-secret@postgres-main/absent",
        "refused: database \"absent\" does not exist",
    ),
    (
        "PG_BARRED",
        "postgresql://openwebui:openwebui-secret@postgres-main/langfuse",
        "refused: permission denied for database \"langfuse\"",
    ),
    (
        "PG_NOLOGIN",
        "postgresql://platform_readers:any-secret@postgres-main/openwebui",
        "refused: role \"platform_readers\" is not permitted to log in",
    ),
    (
        "PG_ELSEWHERE",
        "postgresql://reporting:reporting-secret@postgres-main/openwebui",
        "could not be tried: logging in from here: pg_hba.conf rejects connection",
    ),
    ("VALKEY_GOOD", "redis://:valkey-secret@valkey:6379/3", "admitted"),
    (
        "VALKEY_FAR",
        "redis://:valkey-secret@valkey/9999",
        "refused: ERR DB index is out of range",
    ),
    ("REDIS_PASSWORD", "wrong-secret", "refused: WRONGPASS"),
    ("NATS_GOOD", "nats://other:other-secret@nats:4222", "admitted"),
    (
        "NATS_TOKEN",
        "nats://token-secret@nats",
        "refused: the server does not accept it",
    ),
    (
        "NATS_PASSWORD",
        "wrong-secret",
        "refused: the server does not accept it",
    ),
    ("NATS_DEAF", "nats://other:other-secret@nats:1", "could not be tried"),
];

/// What makes a login of a password.
const BESIDE: [&str; 3] = ["REDIS_HOST=valkey", "NATS_HOST=nats", "NATS_USER=other"];

#[test]
fn each_store_says_to_each_login_what_it_says_to_its_client() -> Result<()> {
    on("logins", Shape::Stores, |testbed, product| {
        // The role trusts everybody who is let in, so that nothing but its own right to log in is in the way.
        let rules = "host all reporting all reject\\nhost all platform_readers all trust";
        let edit = format!("sed -i '1i {rules}' \"$PGDATA/pg_hba.conf\"");
        testbed.docker(&[
            "exec",
            "-u",
            "postgres",
            &testbed.container("postgres-main")?,
            "sh",
            "-c",
            &edit,
        ])?;
        testbed.psql("postgres", "select pg_reload_conf()")?;
        start_client(testbed)?;
        let backup = product.backup()?;
        let before = standing(testbed)?;
        let ran = product
            .run(&["restore", &backup, "--dry-run", "--json"])?
            .must_end_with(0)?;
        assert!(
            !format!("{}{}", ran.out, ran.err).contains("-secret"),
            "a password was shown"
        );
        let said = said(&ran.summary()?)?;
        for (variable, _, words) in LOGINS {
            let now = said
                .get(variable)
                .with_context(|| format!("{variable} was not tried"))?;
            assert!(now.starts_with(words), "{variable}: {now}");
        }
        assert_eq!(said.len(), LOGINS.len());
        is_back(testbed, &before)?;
        product
            .run(&["restore", &backup, "--dry-run"])?
            .must_end_with(0)?
            .must_print("user `openwebui`, database `absent`")?
            .must_print("admitted")
            .map(drop)
    })
}

fn start_client(testbed: &Testbed) -> Result<String> {
    let set = LOGINS.map(|(variable, value, _)| format!("--env={variable}={value}"));
    let beside = BESIDE.map(|variable| format!("--env={variable}"));
    let options: Vec<&str> = set.iter().chain(&beside).map(String::as_str).collect();
    testbed.guest("app", "IDLE", &options, &["term"])
}

/// What was said to the logins of that client, by variable.
fn said(rehearsed: &Value) -> Result<BTreeMap<String, String>> {
    let text = |held: &Value, key: &str| held[key].as_str().map(ToOwned::to_owned);
    let held = rehearsed["logins"].as_array().context("no logins are listed")?.iter();
    let of_app = held.filter(|held| held["client"]["service"] == "app");
    let said = of_app.filter_map(|held| Some((text(held, "variable")?, text(held, "now")?)));
    Ok(said.collect())
}
