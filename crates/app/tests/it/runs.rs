//! What `stillpoint runs` tells of the runs that there were, on the real engine: well, badly, cancelled, killed. And that a
//! history which cannot be written costs a backup nothing.

use anyhow::{Context, Result};
use serde_json::Value;
use stillpoint_testkit::product::Product;

use crate::common::{HOLD, is_back, on_mini, replace_tool, standing, stuck_in_a_dump, until};

const STOCK_DUMP: &str = "exec /usr/bin/pg_dump \"$@\"";

/// The runs, the newest first.
fn runs(product: &Product) -> Result<Vec<Value>> {
    let listed = product.run(&["runs", "ls", "--json"])?.must_end_with(0)?.summary()?;
    listed["runs"].as_array().cloned().context("`runs ls` lists no runs")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn every_run_is_known_by_what_it_did_and_how_it_ended() -> Result<()> {
    on_mini("runs", |testbed, product| {
        let said = product.run(&["runs", "ls"])?.must_end_with(0)?;
        said.must_print("The history knows of no runs.")?;
        assert!(
            !product.state.join("ledger.sqlite").exists(),
            "looking has made a ledger"
        );

        let backup = product.run(&["backup", "--json"])?.must_end_with(0)?;
        let id = backup.summary()?["manifest"]["id"]
            .as_str()
            .context("no id")?
            .to_owned();
        product.run(&["verify", "2020-01-01_00-00-00"])?.must_end_with(10)?;

        let listed = runs(product)?;
        let told: Vec<(&Value, &Value)> = listed.iter().map(|run| (&run["job"], &run["state"])).collect();
        assert_eq!(
            told,
            [
                (&"verify_job".into(), &"FAILURE".into()),
                (&"backup_job".into(), &"SUCCESS".into())
            ]
        );

        // The answer that the command gave, to the letter.
        let shown = product
            .run(&["runs", "show", "1", "--json"])?
            .must_end_with(0)?
            .summary()?;
        assert_eq!(shown["ending"]["result"], backup.summary()?);
        assert_eq!(
            (&shown["ending"]["exit"], &shown["asked"]["way"]),
            (&0.into(), &"cli".into())
        );
        assert_eq!(shown["platform"], testbed.project());
        let of_its_id = product.run(&["runs", "show", shown["run"].as_str().context("no run")?, "--json"])?;
        assert_eq!(of_its_id.must_end_with(0)?.summary()?, shown);
        let page = product.run(&["runs", "show", "1"])?.must_end_with(0)?;
        page.must_print(&format!("Backup {id} of {} is complete", testbed.project()))?;
        let page = product.run(&["runs", "show", "2"])?.must_end_with(0)?;
        page.must_print("2020-01-01_00-00-00")?.must_print(" help: ")?;

        // All facts that were told, and no progress.
        let mut told = lines(&backup.out);
        told.pop();
        told.retain(|event| event["event"] != "progress");
        let kept = product.run(&["runs", "logs", "1", "--json"])?.must_end_with(0)?;
        assert_eq!(lines(&kept.out), told);
        let read = product.run(&["runs", "logs", "1"])?.must_end_with(0)?;
        read.must_print("stopping clients: done in")?
            .must_print(&format!("sealed {id}"))?;

        let none = product.run(&["runs", "show", "99"])?.must_end_with(10)?;
        none.must_say("there is no run 99 in the history")?
            .must_say("stillpoint runs ls")
            .map(drop)
    })
}

#[test]
fn a_run_that_is_cancelled_and_one_that_dies_say_so() -> Result<()> {
    on_mini("deadruns", |testbed, product| {
        let before = standing(testbed)?;
        let running = stuck_in_a_dump(testbed, product, &HOLD)?;
        let at_work = runs(product)?;
        assert_eq!(at_work[0]["state"], "STARTED");
        running.signal("TERM")?;
        running.end()?.must_end_with(130)?;
        assert_eq!(runs(product)?[0]["state"], "CANCELED");
        is_back(testbed, &before)?;

        stuck_in_a_dump(testbed, product, &HOLD)?.kill()?;
        until("the watchdog has brought the platform back", || {
            Ok(product.run(&["containers", "recover"])?.code == Some(0))
        })?;
        is_back(testbed, &before)?;
        let dead = runs(product)?;
        let dead = dead.first().context("the dead run is not known")?;
        assert_eq!(
            (&dead["state"], &dead["ending"]["exit"]),
            (&"FAILURE".into(), &Value::Null)
        );
        let why = dead["ending"]["reason"].as_str().context("no reason")?;
        assert!(why.contains("died before the run had ended"), "{why}");
        // What it did before is there.
        let kept = product.run(&["runs", "logs", "2", "--json"])?.must_end_with(0)?;
        assert!(lines(&kept.out).iter().any(|event| event["event"] == "clients_go_down"));
        replace_tool(testbed, "pg_dump", STOCK_DUMP)
    })
}

#[test]
fn a_history_that_cannot_be_written_costs_a_backup_nothing() -> Result<()> {
    on_mini("nohistory", |testbed, product| {
        let before = standing(testbed)?;
        product.backup()?;
        let ledger = rusqlite::Connection::open(product.state.join("ledger.sqlite"))?;
        let full = "CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'no room'); END";
        ledger.execute_batch(full)?;
        drop(ledger);
        let ran = product.run(&["backup"])?.must_end_with(0)?;
        ran.must_say("warning: the history in")?.must_say("no room")?;
        is_back(testbed, &before)?;
        assert_eq!(product.backups()?.len(), 2);
        assert_eq!(runs(product)?.len(), 1);
        Ok(())
    })
}
