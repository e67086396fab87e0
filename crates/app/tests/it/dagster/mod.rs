//! A cleanup of Dagster's database is judged by a real Dagster: its pages show what they showed, but for lines of logs, and what had
//! failed can be taken up again. Ways of cleaning that are known to harm it are tried too, and each must be found: else the judge is blind.

mod rules;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::dagster::{Dagster, Filled, Snapshot};
use stillpoint_testkit::lone_postgres::on_server;
use stillpoint_testkit::product::Product;

use self::rules::{PUBLISHED, RULES, SIGNS_OF_PUBLISHED, may_go, without};
use crate::common::PROGRAM;

/// The command under test.
const CLEANUP: [&str; 3] = ["maintenance", "cleanup", "--until-drained"];

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
        case("the published recipe", scene.is_found(PUBLISHED, SIGNS_OF_PUBLISHED));
        for (rule, signs) in RULES {
            case(
                &format!("without the rule {rule:?}"),
                scene.is_found(&without(Some(rule)), signs),
            );
        }
        dagster.pause()?;
        for (what, condition) in scene.what_never_goes()? {
            case(&format!("without {what}"), scene.is_found(&condition, &[]));
        }
        dagster.resume()?;
        let product = &server.product;
        case("the product", scene.the_product(product));
        case("a message with NUL", scene.a_nul_is_stored(product));
        case("what was at work", scene.ends_well());
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

    /// The same by the program itself, and until nothing more is worked out from what it has deleted.
    fn the_product(&self, product: &Product) -> Result<()> {
        self.dagster.bring_back()?;
        self.dagster.drop_kept()?;
        let rows = self.rows("true")?;
        product.run(&CLEANUP)?.must_end_with(0)?;
        self.nothing_is_seen()?;
        self.dagster.forget_caches()?;
        self.nothing_is_seen()?;
        ensure!(self.rows("true")? < rows, "it has deleted nothing");
        let left = self.rows(&without(None))?;
        ensure!(left == 0, "{left} rows are left that may go");
        self.goes_on()
    }

    /// Dagster's own code writes it while the product's indexes are there, and the next cleanup gets past it; with the index of Dagster's
    /// documentation it fails.
    fn a_nul_is_stored(&self, product: &Product) -> Result<()> {
        let Self { dagster, filled, .. } = self;
        let ours = "select count(*) from pg_indexes where tablename = 'event_logs' and indexdef like '%substring%'";
        ensure!(dagster.sql(ours)? != "0", "the product's index is not there");
        let published = "create index published on event_logs ((event::jsonb ->> 'level'), timestamp) where dagster_event_type is null";
        dagster.sql(published)?;
        let refused = dagster
            .log_line(&filled.succeeded, "aNULb")
            .err()
            .map(|error| format!("{error:#}"));
        ensure!(
            refused
                .as_ref()
                .is_some_and(|said| said.contains("cannot be converted to text")),
            "the published index is no hazard: {refused:?}"
        );
        dagster.sql("drop index published")?;
        dagster.log_line(&filled.succeeded, "aNULb")?;
        let stored = self.rows("event like '%\"user_message\": \"a\\\\u0000b\"%'")?;
        ensure!(stored == 1, "it is stored {stored} times");
        product.run(&CLEANUP)?.must_end_with(0).map(drop)
    }

    /// Runs that were at work and queued all the time end well.
    fn ends_well(&self) -> Result<()> {
        self.dagster.let_go()?;
        for run in [&self.filled.held, &self.filled.queued] {
            let status = self.dagster.end_of(run)?;
            ensure!(status == "SUCCESS", "it ends with {status}");
        }
        Ok(())
    }

    fn rows(&self, condition: &str) -> Result<u64> {
        let rows = self
            .dagster
            .sql(&format!("select count(*) from event_logs where {condition}"))?;
        Ok(rows.parse()?)
    }

    /// What it deletes must be seen, and these signs of it among what is seen.
    fn is_found(&self, condition: &str, signs: &[&str]) -> Result<()> {
        self.clean(condition)?;
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

    /// Deletes the events of which this holds, of all that there were when the database was filled.
    fn clean(&self, condition: &str) -> Result<()> {
        self.dagster.bring_back()?;
        ensure!(self.rows(condition)? > 0, "it deletes nothing");
        self.dagster.sql(&format!("delete from event_logs where {condition}"))?;
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
