//! The service as its operator has it: in a browser, from the link in its log to the restored platform. What the pages say is
//! compared with what became of the platform. A picture of each page is kept in `testbed/.state/screens`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use stillpoint_browser::{Browser, Scripts};
use stillpoint_testkit::product::{Product, Running};
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{STOCK_RESTORE, hold_dumps, is_back, let_go, on, replace_tool, standing, until};

const NAME: &str = "anna";
const PASSWORD: &str = "a long way to the sea";

/// A service with its port, and who may do everything on it.
struct Scene<'a> {
    testbed: &'a Testbed,
    product: &'a Product,
    browser: Browser,
    site: String,
}

#[test]
fn an_operator_backs_up_and_restores_in_a_browser() -> Result<()> {
    on("browser", Shape::Few, |testbed, product| {
        let folder = tempfile::tempdir()?;
        // It never comes while the test runs, and there is something to switch.
        let product = &product
            .clone()
            .with("BACKUP_SCHEDULE", "0 1 29 2 *")
            .with("STILLPOINT_LISTEN", "127.0.0.1:0");
        let log = folder.path().join("log");
        let service = product.start_saying_into(&["serve"], &log)?;
        let (site, link) = set_up_link(&log)?;
        let scene = Scene {
            testbed,
            product,
            browser: Browser::start(&site, Scripts::On)?,
            site,
        };
        let before = standing(testbed)?;
        signs_in_by_the_link(&scene, &link)?;
        let backup = backs_up_and_watches(&scene)?;
        is_back(testbed, &before)?;
        cancels_what_waits_and_what_is_at_work(&scene)?;
        is_back(testbed, &before)?;
        reads_why_a_run_failed_and_runs_it_again(&scene)?;
        switches_a_schedule_off_and_on(&scene)?;
        restores_without_scripts(&scene, &backup)?;
        is_back(testbed, &before)?;
        goes_on_with_what_stands_stopped(&scene, &backup)?;
        is_back(testbed, &before)?;
        goes_back_from_what_stands_stopped(&scene, &backup)?;
        is_back(testbed, &before)?;
        looks_at_every_page(&scene, &backup)?;
        scene.browser.end()?;
        end(service)
    })
}

fn end(service: Running) -> Result<()> {
    service.signal("TERM")?;
    service.end()?.must_end_with(0).map(drop)
}

/// The site and the link to its first user, as the log says them.
fn set_up_link(log: &Path) -> Result<(String, String)> {
    let mut link = None;
    until("the log says how to set up", || {
        let said = fs::read_to_string(log)?;
        let word = said.split_whitespace().find(|word| word.contains("/setup/"));
        link = word.map(str::to_owned);
        Ok(link.is_some())
    })?;
    let link = link.context("no link")?;
    let (site, _) = link.split_once("/setup/").context("no link")?;
    Ok((site.to_owned(), link.clone()))
}

fn signs_in_by_the_link(scene: &Scene, link: &str) -> Result<()> {
    let browser = &scene.browser;
    browser.go("/backups")?;
    browser.sees("Sign in")?;
    browser.look("sign-in")?;
    browser.go(link)?;
    browser.look("set-up")?;
    browser.fill("name", NAME)?;
    browser.fill("password", PASSWORD)?;
    browser.fill("again", PASSWORD)?;
    browser.press("Make this user and sign in")?;
    browser.sees("To the first backup")?;
    browser.look("overview-first-start")
}

fn backs_up_and_watches(scene: &Scene) -> Result<String> {
    let Scene { browser, testbed, .. } = scene;
    hold_dumps(testbed)?;
    browser.go("/")?;
    browser.press("Back up now")?;
    browser.sees("backup: at work")?;
    browser.sees("Now: drain")?;
    browser.look("run-at-work")?;
    let_go(testbed)?;
    // The page shows it by itself.
    browser.sees("backup: done")?;
    browser.look("run-done")?;
    let backups = scene.product.backups()?;
    let [backup] = &backups[..] else {
        anyhow::bail!("one backup was made, and there are {backups:?}");
    };
    browser.go("/backups")?;
    browser.click(&format!("//a[contains(@href, '/backups/{backup}')]"))?;
    browser.sees("postgres-main")?;
    browser.sees("valkey.rdb")?;
    browser.look("backup")?;
    Ok(backup.clone())
}

