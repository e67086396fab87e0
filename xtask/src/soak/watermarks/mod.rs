//! Many backups of stores in which nobody writes and much else happens: none may take that for a write. That it did
//! happen inside the standstills is asked for, and true writers at the end must be found, each by its store: a soak
//! that cannot fail says nothing.

mod course;
mod seen;
mod window;

use anyhow::{Result, bail};
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::folder;
use course::Course;

/// So many backups.
pub(super) fn soak(backups: u32) -> Result<String> {
    let folder = folder("watermarks")?;
    let mut report = None;
    let outcome = Testbed::for_test("harmless", Shape::Stores)?
        .auto()
        .examined(|testbed| {
            testbed.up_seeded()?;
            report = Some(Course::begin(testbed, &folder)?.hold(backups)?);
            Ok(())
        });
    std::fs::remove_dir_all(&folder)?;
    outcome?;
    match report {
        Some(report) => Ok(report),
        None => bail!("nothing was done"),
    }
}
