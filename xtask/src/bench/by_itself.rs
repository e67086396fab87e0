//! A store that writes by itself, into the same bucket: on its own, and through Stillpoint's gateway. In one run on one server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::seaweed::{ADMIN, BACKUP, BUCKET, Seaweed, prefix};
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::{phases, report, say};

/// Mebibytes that do not compress.
const SIZE: u32 = 1_024;

/// The gateway must come to this share of what the store comes to on its own.
const AT_LEAST: f64 = 0.7;

const SERVICE: &str = "clickhouse";

/// The report, and in sentences what was broken of the limits.
pub(super) fn run(program: &Path, folder: &Path) -> Result<(String, Vec<String>)> {
    let mut measured = None;
    Seaweed::start_roomy()?.examined(|bucket| {
        Testbed::for_test("itself", Shape::Clickhouse)?
            .auto()
            .examined(|testbed| {
                say(&format!("{}: up and filling ClickHouse, {SIZE} MiB", testbed.project()));
                testbed.up()?;
                fill(testbed)?;
                let network = format!("{}_backend", testbed.project());
                testbed.docker(&["network", "connect", "--alias", "s3", &network, bucket.container()])?;
                let outcome = compare(testbed, bucket, program, folder);
                testbed.docker(&["network", "disconnect", &network, bucket.container()])?;
                measured = Some(outcome?);
                Ok(())
            })
    })?;
    let (alone, ours) = measured.context("nothing was measured")?;
    let ratio = alone.as_secs_f64() / ours.as_secs_f64();
    let rate = |took: Duration| f64::from(SIZE) / took.as_secs_f64();
    let text = format!(
        "## A store that writes by itself\n\nClickHouse, {SIZE} MiB that do not compress, into one SeaweedFS: by its own `BACKUP`, and \
         through the gateway of a backup (pinned and drained).\n\n| way | seconds | MiB/s | ratio |\n|---|---:|---:|---:|\n\
         | its own | {} | {:.0} | 1.00 |\n| through the gateway | {} | {:.0} | {ratio:.2} |\n",
        report::seconds(alone),
        rate(alone),
        report::seconds(ours),
        rate(ours),
    );
    let broken = (ratio < AT_LEAST).then(|| {
        format!(
            "through the gateway ClickHouse comes to {ratio:.2} of what it comes to on its own, less than {AT_LEAST}"
        )
    });
    Ok((text, broken.into_iter().collect()))
}

fn sql(testbed: &Testbed, statement: &str) -> Result<String> {
    testbed.beside(SERVICE, &format!("set -e; clickhouse-sql <<'END'\n{statement}\nEND"))
}

fn fill(testbed: &Testbed) -> Result<()> {
    sql(
        testbed,
        "CREATE TABLE bulk (b String CODEC(NONE)) ENGINE = MergeTree ORDER BY tuple()",
    )?;
    // What is merged meanwhile is read and written beside the backup, and takes more memory than the testbed's server may use.
    sql(testbed, "SYSTEM STOP MERGES bulk")?;
    for _ in 0..SIZE / 16 {
        sql(
            testbed,
            "INSERT INTO bulk SELECT randomString(1048576) FROM numbers(16)",
        )?;
    }
    Ok(())
}

/// How long each took.
fn compare(testbed: &Testbed, bucket: &Seaweed, program: &Path, folder: &Path) -> Result<(Duration, Duration)> {
    let own = prefix("own")?;
    let begun = Instant::now();
    let said = sql(
        testbed,
        &format!(
            "BACKUP DATABASE default TO S3('http://s3:8333/{BUCKET}/{own}/backup', '{}', '{}') SETTINGS allow_s3_native_copy = 0",
            ADMIN.id, ADMIN.secret
        ),
    )?;
    let alone = begun.elapsed();
    ensure!(said.contains("BACKUP_CREATED"), "{said}");
    let program = program.to_str().context("a program with an odd name")?;
    let product = Product::of(program, folder, testbed).in_s3(&bucket.endpoint(), BACKUP, &prefix("ours")?);
    let ran = product.run(&["backup", "--json"])?.must_end_with(0)?;
    let steps = phases::of_events(&ran.out);
    let of = |name: &str| {
        steps
            .iter()
            .filter(|(step, _)| step == name)
            .map(|(_, took)| *took)
            .sum::<Duration>()
    };
    let ours = of("pin") + of("drain");
    say(&format!(
        "own {}, through the gateway {}",
        report::seconds(alone),
        report::seconds(ours)
    ));
    Ok((alone, ours))
}
