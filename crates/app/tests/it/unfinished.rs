//! A restore that fails after the stop leaves the platform stopped on purpose, says so, and can be
//! finished.

use crate::common::{STOCK_RESTORE, has_claim, is_back, on_mini, replace_tool, standing};
use anyhow::Result;
use stillpoint_testkit::testbed::{Status, Testbed};

fn all_stopped(testbed: &Testbed) -> Result<()> {
    for container in testbed.containers()? {
        assert_eq!(container.status, Status::Exited, "{} runs", container.service);
    }
    assert!(has_claim(testbed)?, "nothing says what is to run again");
    Ok(())
}

#[test]
fn a_restore_that_fails_after_the_stop_can_be_run_again() -> Result<()> {
    on_mini("again", |testbed, product| {
        let before = standing(testbed)?;
        testbed.tick()?;
        let truth = testbed.truth()?;
        let backup = product.backup()?;
        let restore = ["restore", &backup, "--confirm", &backup];
        testbed.tick()?;

        // The second database fails: the first is loaded by then.
        replace_tool(
            testbed,
            "pg_restore",
            "[ -e /tmp/once ] && { cat >/dev/null; echo no more room >&2; exit 1; }\ntouch /tmp/once\nexec /usr/bin/pg_restore \"$@\"",
        )?;
        let ran = product.run(&restore)?.must_end_with(14)?;
        let ran = ran
            .must_say("stopped on purpose")?
            .must_say("databases cannot be loaded; all others are there")?
            .must_say("no more room")?;
        ran.must_say("stillpoint restore resume")?
            .must_say("stillpoint containers start")?;
        all_stopped(testbed)?;
        product
            .run(&["containers", "plan"])?
            .must_end_with(0)?
            .must_print("is stopped on purpose since")?
            .must_print("stillpoint restore undo")?;

        // A backup does not take this for the operator's wish.
        product
            .run(&["backup"])?
            .must_end_with(14)?
            .must_say("stopped on purpose")?;
        all_stopped(testbed)?;

        replace_tool(testbed, "pg_restore", STOCK_RESTORE)?;
        product.restore(&backup)?;
        is_back(testbed, &before)?;
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        assert!(
            testbed
                .witness()?
                .values()
                .all(|witness| witness.is_whole() && witness.last == 1)
        );
        Ok(())
    })
}

#[test]
fn a_platform_that_a_restore_stopped_can_be_started_as_it_is() -> Result<()> {
    on_mini("asitis", |testbed, product| {
        let before = standing(testbed)?;
        let backup = product.backup()?;
        replace_tool(testbed, "pg_restore", "cat >/dev/null; exit 1")?;
        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(14)?;
        all_stopped(testbed)?;
        product.run(&["containers", "start"])?.must_end_with(0)?;
        let after: Vec<_> = standing(testbed)?
            .into_iter()
            .filter(|(service, ..)| service != "witness")
            .collect();
        let before: Vec<_> = before
            .into_iter()
            .filter(|(service, ..)| service != "witness")
            .collect();
        assert_eq!(after, before);
        Ok(())
    })
}
