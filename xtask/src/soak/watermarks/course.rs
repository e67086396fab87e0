//! The course: what is to happen is laid out, somebody outside begins, backups are made, and in the end a true writer
//! comes to each store.

use std::path::Path;

use anyhow::{Context, Result, bail};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::Testbed;

use super::super::program;
use super::seen::Seen;
use super::window::Window;

/// The clients stay down until the last byte: a standstill that is long enough for much to happen inside.
const HOLD: [&str; 3] = ["backup", "--mode", "hold"];

/// The database in which something happens.
const DATABASE: &str = "langfuse";

/// Somebody who writes from outside: the store, what he does all the time, and what must be said of it.
const WRITERS: [(&str, &str, &str); 3] = [
    (
        "postgres-main",
        "psql -h postgres-main -U postgres -d langfuse -qc 'insert into soak.outside values (1)'",
        "database `langfuse`",
    ),
    ("valkey", "valkey-cli -h valkey INCR soak:outside", "of INCR"),
    (
        "nats",
        "timeout 5 nats publish --jetstream soak.outside x",
        "APP/SOAK_OUTSIDE: last sequence",
    ),
];

pub(super) struct Course<'a> {
    testbed: &'a Testbed,
    product: Product,
    outsider: String,
}

impl<'a> Course<'a> {
    pub(super) fn begin(testbed: &'a Testbed, folder: &Path) -> Result<Self> {
        testbed.psql(DATABASE, include_str!("lay.sql"))?;
        testbed.beside("nats", include_str!("lay.sh"))?;
        Ok(Self {
            testbed,
            product: Product::of(&program()?, folder, testbed),
            outsider: testbed.outsider(include_str!("outsider.sh"))?,
        })
    }

    pub(super) fn hold(self, backups: u32) -> Result<String> {
        let mut windows = Vec::new();
        let mut alarms = Vec::new();
        for number in 1..=backups {
            match self.backup() {
                Ok(window) => windows.push(window),
                Err(error) => alarms.push(format!("backup {number}: {error:#}")),
            }
            let last = alarms
                .last()
                .filter(|alarm| alarm.starts_with(&format!("backup {number}:")));
            println!(
                "harmless: backup {number} of {backups}: {}",
                last.map_or("good", String::as_str)
            );
        }
        let seen = Seen::of(&self.testbed.docker(&["logs", &self.outsider])?, &windows);
        if !alarms.is_empty() {
            bail!(
                "{} of {backups} backups failed\n{}\n{}",
                alarms.len(),
                alarms.join("\n"),
                seen.table()
            );
        }
        seen.must_be_common(windows.len()).context(seen.table())?;
        for writer in WRITERS {
            self.void(writer)?;
        }
        self.end()?;
        Ok(report(&windows, &seen))
    }

    /// One backup, which must be good; when its stores stood still.
    fn backup(&self) -> Result<Window> {
        self.testbed.psql(DATABASE, include_str!("renew.sql"))?;
        self.testbed.beside("nats", include_str!("renew.sh"))?;
        self.testbed.beside("valkey", include_str!("renew.valkey.sh"))?;
        let ran = self.product.run(&[&HOLD[..], &["--json"]].concat())?;
        if ran.code != Some(0) {
            let last = ran.out.lines().last().unwrap_or_default();
            bail!("exit code {:?}: {last} {}", ran.code, ran.err.trim());
        }
        Window::of(&ran.out)
    }

    /// A backup during which somebody writes.
    fn void(&self, (store, deed, words): (&str, &str, &str)) -> Result<()> {
        let script = format!("while :; do {deed}; sleep 0.1; done >/dev/null 2>&1");
        let writer = self.testbed.outsider(&script)?;
        let ran = self.product.run(&HOLD)?;
        self.testbed.docker(&["rm", "--force", &writer])?;
        ran.must_end_with(1)
            .and_then(|ran| ran.must_say(&format!("store {store} was written to during the standstill")))
            .and_then(|ran| ran.must_say(words))
            .with_context(|| format!("somebody wrote into {store}, and the backup does not say so"))?;
        println!("harmless: a writer in {store} voids the backup and is named");
        Ok(())
    }

    fn end(&self) -> Result<()> {
        self.testbed.docker(&["rm", "--force", &self.outsider]).map(drop)
    }
}

fn report(windows: &[Window], seen: &Seen) -> String {
    let seconds: Vec<f64> = windows.iter().map(Window::seconds).collect();
    let (least, most) = (
        seconds.iter().copied().fold(f64::INFINITY, f64::min),
        seconds.iter().copied().fold(0.0, f64::max),
    );
    format!(
        "`cargo xtask soak --only watermarks`: {} backups of PostgreSQL, Valkey and NATS, one after the other, while all of this \
         goes on. None was voided. The stores stood still for {least:.1} to {most:.1} s between their marks; in how many of \
         these windows each thing was seen:\n\n{}\n\
         Then one backup each with somebody who writes from outside into PostgreSQL (`INSERT`), Valkey (`INCR`) and NATS \
         (a message): each failed, with the store and the writes named.\n",
        windows.len(),
        seen.table()
    )
}
