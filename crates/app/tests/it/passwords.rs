//! Whose password counts after a restore, when it was changed since the backup.

use anyhow::{Result, ensure};
use stillpoint_testkit::testbed::Testbed;

use crate::common::on_mini;

/// The role that the product logs in as. Its password was changed too.
const OURS: &str = "keeper";

/// Whether the server lets a role in with this password, asked by its address: it trusts its own loopback.
fn lets_in(testbed: &Testbed, role: &str, password: &str) -> Result<bool> {
    let server = testbed.container("postgres-main")?;
    let (user, password) = (format!("PGUSER={role}"), format!("PGPASSWORD={password}"));
    let ask = "psql -XqAt -h \"$(hostname -i)\" -d postgres -c 'select 1' 2>&1 || true";
    let said = testbed.docker(&["exec", "-e", &user, "-e", &password, &server, "sh", "-c", ask])?;
    let refused = said.contains("password authentication failed");
    ensure!(refused || said.trim() == "1", "neither let in nor refused: {said}");
    Ok(!refused)
}

/// Fails unless a role's password is the one and not the other.
fn has_password(testbed: &Testbed, role: &str, right: &str, wrong: &str) -> Result<()> {
    ensure!(lets_in(testbed, role, right)?, "`{role}` is not let in with `{right}`");
    ensure!(!lets_in(testbed, role, wrong)?, "`{role}` is let in with `{wrong}`");
    Ok(())
}

/// Fails unless so many roles of ours remember a password, and nobody but a superuser can read it.
fn remembered(testbed: &Testbed, count: &str) -> Result<()> {
    let roles = "select count(*) from pg_roles where rolname ~ '^sp_[0-9a-f]{8}$'";
    assert_eq!(testbed.psql("postgres", roles)?, count);
    let legible = "select count(*) from pg_db_role_setting, unnest(setconfig) c where c ~ 'SCRAM|md5'";
    assert_eq!(testbed.psql("postgres", legible)?, "0");
    Ok(())
}

#[test]
fn roles_have_their_present_passwords_after_a_restore_or_the_backups() -> Result<()> {
    on_mini("whose", |testbed, product| {
        testbed.psql(
            "postgres",
            "create role app login password 'then'; create role keeper superuser login password 'then'",
        )?;
        let product = product
            .clone()
            .with("STILLPOINT_POSTGRES_MAIN_USER", OURS)
            .with("STILLPOINT_POSTGRES_MAIN_PASSWORD", "then");
        let backup = product.backup()?;
        testbed.psql(
            "postgres",
            "alter role app password 'now'; alter role keeper password 'now'",
        )?;
        let product = product.with("STILLPOINT_POSTGRES_MAIN_PASSWORD", "now");
        let now = |role| has_password(testbed, role, "now", "then");

        let keep = "postgres-main: roles that exist keep their present passwords.";
        product.run(&["restore", &backup, "--dry-run"])?.must_print(keep)?;
        product.restore(&backup)?;
        now("app")?;
        now(OURS)?;

        let restore = ["restore", &backup, "--confirm", &backup, "--passwords=backup"];
        product
            .run(&[&restore[..], &["--dry-run"]].concat())?
            .must_end_with(0)?
            .must_print("get the backup's passwords, but `keeper`, as which Stillpoint logs in")?;
        product
            .run(&restore)?
            .must_end_with(0)?
            .must_say("role `keeper` keeps its present password")?;
        has_password(testbed, "app", "then", "now")?;
        now(OURS)?;
        remembered(testbed, "1")?;

        // Made while an old password is remembered: what remembers it does not come back with it.
        let between = product.backup()?;
        let undo = ["restore", "undo", "--confirm", testbed.project()];
        product.run(&undo)?.must_end_with(0)?;
        now("app")?;
        remembered(testbed, "0")?;

        product
            .run(&["restore", &between, "--confirm", &between])?
            .must_end_with(0)?;
        now("app")?;
        remembered(testbed, "0")?;
        let free = ["restore", "discard-old", "--confirm", testbed.project()];
        product.run(&free)?.must_end_with(0)?;
        product
            .run(&[&restore[..], &["--discard-old"]].concat())?
            .must_end_with(0)?;
        has_password(testbed, "app", "then", "now")?;
        remembered(testbed, "0")
    })
}
