//! A cleanup of Dagster's database is judged by a real Dagster: its pages show what they showed, but for lines of logs, and what had
//! failed can be taken up again. Ways of cleaning that are known to harm it are tried too, and each must be found: else the judge is blind.

mod rules;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::dagster::{Dagster, Filled, Snapshot};
use stillpoint_testkit::lone_postgres::on_server;

use self::rules::{PUBLISHED, RULES, deleted, may_go, published, without};
use crate::common::PROGRAM;

/// Older than every window.
const DAYS: u32 = 120;

/// A Dagster that is filled once, and what it showed then.
struct Scene<'a> {
    dagster: &'a Dagster<'a>,
    filled: Filled,
    before: Snapshot,
}

#[test]
fn a_cleanup_leaves_nothing_to_be_seen_on_dagsters_pages_and_what_would_is_found() -> Result<()> {
    on_server(PROGRAM, "dagster", "POSTGRES", |server| {
        let dagster = &Dagster::start(server)?;
        let scene = Scene::of(dagster)?;
        let mut against = Vec::new();
        let mut case = |name: &str, outcome: Result<()>| {
            against.extend(outcome.err().map(|error| format!("{name}: {error:#}")));
        };
        case("nothing is done", scene.nothing_is_seen());
        case("all rules", scene.all_rules());
        case("the published recipe", scene.is_found(&published(), PUBLISHED));
        for (rule, signs) in RULES {
            case(
                &format!("without the rule {rule:?}"),
                scene.is_found(&without(Some(rule)), signs),
            );
        }
        for (what, condition) in scene.what_never_goes()? {
            case(&format!("without {what}"), scene.is_found(&deleted(&condition), &[]));
        }
        ensure!(against.is_empty(), "{}", against.join("\n"));
        Ok(())
    })
}

impl<'a> Scene<'a> {
    fn of(dagster: &'a Dagster<'a>) -> Result<Self> {
        let filled = dagster.fill()?;
        dagster.age(DAYS)?;
        dagster.mend()?;
        dagster.forget_caches()?;
        dagster.keep()?;
        let before = dagster.snapshot()?;
        Ok(Self {
            dagster,
            filled,
            before,
        })
    }

    /// Everything that a user could see, and nobody is to see.
    fn seen(&self) -> Result<Vec<String>> {
        let after = self.dagster.snapshot()?;
        let mut seen = self.before.differences(&after);
        let lost = self.before.lost_lines(&after).into_iter().filter(|line| !may_go(line));
        seen.extend(lost.map(|line| {
            format!(
                "the log of a run that is {} has lost {} {}: {}",
                line.status, line.kind, line.level, line.message
            )
        }));
        Ok(seen)
    }

    fn nothing_is_seen(&self) -> Result<()> {
        let seen = self.seen()?;
        ensure!(seen.is_empty(), "this is seen:\n{}", seen.join("\n"));
        Ok(())
    }

    /// Whatever failed half-way is taken up again and succeeds.
    fn goes_on(&self) -> Result<()> {
        for run in &self.filled.failed {
            let status = self.dagster.run_again(run).context("cannot be taken up again")?;
            ensure!(
                status == "SUCCESS",
                "cannot be taken up again: the new run ends with {status}"
            );
        }
        Ok(())
    }

    fn all_rules(&self) -> Result<()> {
        self.clean(&without(None))?;
        self.nothing_is_seen()?;
        self.goes_on()
    }

    /// What it deletes must be seen, and these signs of it among what is seen.
    fn is_found(&self, statement: &str, signs: &[&str]) -> Result<()> {
        self.clean(statement)?;
        let mut seen = self.seen()?;
        if signs.iter().any(|sign| sign.contains("cannot be taken up again")) {
            seen.extend(self.goes_on().err().map(|error| format!("{error:#}")));
        }
        ensure!(!seen.is_empty(), "nothing is seen of it");
        let missing: Vec<_> = signs
            .iter()
            .filter(|sign| !seen.iter().any(|one| one.contains(**sign)))
            .collect();
        ensure!(missing.is_empty(), "not seen: {missing:?}; seen:\n{}", seen.join("\n"));
        Ok(())
    }

    /// Runs a statement on the database as it was when it was filled.
    fn clean(&self, statement: &str) -> Result<()> {
        self.dagster.bring_back()?;
        let rows = self.dagster.sql(statement)?;
        ensure!(rows.parse::<u64>()? > 0, "it deletes nothing");
        self.dagster.forget_caches()
    }

    /// Each kind of rows that no cleanup touches, of all that Dagster has written.
    fn what_never_goes(&self) -> Result<Vec<(String, String)>> {
        let types = "select distinct dagster_event_type from kept.event_logs where dagster_event_type not in
            ('HANDLED_OUTPUT', 'LOADED_INPUT', 'ENGINE_EVENT', 'ASSET_MATERIALIZATION_PLANNED', 'STEP_OUTPUT')";
        let types = self.dagster.sql(types)?;
        let of_type = |name: &str| (name.to_owned(), format!("dagster_event_type = '{name}'"));
        let of_level = |level: u32| {
            let condition = format!("dagster_event_type is null and event like '%\"level\": {level},%'");
            (format!("logs of level {level}"), condition)
        };
        Ok(types.lines().map(of_type).chain([40, 50].map(of_level)).collect())
    }
}
