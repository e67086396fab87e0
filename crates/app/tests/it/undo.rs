//! What becomes of the data that a restore replaces: it is kept, and comes back whole or is freed for good,
//! on four kinds of store at once.

use std::fs;

use anyhow::{Context, Result, bail};
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{STOCK_RESTORE, half_way, has_claim, is_back, on, replace_tool, standing, until};

/// What there was at one moment: all content, and the last tick of the witness in every place.
struct Moment {
    truth: stillpoint_testkit::testbed::Truth,
    last: Vec<(String, u64)>,
}

impl Moment {
    fn now(testbed: &Testbed) -> Result<Self> {
        let witness = testbed.witness()?.into_iter();
        Ok(Self {
            truth: testbed.truth()?,
            last: witness.map(|(place, state)| (place, state.last)).collect(),
        })
    }

    /// Fails unless all of it is there again, and nothing else.
    fn is_there(&self, testbed: &Testbed) -> Result<()> {
        self.is_there_but_for(testbed, &[])
    }

    /// The same, but for differences in which one of these words stands.
    fn is_there_but_for(&self, testbed: &Testbed, words: &[&str]) -> Result<()> {
        let now = Self::now(testbed)?;
        let mut differences = self.truth.differences(&now.truth);
        differences.retain(|difference| !words.iter().any(|word| difference.contains(word)));
        if !differences.is_empty() || self.last != now.last {
            bail!("{differences:?}\nthen {:?}\nnow  {:?}", self.last, now.last);
        }
        Ok(())
    }
}

/// A stream that the backup does not know stays.
const LATER: &str = "stream LATER";

/// What is there beside a backup's data as long as the old data is kept.
const BESIDE: [&str; 3] = ["sp_", "settings of all roles in template1", LATER];

/// A platform with a backup, whose data has gone on since: everything has changed, something is new, and
/// something is gone.
struct Scene<'a> {
    testbed: &'a Testbed,
    product: &'a Product,
    backup: String,
    at_backup: Moment,
    before_restore: Moment,
}

