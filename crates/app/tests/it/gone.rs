//! Somebody removes containers that a run has stopped, as `docker system prune` does, or what a platform is known by is
//! gone: what is left is brought back all the same, and what is missing is told until it is there again. On the real engine.

use anyhow::{Context, Result};
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::testbed::{Status, Testbed};

use crate::common::{
    HOLD, STOCK_RESTORE, half_way, has_claim, hold_dumps, is_back, let_go, on_mini, replace_tool, standing,
    stuck_in_a_dump,
};

const CLIENT: &str = "webapp";

fn remove(testbed: &Testbed, service: &str) -> Result<()> {
    let container = testbed.container(service)?;
    testbed.docker(&["rm", "--force", &container]).map(drop)
}

fn claim(testbed: &Testbed) -> String {
    format!("stillpoint-{}", testbed.project())
}

/// The command that makes the client again, as the product has printed it.
fn line(ran: &Ran) -> Result<String> {
    let said = format!("{}\n{}", ran.out, ran.err);
    let mut lines = said.split('`');
    let found = lines.rfind(|text| text.starts_with("docker compose ") && text.ends_with(" up -d webapp"));
    Ok(found.with_context(|| format!("no command is told: {said}"))?.to_owned())
}

/// Every verb tells what is missing, until it is made as they say.
fn is_told_until_it_is_there(testbed: &Testbed, product: &Product) -> Result<()> {
    let ran = product.run(&["backup"])?.must_end_with(3)?;
    line(&ran.must_print("The backup is good, but webapp: was removed since")?)?;
    for verb in ["start", "recover"] {
        let ran = product.run(&["containers", verb])?.must_end_with(16)?;
        line(&ran)?;
        ran.must_say("containers start --forget")?;
    }
    let plan = product.run(&["containers", "plan"])?.must_end_with(0)?;
    testbed.type_compose(&line(&plan)?)?;
    assert_eq!(testbed.state(CLIENT)?.status, Status::Running);
    product.run(&["containers", "recover"])?.must_end_with(0)?;
    product.backup().map(drop)
}

#[test]
fn a_container_that_is_removed_in_the_standstill_is_told_until_it_is_there_again() -> Result<()> {
    on_mini("gone", |testbed, product| {
        hold_dumps(testbed)?;
        let mut running = product.start(&HOLD)?;
        half_way(testbed, &mut running)?;
        remove(testbed, CLIENT)?;
        testbed.docker(&["rm", &claim(testbed)])?;
        let_go(testbed)?;
        // Whoever removes a container may have run it before.
        let ran = running.end()?.must_end_with(16)?;
        line(&ran.must_say("webapp vanished during the standstill")?)?;
        assert!(!has_claim(testbed)?);
        is_told_until_it_is_there(testbed, product)
    })
}

#[test]
fn what_is_removed_after_a_kill_is_told_also_without_the_claim() -> Result<()> {
    on_mini("gonekill", |testbed, product| {
        stuck_in_a_dump(testbed, product, &HOLD)?.kill_all()?;
        remove(testbed, CLIENT)?;
        testbed.docker(&["rm", &claim(testbed)])?;
        let ran = product.run(&["containers", "recover"])?.must_end_with(16)?;
        line(&ran)?;
        assert_eq!(testbed.state("witness")?.status, Status::Running);
        assert!(!has_claim(testbed)?);
        product.run(&["containers", "recover"])?.must_end_with(16)?;
        product.run(&["containers", "start", "--forget"])?.must_end_with(0)?;
        product.run(&["containers", "recover"])?.must_end_with(0)?;
        Ok(())
    })
}

#[test]
fn what_is_removed_after_a_restore_has_failed_is_told() -> Result<()> {
    on_mini("gonerestore", |testbed, product| {
        let backup = product.backup()?;
        replace_tool(testbed, "pg_restore", "cat >/dev/null; exit 1")?;
        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(14)?;
        remove(testbed, CLIENT)?;
        replace_tool(testbed, "pg_restore", STOCK_RESTORE)?;
        let ran = product.run(&["restore", "resume"])?.must_end_with(3)?;
        line(&ran.must_print("The data is good, but webapp: was removed since")?)?;
        is_told_until_it_is_there(testbed, product)
    })
}

/// The last resort: no store is there any more, the configuration cannot be read, and only the claim or only the
/// journal knows what ran.
#[test]
fn the_claim_or_the_journal_alone_bring_back_what_is_left() -> Result<()> {
    on_mini("lastresort", |testbed, product| {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("broken.toml");
        std::fs::write(&config, "[retention]\ndays = = 7\n")?;
        stuck_in_a_dump(testbed, product, &HOLD)?.kill_all()?;
        remove(testbed, "postgres-main")?;
        let broken = product
            .clone()
            .with("STILLPOINT_CONFIG", config.as_os_str())
            .with("STILLPOINT_POSTGRES_MAIN_PASSWORD_FILE", "/nowhere");
        broken.run(&["backup"])?.must_end_with(2)?;
        // Nobody has said which platform: the claim does.
        let ran = broken.run(&["containers", "start"])?.must_end_with(16)?;
        ran.must_say("the configuration cannot be read")?
            .must_say("postgres-main: was removed since")?
            .must_say("up -d postgres-main`")?;
        for client in [CLIENT, "witness"] {
            assert_eq!(testbed.state(client)?.status, Status::Running, "{client}");
        }
        assert!(!has_claim(testbed)?);
        Ok(())
    })
}

#[test]
fn a_label_that_cannot_be_read_keeps_nothing_down() -> Result<()> {
    on_mini("mislabelled", |testbed, product| {
        let before = standing(testbed)?;
        for (verb, by_journal) in [("start", false), ("recover", true)] {
            stuck_in_a_dump(testbed, product, &HOLD)?.kill_all()?;
            if by_journal {
                testbed.docker(&["rm", &claim(testbed)])?;
            }
            // As a label that cannot be read does, it makes the store unusable for every other verb.
            let unusable = product.clone().with("STILLPOINT_POSTGRES_MAIN_MODE", "none");
            unusable.run(&["containers", verb])?.must_end_with(0)?;
            is_back(testbed, &before)?;
        }
        Ok(())
    })
}
