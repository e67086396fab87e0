//! Two platforms that keep their backups side by side, in one directory or in one bucket: whatever is
//! done for one, by it or to it, the other's backups stay as they are to the byte.

use anyhow::Result;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::seaweed::{BACKUP, Seaweed, prefix};
use stillpoint_testkit::testbed::Testbed;
use stillpoint_testkit::tree;

use crate::common::{half_way, hold_dumps, is_back, let_go, on_mini, standing};

/// Somebody has begun to delete it: every prune of its platform goes on with that.
const GOING: &str = "2026-01-01_03-00-00";

fn begun(testbed: &Testbed) -> [(String, String); 2] {
    let deleted = format!(
        r#"{{"format":1,"platform":"{}","run":"1-1","at":"2026-01-20T03:00:00Z","reason":"it is old"}}"#,
        testbed.project()
    );
    [
        (format!("{GOING}/deleted.json"), deleted),
        (format!("{GOING}/postgres-main/one.dump"), "bytes".to_owned()),
    ]
}

#[test]
fn what_is_done_for_one_platform_leaves_its_neighbours_backups_alone() -> Result<()> {
    on_mini("here", |first, of_first| {
        on_mini("beside", |second, of_second| {
            in_one_directory([first, second], [of_first, of_second])?;
            in_one_bucket([first, second], [of_first, of_second])
        })
    })
}

fn in_one_directory(testbeds: [&Testbed; 2], products: [&Product; 2]) -> Result<()> {
    let root = tempfile::tempdir()?;
    let places = [root.path().join("a"), root.path().join("ab")];
    let at = |n: usize| products[n].clone().keeping_backups_in(&places[n]);
    let put = |n: usize, key: &str, content: &str| {
        let path = places[n].join(key);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        Ok(std::fs::write(path, content)?)
    };
    stays(testbeds, &[at(0), at(1)], put, || tree::files(&places[1]))
}

fn in_one_bucket(testbeds: [&Testbed; 2], products: [&Product; 2]) -> Result<()> {
    let server = Seaweed::shared()?;
    // One prefix is the beginning of the other.
    let one = prefix("neighbours")?;
    let prefixes = [one.clone(), format!("{one}-b")];
    let at = |n: usize| products[n].clone().in_s3(&server.endpoint(), BACKUP, &prefixes[n]);
    let put = |n: usize, key: &str, content: &str| server.folder(&prefixes[n]).put(key, content);
    stays(testbeds, &[at(0), at(1)], put, || server.folder(&prefixes[1]).objects())
}

/// A backup, a kill and a prune of the first; what `seen` shows of the second stays the same.
fn stays<T: PartialEq + std::fmt::Debug>(
    [first, second]: [&Testbed; 2],
    [of_first, of_second]: &[Product; 2],
    put: impl Fn(usize, &str, &str) -> Result<()>,
    seen: impl Fn() -> Result<T>,
) -> Result<()> {
    let (first_before, second_before) = (standing(first)?, standing(second)?);
    let theirs = of_second.backup()?;
    for (n, testbed) in [first, second].into_iter().enumerate() {
        for (key, content) in begun(testbed) {
            put(n, &key, &content)?;
        }
    }
    let before = seen()?;

    hold_dumps(first)?;
    let mut running = of_first.start(&["backup"])?;
    half_way(first, &mut running)?;
    running.kill_all()?;
    let_go(first)?;
    of_first.run(&["containers", "recover"])?.must_end_with(0)?;
    let ours = of_first.backup()?;
    let pruned = of_first.run(&["prune"])?.must_end_with(0)?;
    assert!(!pruned.out.contains(GOING), "the backup's own prune has left it");

    assert_eq!(seen()?, before, "the neighbour's backups were touched");
    assert_eq!(of_second.backups()?, [theirs]);
    assert_eq!(of_first.backups()?, [ours]);
    is_back(first, &first_before)?;
    is_back(second, &second_before)
}