fn on_scene(name: &str, test: impl FnOnce(&Scene<'_>) -> Result<()>) -> Result<()> {
    on(name, Shape::Lean, |testbed, product| {
        // What is there at a moment holds the tick: it must be known.
        testbed.rest()?;
        testbed.tick()?;
        testbed.psql("postgres", "create database unwatched")?;
        testbed.psql("unwatched", "create table t as select 1 a")?;
        testbed.psql("postgres", "create database unwatched_too")?;
        streams(
            testbed,
            "nats stream add PASSING --subjects passing --storage file --defaults",
        )?;
        keys(testbed, "SET passing 1")?;
        let at_backup = Moment::now(testbed)?;
        let backup = product.backup()?;
        testbed.tick()?;
        testbed.psql("postgres", "drop database unwatched")?;
        testbed.psql(
            "litellm",
            "create table later as select g from generate_series(1, 1000) g",
        )?;
        streams(
            testbed,
            "nats stream rm PASSING --force
             nats stream add LATER --subjects later --storage file --defaults
             nats publish --jetstream --quiet --count 200 later 'message {{Count}}'",
        )?;
        keys(testbed, "DEL passing\nSET later 2")?;
        let before_restore = Moment::now(testbed)?;
        test(&Scene {
            testbed,
            product,
            backup,
            at_backup,
            before_restore,
        })
    })
}

fn streams(testbed: &Testbed, script: &str) -> Result<()> {
    testbed
        .beside("nats", &format!("set -e\n{{ {script}\n}} >/dev/null 2>&1"))
        .map(drop)
}

fn keys(testbed: &Testbed, commands: &str) -> Result<()> {
    testbed
        .beside("valkey", &format!("valkey-cli -e <<'END'\n{commands}\nEND"))
        .map(drop)
}

impl Scene<'_> {
    fn restore(&self) -> Result<Ran> {
        self.product.run(&["restore", &self.backup, "--confirm", &self.backup])
    }

    fn about(&self, verb: &str) -> Result<Ran> {
        self.product
            .run(&["restore", verb, "--confirm", self.testbed.project()])
    }

    fn undo(&self) -> Result<()> {
        self.about("undo")?
            .must_end_with(0)?
            .must_print("The restore is undone")
            .map(drop)
    }

    /// No store and no repository holds anything of a restore any more.
    fn nothing_is_kept(&self) -> Result<()> {
        let asides = "select count(*) from pg_database where datname ~ '^sp_'";
        assert_eq!(self.testbed.psql("postgres", asides)?, "0", "databases are set aside");
        let marks = "select count(*) from pg_db_role_setting, unnest(setconfig) c where c like 'stillpoint%'";
        assert_eq!(self.testbed.psql("postgres", marks)?, "0", "settings are left");
        let valkey = self.testbed.container("valkey")?;
        let files = self.testbed.docker(&["exec", &valkey, "ls", "-a", "/data"])?;
        assert!(!files.contains("sp_"), "files are set aside:\n{files}");
        for entry in fs::read_dir(&self.product.repository)? {
            let manifest = entry?.path().join("manifest.json");
            let text = fs::read_to_string(&manifest).unwrap_or_default();
            assert!(!text.contains("safety_of"), "{} is a copy", manifest.display());
        }
        let siblings = self.testbed.siblings()?;
        assert!(siblings.is_empty(), "left: {siblings:?}");
        assert!(!has_claim(self.testbed)?, "a claim is left");
        Ok(())
    }

    /// A database that was not loaded is as a death between closing and renaming it leaves it: under its own
    /// name, closed, and it says so.
    fn close_one(&self) -> Result<()> {
        let marked = "pg_database d join pg_db_role_setting s on s.setdatabase = d.oid,
            unnest(s.setconfig) c where c like 'stillpoint.true_name=%' and not d.datallowconn";
        let rename = "format('alter database %I rename to %I', d.datname, split_part(c, '=', 2))";
        let absent = "not exists (select from pg_database where datname = split_part(c, '=', 2))";
        self.testbed.psql(
            "template1",
            &format!("select {rename} from {marked} and {absent} limit 1 \\gexec"),
        )?;
        let closed = format!("select count(*) from {marked} and d.datname = split_part(c, '=', 2)");
        assert_eq!(self.testbed.psql("template1", &closed)?, "1", "no database is closed");
        Ok(())
    }

    /// The last database fails, after the others and the other stores were begun.
    fn break_the_last_load(&self) -> Result<()> {
        let last =
            "case \"$(cat /tmp/loads 2>/dev/null)\" in 111*) cat >/dev/null; echo no more room >&2; exit 1;; esac
printf 1 >>/tmp/loads; exec /usr/bin/pg_restore \"$@\"";
        replace_tool(self.testbed, "pg_restore", last)
    }
}

