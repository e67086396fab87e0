//! The damage matrix: every artifact and the manifest, harmed in every way that a disk, a half-done copy or
//! a person knows. `verify` reports it, a restore is refused, both name what is harmed, nothing is stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::Testbed;

use crate::common::{has_claim, on_mini, standing};

/// A way to harm a file; `other` is the same file of another backup.
type Harm = fn(whole: &[u8], other: &[u8]) -> Option<Vec<u8>>;

const HARMS: [(&str, Harm); 5] = [
    ("deleted", |_, _| None),
    ("truncated", |whole, _| Some(whole[..whole.len() / 2].to_vec())),
    ("one bit flipped", |whole, _| {
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        Some(flipped)
    }),
    ("swapped with another backup's", |_, other| Some(other.to_vec())),
    ("empty", |_, _| Some(Vec::new())),
];

const MANIFEST_HARMS: [(&str, Harm); 6] = [
    ("missing", |_, _| None),
    ("truncated", |whole, _| Some(whole[..whole.len() / 2].to_vec())),
    ("of a version that nobody knows", |whole, _| {
        Some(replaced(whole, "\"format\": 1,", "\"format\": 9,"))
    }),
    ("with an unknown field", |whole, _| {
        Some(replaced(
            whole,
            "\"format\": 1,",
            "\"format\": 1, \"frobnicated\": true,",
        ))
    }),
    ("with a hash changed", |whole, _| {
        let text = String::from_utf8_lossy(whole);
        let at = text.find("\"sha256\": \"")? + "\"sha256\": \"".len();
        let mut changed = whole.to_vec();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        Some(changed)
    }),
    ("with an artifact left out", |whole, _| {
        let mut manifest: serde_json::Value = serde_json::from_slice(whole).ok()?;
        manifest["stores"][0]["artifacts"].as_array_mut()?.pop();
        serde_json::to_vec(&manifest).ok()
    }),
];

fn replaced(whole: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(whole).replacen(from, to, 1).into_bytes()
}

#[test]
fn any_damage_is_named_before_anything_is_stopped() -> Result<()> {
    on_mini("damage", |testbed, product| {
        let other = product.repository.join(product.backup()?);
        testbed.psql("postgres", "create role another")?;
        testbed.tick()?;
        let backup = product.backup()?;
        let folder = product.repository.join(&backup);
        let scene = Scene {
            testbed,
            product,
            backup: &backup,
        };
        let before = standing(testbed)?;
        let events = testbed.events_recorder()?;
        let artifacts = artifacts(&folder)?;
        assert!(artifacts.len() >= 6, "only {artifacts:?}");
        for name in &artifacts {
            let others = fs::read(other.join(name))?;
            let same = others == fs::read(folder.join(name))?;
            // Sequences that nobody has used in between are saved alike: that swap harms nothing.
            for (what, harm) in HARMS
                .into_iter()
                .filter(|(what, _)| !(same && what.starts_with("swapped")))
            {
                scene.harmed(name, &format!("{name} {what}"), harm, &others)?;
            }
        }
        for (what, harm) in MANIFEST_HARMS {
            scene.harmed("manifest.json", &format!("the manifest {what}"), harm, &[])?;
        }
        let acts: BTreeMap<String, usize> = events.stop()?.into_iter().fold(BTreeMap::new(), |mut acts, event| {
            *acts.entry(event.action).or_default() += 1;
            acts
        });
        for act in ["kill", "die", "stop", "start", "pause", "unpause", "create", "destroy"] {
            assert!(!acts.contains_key(act), "something was touched: {acts:?}");
        }
        assert_eq!(standing(testbed)?, before);
        assert!(!has_claim(testbed)?);
        product.run(&["verify", &backup])?.must_end_with(0)?;
        Ok(())
    })
}

struct Scene<'a> {
    testbed: &'a Testbed,
    product: &'a Product,
    backup: &'a str,
}

impl Scene<'_> {
    /// Harms a file, asks, and mends it.
    fn harmed(&self, name: &str, what: &str, harm: Harm, other: &[u8]) -> Result<()> {
        let file = self.product.repository.join(self.backup).join(name);
        let whole = fs::read(&file)?;
        match harm(&whole, other) {
            Some(harmed) => {
                assert_ne!(harmed, whole, "{what}: that harms nothing");
                fs::write(&file, harmed)?;
            }
            None => fs::remove_file(&file)?,
        }
        self.refused(name).with_context(|| what.to_owned())?;
        Ok(fs::write(&file, whole)?)
    }

    fn refused(&self, name: &str) -> Result<()> {
        let word = if name == "manifest.json" { "" } else { name };
        let backup = self.backup;
        let verified = self.product.run(&["verify", backup])?;
        verified.must_end_with(15)?.must_say(word)?.must_say("help:")?;
        let restored = self.product.run(&["restore", backup, "--confirm", backup])?;
        restored.must_end_with(13)?.must_say(word)?.must_say("help:")?;
        assert!(!has_claim(self.testbed)?);
        Ok(())
    }
}

/// The artifacts below a backup's directory, as their own manifest's readers name them.
fn artifacts(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for store in fs::read_dir(folder)? {
        let store: PathBuf = store?.path();
        if store.is_dir() {
            for artifact in fs::read_dir(&store)? {
                let artifact = artifact?.path();
                found.push(artifact.strip_prefix(folder)?.display().to_string());
            }
        }
    }
    found.sort();
    Ok(found)
}
