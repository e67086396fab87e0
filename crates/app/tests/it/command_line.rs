//! What an operator reads of commands that need no engine, word by word, on the repository of all kinds of directories that older
//! versions have left; and that programs get what the schemas promise.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use stillpoint_testkit::product::{Product, Ran};

use crate::common::PROGRAM;
use crate::schemas::is_as_promised;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/samples/v1/repository");
/// A good one, adopted; a good one; one whose last verification found damage.
const ADOPTED: &str = "2026-02-17_00-00-00";
const GOOD: &str = "2026-11-25_16-10-16";
const DAMAGED: &str = "2026-11-25_16-10-31";

/// The program on a copy of the samples, without an engine, in UTC.
fn on_samples(test: impl FnOnce(&Product, &Path) -> Result<()>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::new(PROGRAM, folder.path())
        .with("DOCKER_HOST", "tcp://127.0.0.1:1")
        .with("TZ", "UTC");
    copy(Path::new(SAMPLES), &product.repository)?;
    // A copy is as new as its holder would be alive.
    fs::remove_file(product.repository.join(".stillpoint/lease.json"))?;
    test(&product, folder.path())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// All files below, with their content.
fn files(root: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(root)?.to_path_buf(), fs::read(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Fails unless what was said is what stands in `said/NAME.txt`. With `BLESS` set it is written there, for a person
/// to read.
fn said(name: &str, ran: &Ran, folder: &Path) -> Result<()> {
    let code = ran.code.context("it was ended by a signal")?;
    // The times of a run are those of the test.
    let told: Vec<&str> = ran.err.lines().filter(|line| !is_progress(line)).collect();
    let text = format!("exit {code}\n--- out\n{}--- err\n{}", ran.out, told.join("\n"));
    let text = text.replace(&folder.display().to_string(), "/FOLDER");
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    let text = trimmed.join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/said/{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        return Ok(fs::write(&file, text)?);
    }
    let expected = fs::read_to_string(&file).with_context(|| format!("there is no {}", file.display()))?;
    if text != expected {
        bail!("{name}: it says\n{text}\nand is to say\n{expected}");
    }
    Ok(())
}

fn document(ran: Ran, code: i32) -> Result<Value> {
    ran.must_end_with(code)?.summary()
}

#[test]
fn what_is_said_of_backups_is_said_word_by_word() -> Result<()> {
    on_samples(|product, folder| {
        for (name, arguments) in [
            ("backups-ls", &["backups", "ls"][..]),
            ("backups-show-latest", &["backups", "show", "latest"]),
            ("backups-show-unknown", &["backups", "show", "2020-01-01_00-00-00"]),
            ("backups-show-newest", &["backups", "show", "newest"]),
            ("backups-show-too-early", &["backups", "show", "--at", "2020-01-01"]),
            ("backups-show-tomorrow", &["backups", "show", "--at", "2999-01-01"]),
            ("backups-show-nothing", &["backups", "show"]),
            ("backups-diff", &["backups", "diff", ADOPTED, "latest"]),
            (
                "backups-diff-unknown",
                &["backups", "diff", "2020-01-01_00-00-00", GOOD],
            ),
            ("backups-diff-torso", &["backups", "diff", "2026-11-25_16-10-40", GOOD]),
            ("verify-latest", &["verify", "latest"]),
            ("restore-latest-no-engine", &["restore", "latest"]),
            (
                "restore-latest-confirmed-otherwise",
                &["restore", "latest", "--confirm", DAMAGED],
            ),
            (
                "restore-latest-confirmed-by-its-word",
                &["restore", "latest", "--confirm", "latest"],
            ),
            ("rm-unconfirmed", &["backups", "rm", GOOD]),
            ("rm-confirmed-otherwise", &["backups", "rm", GOOD, "--confirm", ADOPTED]),
            ("stores-check-no-engine", &["stores", "check"]),
            ("backup-dry-run-no-engine", &["backup", "--dry-run"]),
        ] {
            let ran = product.run(arguments)?;
            said(name, &ran, folder).with_context(|| arguments.join(" "))?;
        }
        Ok(())
    })
}

/// `12:34:56 verifying the backup …`.
fn is_progress(line: &str) -> bool {
    let time = line.split(' ').next().unwrap_or_default();
    time.len() == 8 && time.chars().filter(|character| *character == ':').count() == 2
}

#[test]
fn a_backup_is_copied_out_and_never_over_anything_else() -> Result<()> {
    on_samples(|product, folder| {
        let into = folder.join("copy");
        let at = into.display().to_string();
        let get = |arguments: &[&str]| product.run(&[&["backups", "get"], arguments, &["-o", &at]].concat());

        let copied = document(get(&["latest", "--json"])?, 0)?;
        is_as_promised("backups-get", &copied)?;
        assert_eq!((&copied["backup"], &copied["is_whole"]), (&GOOD.into(), &true.into()));
        let (original, copy) = (files(&product.repository.join(GOOD))?, files(&into.join(GOOD))?);
        assert_eq!(original, copy);
        said("get-again", &get(&[GOOD])?, folder)?;
        // The copy is a repository of its own.
        let there = product.clone().keeping_backups_in(&into);
        assert_eq!(there.backups()?, [GOOD]);
        there.run(&["verify", "latest"])?.must_end_with(0)?;

        // What somebody has changed there is his.
        let changed = into.join(GOOD).join("postgres-main/orders.dump");
        fs::write(&changed, "mine")?;
        said("get-in-the-way", &get(&[GOOD])?, folder)?;
        assert_eq!(fs::read(&changed)?, b"mine");
        fs::remove_dir_all(&into)?;

        said("get-one-store", &get(&[GOOD, "postgres-main", "--quiet"])?, folder)?;
        fs::remove_dir_all(&into)?;
        said("get-no-store", &get(&[GOOD, "postgres"])?, folder)?;
        let of_damaged = get(&[DAMAGED])?.must_end_with(15)?;
        of_damaged.must_say("is damaged: postgres-main/")?.must_say("help:")?;
        let manifest = into.join(DAMAGED).join("manifest.json");
        assert!(!manifest.exists(), "a damaged copy counts as a backup");
        Ok(())
    })
}

#[test]
fn backups_are_deleted_by_name_and_the_last_good_one_by_an_explicit_word() -> Result<()> {
    on_samples(|product, folder| {
        let rm = |ids: &[&str], more: &[&str]| {
            let confirmed: Vec<&str> = ids.iter().flat_map(|id| ["--confirm", id]).collect();
            product.run(&[&["backups", "rm"], ids, &confirmed, more].concat())
        };
        said("rm-protected", &rm(&[ADOPTED, GOOD], &[])?, folder)?;
        product.run(&["backups", "unprotect", "latest"])?.must_end_with(0)?;
        said("rm-the-last", &rm(&[ADOPTED, GOOD], &[])?, folder)?;
        assert!(product.repository.join(GOOD).join("manifest.json").exists());
        said("rm-unknown", &rm(&["2020-01-01_00-00-00"], &[])?, folder)?;

        // The damaged one, and what failed and dead runs have left.
        let gone = document(
            rm(&[DAMAGED, "2026-11-25_16-10-24", "2026-11-25_16-10-40"], &["--json"])?,
            0,
        )?;
        is_as_promised("backups-rm", &gone)?;
        assert_eq!(gone["gone"].as_array().map(Vec::len), Some(3));
        let ran = rm(&[ADOPTED, GOOD], &["--even-the-last"])?;
        said("rm-even-the-last", &ran, folder)?;
        for id in [DAMAGED, GOOD, ADOPTED, "2026-11-25_16-10-24", "2026-11-25_16-10-40"] {
            assert!(!product.repository.join(id).exists(), "{id} is still there");
        }
        said(
            "restore-latest-of-nothing",
            &product.run(&["restore", "latest"])?,
            folder,
        )
    })
}

#[test]
fn what_programs_read_is_as_the_schemas_promise() -> Result<()> {
    on_samples(|product, folder| {
        for (schema, arguments, code) in [
            ("backups-ls", &["backups", "ls"][..], 0),
            ("backups-show", &["backups", "show", "latest"], 0),
            ("backups-diff", &["backups", "diff", ADOPTED, GOOD], 0),
            ("verify", &["verify", GOOD], 0),
            ("prune", &["prune", "--dry-run"], 0),
            ("config-show", &["config", "show"], 0),
            ("config-check", &["config", "check"], 0),
            ("schedules-ls", &["schedules", "ls"], 0),
            ("runs-ls", &["runs", "ls"], 0),
            ("runs-show", &["runs", "show", "1"], 0),
            ("version", &["version"], 0),
            ("summary", &["backups", "protect", GOOD], 0),
            ("error", &["backups", "show", "2020-01-01_00-00-00"], 10),
            ("error", &["stores", "ls"], 10),
            ("error", &["verify", DAMAGED], 15),
        ] {
            let ran = product.run(&[arguments, &["--json"]].concat())?;
            let document = document(ran, code).with_context(|| arguments.join(" "))?;
            is_as_promised(schema, &document).with_context(|| arguments.join(" "))?;
        }
        let told = product.run(&["verify", GOOD, "--json"])?.must_end_with(0)?;
        let mut events: Vec<&str> = told.out.lines().collect();
        events.pop();
        assert!(events.len() > 3, "{events:?}");
        for event in events {
            is_as_promised("event", &serde_json::from_str(event)?)?;
        }
        let file = folder.join("begun.toml").display().to_string();
        let begun = document(product.run(&["config", "init", &file, "--json"])?, 0)?;
        is_as_promised("config-init", &begun)
    })
}

#[test]
fn what_needs_no_configuration_works_whatever_is_wrong_with_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::new(PROGRAM, folder.path()).with("STILLPOINT_CONFIG", "/nowhere/stillpoint.toml");
    product.run(&["backups", "ls"])?.must_end_with(2)?;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = product.run(&["completions", shell])?.must_end_with(0)?;
        script.must_print("discard-old")?.must_print("completions")?;
    }
    product
        .run(&["completions", "cmd.exe"])?
        .must_end_with(2)?
        .must_say("possible values")?;
    let page = product.run(&["man"])?.must_end_with(0)?;
    page.must_print(".TH")?
        .must_print("Exit codes")?
        .must_print("backups")?;
    let pages = folder.path().display().to_string();
    product.run(&["man", "-o", &pages])?.must_end_with(0)?;
    for page in ["stillpoint.1", "stillpoint-restore.1", "stillpoint-backups-get.1"] {
        assert!(folder.path().join(page).is_file(), "{page} is missing");
    }
    product
        .run(&["man", "-o", "/nowhere/at/all"])?
        .must_end_with(2)?
        .must_say("help: name a directory")?;
    Ok(())
}

#[test]
fn a_file_to_begin_with_is_accepted_and_never_overwrites() -> Result<()> {
    on_samples(|product, folder| {
        let file = folder.join("stillpoint.toml").display().to_string();
        let begun = product.run(&["config", "init", &file])?.must_end_with(0)?;
        begun
            .must_print("is written")?
            .must_say("no container engine answers")?;
        let text = fs::read_to_string(&file)?;
        assert!(
            text.contains("\n[retention]\n") && text.contains("\n#[repository.s3]"),
            "{text}"
        );
        let with_it = product.clone().with("STILLPOINT_CONFIG", &file);
        let checked = with_it.run(&["config", "check"])?.must_end_with(0)?;
        assert_eq!(checked.err, "");
        product
            .run(&["config", "init", &file])?
            .must_end_with(2)?
            .must_say("is not overwritten")?;
        assert_eq!(fs::read_to_string(&file)?, text);
        let printed = product.run(&["config", "init", "-"])?.must_end_with(0)?;
        assert_eq!(printed.out, text);
        Ok(())
    })
}

#[test]
fn a_quiet_run_says_nothing_that_is_well() -> Result<()> {
    on_samples(|product, _| {
        let quiet = product.run(&["verify", GOOD, "--quiet"])?.must_end_with(0)?;
        assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
        product
            .run(&["verify", DAMAGED, "--quiet"])?
            .must_end_with(15)?
            .must_say("error: backup")?;
        // What was asked for is printed all the same.
        product
            .run(&["backups", "ls", "--quiet"])?
            .must_end_with(0)?
            .must_print(GOOD)?;
        for no_color in ["", "1"] {
            let ran = product.clone().with("NO_COLOR", no_color).run(&["--help"])?;
            assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
        }
        Ok(())
    })
}
