//! `cargo xtask check`: everything that CI checks, cheapest first, all of it even after a failure,
//! ending with the line `N passed, N failed`. A check that is no test (format, lints) counts as one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tidy;

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    let mut tally = Tally::default();
    tally.check("format", || cargo(&["fmt", "--all", "--check"]));
    tally.check("house rules", || tidy::run(root));
    tally.check("lints", || {
        cargo(&[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
    });
    tally.check("unused dependencies", || tool("cargo-machete", &[]));
    tally.check("licences, sources, bans", || {
        tool("cargo-deny", &["--locked", "check", "bans", "licenses", "sources"])
    });
    tally.check("book", || tool("mdbook", &["build"]));
    tally.tests()?;
    // What the tests of this run shared has lost its owner now. What cannot be removed, the next run removes.
    if let Err(error) = stillpoint_testkit::testbed::reap() {
        println!("cannot remove what the tests have left: {error:#}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        bail!("not all is well");
    }
    Ok(())
}

impl Tally {
    fn check(&mut self, name: &str, act: impl FnOnce() -> Result<()>) {
        println!("── {name}");
        match act() {
            Ok(()) => self.passed += 1,
            Err(error) => {
                println!("FAILED {name}: {error:#}");
                self.failed += 1;
            }
        }
    }

    /// nextest where it is installed, else `cargo test`; both count.
    fn tests(&mut self) -> Result<()> {
        println!("── tests");
        let nextest = Command::new("cargo-nextest")
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
        let arguments: &[&str] = if nextest {
            &["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]
        } else {
            &[
                "test",
                "--locked",
                "--workspace",
                "--no-fail-fast",
                "--",
                "--test-threads=2",
            ]
        };
        let before = self.passed + self.failed;
        let ended_well = self.run_counting(arguments)?;
        // A runner that fails without a failed test (a build error, a crash) must not pass for green.
        if !ended_well && self.failed == 0 || self.passed + self.failed == before {
            self.failed += 1;
        }
        Ok(())
    }

    fn run_counting(&mut self, arguments: &[&str]) -> Result<bool> {
        let mut child = Command::new("cargo")
            .args(arguments)
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run cargo")?;
        let (out, err) = (
            child.stdout.take().context("piped")?,
            child.stderr.take().context("piped")?,
        );
        // Both are shown as they come: nextest tells on the one, cargo test on the other.
        let aside = std::thread::spawn(move || read(BufReader::new(out)));
        for tally in [read(BufReader::new(err)), aside.join().unwrap_or_default()] {
            self.passed += tally.passed;
            self.failed += tally.failed;
        }
        Ok(child.wait()?.success())
    }
}

fn read(lines: impl BufRead) -> Tally {
    let mut tally = Tally::default();
    for line in lines.lines().map_while(Result::ok) {
        println!("{line}");
        if let Some((passed, failed)) = counts(&line) {
            tally.passed += passed;
            tally.failed += failed;
        }
    }
    tally
}

/// `Summary [ 1.2s] 9 tests run: 8 passed (1 slow), 1 failed, 2 skipped`, or
/// `test result: ok. 8 passed; 1 failed; 0 ignored; …`. A test's own output is indented.
fn counts(line: &str) -> Option<(u64, u64)> {
    let is_summary = line.trim_start().starts_with("Summary [") && line.contains("run:");
    if !is_summary && !line.starts_with("test result:") {
        return None;
    }
    let words: Vec<&str> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let before = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
    };
    Some((
        before("passed").unwrap_or(0),
        ["failed", "timed"].iter().filter_map(|word| before(word)).sum(),
    ))
}

fn cargo(arguments: &[&str]) -> Result<()> {
    tool("cargo", arguments)
}

fn tool(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{program} {}: {status}", arguments.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn both_runners_are_understood() {
        let nextest = "     Summary [  26.906s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 15 skipped";
        assert_eq!(counts(nextest), Some((3, 2)));
        let stock = "test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.1s";
        assert_eq!(counts(stock), Some((4, 1)));
        assert_eq!(counts("    test result: ok. 1 passed; 0 failed"), None);
    }
}