fn cancels_what_waits_and_what_is_at_work(scene: &Scene) -> Result<()> {
    let Scene { browser, testbed, .. } = scene;
    hold_dumps(testbed)?;
    for (run, says) in [("2", "at work"), ("3", "waits")] {
        browser.go("/runs")?;
        browser.press("Back up now")?;
        browser.sees(&format!("Run {run}, backup: {says}"))?;
    }
    for run in ["3", "2"] {
        browser.go(&format!("/runs/{run}"))?;
        browser.press("Cancel")?;
        browser.sees(&format!("Run {run}, backup: cancelled"))?;
    }
    let_go(testbed)?;
    ensure!(scene.product.backups()?.len() == 1, "what was cancelled was made");
    Ok(())
}

fn reads_why_a_run_failed_and_runs_it_again(scene: &Scene) -> Result<()> {
    let Scene { browser, testbed, .. } = scene;
    let fails = "case \"$*\" in *--schema-only*) exec /usr/bin/pg_dump \"$@\";; esac
echo 'pg_dump: error: the disk has burnt' >&2; exit 1";
    replace_tool(testbed, "pg_dump", fails)?;
    browser.go("/")?;
    browser.press("Back up now")?;
    browser.sees("backup: failed")?;
    browser.sees("the disk has burnt")?;
    browser.look("run-failed")?;
    for place in ["/", "/runs"] {
        browser.go(place)?;
        browser.sees("the disk has burnt")?;
    }
    replace_tool(testbed, "pg_dump", "exec /usr/bin/pg_dump \"$@\"")?;
    browser.go("/runs/4")?;
    browser.press("Run again")?;
    browser.sees("Run 5, backup: done")?;
    ensure!(scene.product.backups()?.len() == 2, "it was not run again");
    Ok(())
}

fn switches_a_schedule_off_and_on(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    browser.go("/schedules")?;
    browser.press("Switch off")?;
    browser.sees("backup_job is switched off")?;
    browser.sees(NAME)?;
    browser.look("schedules-off")?;
    browser.press("Switch backup_job on")?;
    browser.until("the schedule is on", || {
        Ok(!browser.text()?.contains("is switched off"))
    })
}

/// On the worst day any browser has to do.
fn restores_without_scripts(scene: &Scene, backup: &str) -> Result<()> {
    let testbed = scene.testbed;
    let (truth, tick) = (testbed.truth()?, testbed.one_tick()?);
    testbed.wreck()?;
    ensure!(!truth.differences(&testbed.truth()?).is_empty(), "nothing is wrecked");

    let browser = Browser::start(&scene.site, Scripts::Off)?;
    browser.go(&format!("/restore/new?backup={backup}"))?;
    browser.fill("name", NAME)?;
    browser.fill("password", PASSWORD)?;
    browser.press("Sign in")?;
    // Who has signed in is where he wanted to be.
    browser.press("Look what it would do")?;
    browser.sees_in_time("Is it meant?")?;
    browser.fill("backup", "2020-01-01_00-00-00")?;
    browser.press("Restore and replace the data")?;
    browser.sees("Is it meant?")?;
    browser.fill("backup", backup)?;
    browser.press("Restore and replace the data")?;
    browser.sees_in_time("restore: done")?;
    browser.go("/restore/undo")?;
    browser.sees("What would be lost")?;
    scene.browser.go("/restore/undo")?;
    scene.browser.look("restore-undo")?;
    scene.browser.go("/")?;
    scene.browser.look("overview-restored")?;

    // What is kept of the old data stands beside the new.
    browser.go("/")?;
    browser.follow("Free the old data")?;
    browser.fill("platform", testbed.project())?;
    browser.click("//main//form//button")?;
    browser.sees_in_time("freeing of old data: done")?;
    browser.end()?;
    assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
    assert_eq!(testbed.one_tick()?, tick);
    Ok(())
}

