//! What every store must pass, on its real engine and by the real program: a dozen cases, and after each of them nothing
//! is left that was not there before. What a case needs to fill, wreck and compare a store is the testbed's already
//! (its seed, its truth, its disaster); a [`Subject`] is the little that the testbed does not know.
//!
//! How to add a store: CONTRIBUTING.md.

mod cases;
mod objects;
mod scene;
mod traces;

use anyhow::{Context, Result};

use crate::testbed::{Shape, Testbed};
use cases::{Case, ON_A_SEEDED_SERVER, ON_AN_EMPTY_SERVER, WHILE_DRAINING};
use scene::Scene;

/// A kind of store, as the suite sees it.
pub trait Subject {
    /// The platform with this store alone.
    fn shape(&self) -> Shape;

    /// Its service, by which the product names it too.
    fn service(&self) -> &'static str;

    /// The variable that tells the product a password of this store.
    fn password(&self) -> &'static str;

    /// Puts 16 MiB into the store that do not compress, so that a copy of it takes long enough to be met half-way.
    /// Returns the artifact that they come into.
    fn bulk(&self, testbed: &Testbed) -> Result<&'static str>;

    /// Whether its server is read while it is drained. Where it is not, a pinned store may die without harm to the backup, unless
    /// the clients wait: then it is asked again at the end.
    fn is_read_while_draining(&self) -> bool {
        true
    }

    /// Writes once, as somebody whom nobody stops. Returns the words by which the product has to name what was written.
    /// May be called again.
    fn intrude(&self, testbed: &Testbed) -> Result<&'static str>;

    /// Everything in the server and its files that a run could change or leave, and that no restore is to bring back:
    /// settings, sessions, locks, temporary files. A line for each; they must be the same whenever nothing runs.
    fn traces(&self, testbed: &Testbed) -> Result<String>;
}

/// Declares the tests of a subject.
#[macro_export]
macro_rules! store_conformance {
    ($subject:expr, $program:expr) => {
        #[test]
        fn every_case_on_an_empty_server() -> anyhow::Result<()> {
            $crate::conformance::store::on_an_empty_server(&$subject, $program)
        }

        #[test]
        fn every_case_on_a_seeded_server() -> anyhow::Result<()> {
            $crate::conformance::store::on_a_seeded_server(&$subject, $program)
        }

        #[test]
        fn every_case_while_draining() -> anyhow::Result<()> {
            $crate::conformance::store::while_draining(&$subject, $program)
        }
    };
}

/// Runs the cases for which nothing has to be in the store, one after the other, on one platform.
pub fn on_an_empty_server(subject: &dyn Subject, program: &str) -> Result<()> {
    let testbed = Testbed::for_test(&format!("empty-{}", subject.service()), subject.shape())?;
    testbed.examined(|testbed| {
        testbed.up()?;
        all(subject, program, testbed, &ON_AN_EMPTY_SERVER)
    })
}

/// The others, on one whose names and contents are as awkward as the store's format allows.
pub fn on_a_seeded_server(subject: &dyn Subject, program: &str) -> Result<()> {
    seeded("seeded", subject, program, &ON_A_SEEDED_SERVER)
}

/// Those in which something happens in the middle of a backup.
pub fn while_draining(subject: &dyn Subject, program: &str) -> Result<()> {
    seeded("draining", subject, program, &WHILE_DRAINING)
}

fn seeded(name: &str, subject: &dyn Subject, program: &str, cases: &[(&str, Case)]) -> Result<()> {
    let testbed = Testbed::for_test(&format!("{name}-{}", subject.service()), subject.shape())?.auto();
    testbed.examined(|testbed| {
        testbed.up_seeded()?;
        // Most cases must know the tick; one lets it go on.
        testbed.rest()?;
        testbed.tick()?;
        all(subject, program, testbed, cases)
    })
}

/// A case that leaves something fails, and not the one that stumbles over it.
fn all(subject: &dyn Subject, program: &str, testbed: &Testbed, cases: &[(&str, Case)]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = Scene::new(subject, program, folder.path(), testbed)?;
    for (name, case) in cases {
        let outcome = case(&scene).and_then(|()| scene.nothing_is_left());
        outcome.with_context(|| format!("{}: {name}", subject.service()))?;
    }
    Ok(())
}