#[test]
fn a_restore_that_succeeded_is_undone_or_freed() -> Result<()> {
    on_scene("undone", |scene| {
        let Scene {
            testbed,
            product,
            backup,
            ..
        } = scene;
        let before = standing(testbed)?;
        scene
            .about("undo")?
            .must_end_with(10)?
            .must_say("holds no data that a restore has replaced")?;
        scene
            .restore()?
            .must_end_with(0)?
            .must_print("stillpoint restore undo")?;
        is_back(testbed, &before)?;
        scene.at_backup.is_there_but_for(testbed, &BESIDE)?;
        testbed.tick()?;

        // Nobody loses it by the way.
        scene
            .restore()?
            .must_end_with(13)?
            .must_say("store postgres-main still keeps")?
            .must_say("store valkey still keeps")?
            .must_say("restore discard-old")?;
        product
            .run(&["restore", "undo"])?
            .must_end_with(2)?
            .must_say("--confirm")?
            .must_say("store postgres-main: database `")?
            .must_say("database `litellm`")?
            .must_say("store valkey: all its keys")?
            .must_say("store nats: all of it")?;
        product
            .run(&["restore", "undo", "--confirm", "other"])?
            .must_end_with(2)?;
        product
            .run(&["backups", "ls"])?
            .must_end_with(0)?
            .must_print(&format!("no backup: what the restore of {backup} replaced"))?
            .must_print("1 complete backups")?;
        product.run(&["prune"])?.must_end_with(0)?;

        // Nobody frees the only one.
        testbed.psql("postgres", "drop database unwatched_too")?;
        scene
            .about("discard-old")?
            .must_end_with(13)?
            .must_say("holds database `unwatched_too` as `sp_")?;
        assert!(!has_claim(testbed)?, "a claim is left");

        scene.undo()?;
        is_back(testbed, &before)?;
        scene.before_restore.is_there(testbed)?;
        scene.nothing_is_kept()?;
        scene.about("undo")?.must_end_with(10)?;

        scene.restore()?.must_end_with(0)?;
        scene
            .about("discard-old")?
            .must_end_with(0)?
            .must_print("The old data is freed")?;
        scene.nothing_is_kept()?;
        is_back(testbed, &before)?;
        scene.at_backup.is_there_but_for(testbed, &[LATER])?;
        scene.about("discard-old")?.must_end_with(10)?;
        scene.about("undo")?.must_end_with(10)?;
        Ok(())
    })
}

#[test]
fn a_restore_that_was_killed_is_undone() -> Result<()> {
    on_scene("undokill", |scene| {
        let Scene {
            testbed,
            product,
            backup,
            ..
        } = scene;
        let before = standing(testbed)?;
        let restore = ["restore", backup, "--confirm", backup, "--json"];
        for step in ["copy", "load"] {
            let mut running = product.start(&restore)?;
            running.until(step, |said| said["event"] == "step_began" && said["step"] == step)?;
            running.kill_all()?;
            scene.undo().with_context(|| format!("killed at {step}"))?;
            is_back(testbed, &before)?;
            scene.before_restore.is_there(testbed)?;
            scene.nothing_is_kept()?;
        }
        replace_tool(testbed, "pg_restore", "touch /tmp/half-way; sleep 3600")?;
        let mut running = product.start(&restore)?;
        half_way(testbed, &mut running)?;
        running.kill_all()?;
        replace_tool(testbed, "pg_restore", STOCK_RESTORE)?;
        scene.close_one()?;
        scene.undo()?;
        is_back(testbed, &before)?;
        scene.before_restore.is_there(testbed)?;
        scene.nothing_is_kept()
    })
}

#[test]
fn a_restore_that_failed_is_undone_or_goes_on_where_it_failed() -> Result<()> {
    on_scene("undofail", |scene| {
        let Scene { testbed, product, .. } = scene;
        let before = standing(testbed)?;
        product
            .run(&["restore", "resume"])?
            .must_end_with(10)?
            .must_say("has no unfinished restore")?;
        scene.break_the_last_load()?;
        scene
            .restore()?
            .must_end_with(14)?
            .must_say("no more room")?
            .must_say("stillpoint restore resume")?
            .must_say("stillpoint restore undo")?;
        scene.undo()?;
        is_back(testbed, &before)?;
        scene.before_restore.is_there(testbed)?;
        scene.nothing_is_kept()?;

        scene.restore()?.must_end_with(14)?;
        replace_tool(testbed, "pg_restore", STOCK_RESTORE)?;
        let server = testbed.container("postgres-main")?;
        testbed.docker(&["start", &server])?;
        until("the server takes connections", || {
            Ok(testbed.psql("template1", "select 1").is_ok())
        })?;
        scene.close_one()?;
        testbed.docker(&["stop", &server])?;
        product
            .run(&["restore", "resume"])?
            .must_end_with(0)?
            .must_print("is restored")?;
        is_back(testbed, &before)?;
        scene.at_backup.is_there_but_for(testbed, &BESIDE)?;
        scene.undo()?;
        scene.before_restore.is_there(testbed)?;
        scene.nothing_is_kept()
    })
}