/// Plans a restore, confirms it, and sees it fail after everything was stopped.
fn restores_in_vain(scene: &Scene, backup: &str) -> Result<()> {
    let Scene { browser, testbed, .. } = scene;
    replace_tool(
        testbed,
        "pg_restore",
        "cat >/dev/null; echo 'the load has failed' >&2; exit 1",
    )?;
    browser.go(&format!("/restore/new?backup={backup}"))?;
    browser.press("Look what it would do")?;
    browser.sees_in_time("Is it meant?")?;
    browser.fill("backup", backup)?;
    browser.press("Restore and replace the data")?;
    browser.sees("restore: failed")?;
    replace_tool(testbed, "pg_restore", STOCK_RESTORE)?;
    browser.go("/")?;
    browser.sees("Containers are stopped on purpose")?;
    browser.sees("Nothing starts the platform before somebody decides")?;
    ensure!(
        browser.title()?.starts_with("✗ Stopped on purpose"),
        "the title does not say it: {}",
        browser.title()?
    );
    Ok(())
}

fn goes_on_with_what_stands_stopped(scene: &Scene, backup: &str) -> Result<()> {
    let Scene { browser, testbed, .. } = scene;
    restores_in_vain(scene, backup)?;
    browser.look("overview-stopped")?;
    browser.press("Resume the restore")?;
    browser.sees("restore: done")?;
    browser.go("/")?;
    ensure!(
        !browser.text()?.contains("Containers are stopped"),
        "it stands stopped still"
    );
    browser.follow("Free the old data")?;
    browser.fill("platform", testbed.project())?;
    browser.click("//main//form//button")?;
    browser.sees("freeing of old data: done")
}

/// After it was started as it is.
fn goes_back_from_what_stands_stopped(scene: &Scene, backup: &str) -> Result<()> {
    let Scene { browser, testbed, .. } = scene;
    let (truth, before) = (testbed.truth()?, standing(testbed)?);
    restores_in_vain(scene, backup)?;
    browser.press("Start as it is")?;
    browser.sees("stillpoint containers start")?;
    browser.fill("platform", testbed.project())?;
    browser.press("Start the platform")?;
    browser.sees("start of containers: done")?;
    is_back(testbed, &before)?;
    browser.go("/")?;
    ensure!(
        !browser.text()?.contains("Containers are stopped"),
        "it stands stopped still"
    );
    browser.go("/restore/undo")?;
    browser.fill("platform", testbed.project())?;
    browser.click("//main//form//button")?;
    browser.sees("undo: done")?;
    // A command is carried out by the service, too: it alone knows which of its runs is over.
    let started = scene.product.run(&["containers", "start"])?.must_end_with(0)?;
    started.must_print("Nothing of this platform is left stopped")?;
    assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
    Ok(())
}

fn looks_at_every_page(scene: &Scene, backup: &str) -> Result<()> {
    let places = [
        ("overview", "/".to_owned()),
        ("backups", "/backups".to_owned()),
        ("runs", "/runs".to_owned()),
        ("run-restore", "/runs/6".to_owned()),
        ("schedules", "/schedules".to_owned()),
        ("stores", "/stores".to_owned()),
        ("recovery", "/recovery".to_owned()),
        ("retention", "/retention".to_owned()),
        ("settings", "/settings".to_owned()),
        ("restore-which", "/restore/new".to_owned()),
        ("restore-what", format!("/restore/new?backup={backup}")),
        ("users", "/settings/users".to_owned()),
        ("tokens", "/settings/tokens".to_owned()),
        ("audit", "/settings/audit".to_owned()),
    ];
    let look = |(name, place): &(&str, String)| {
        let looked = scene.browser.go(place).and_then(|()| scene.browser.look(name));
        looked.err().map(|error| format!("{error:#}"))
    };
    let against: Vec<String> = places.iter().filter_map(look).collect();
    ensure!(against.is_empty(), "{}", against.join("\n"));
    Ok(())
}
