//! A restore that cannot succeed is refused before anything is stopped. Damage: `damage`.

use std::path::{Path, PathBuf};

use crate::common::{on_mini, standing};
use anyhow::Result;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::Testbed;

#[test]
fn another_platforms_backup_is_refused() -> Result<()> {
    on_mini("foreign", |testbed, product| {
        let backup = product.backup()?;
        let manifest = product.repository.join(&backup).join("manifest.json");
        edit(
            &manifest,
            &format!("\"platform\": \"{}\"", testbed.project()),
            "\"platform\": \"elsewhere\"",
        )?;
        refused_untouched(testbed, product, &backup, "it is a backup of platform elsewhere")
    })
}

#[test]
fn a_backup_of_a_newer_server_or_with_unknown_extensions_is_refused() -> Result<()> {
    on_mini("newer", |testbed, product| {
        let backup = product.backup()?;
        let manifest = product.repository.join(&backup).join("manifest.json");
        let sound = std::fs::read(&manifest)?;
        edit(&manifest, "\"version\": \"17.", "\"version\": \"99.")?;
        refused_untouched(testbed, product, &backup, "the server is the older")?;
        std::fs::write(&manifest, &sound)?;
        edit(&manifest, "\"extensions\": \"", "\"extensions\": \"unheard_of, ")?;
        refused_untouched(testbed, product, &backup, "lacks extensions of the backup: unheard_of")?;
        std::fs::write(&manifest, &sound)?;
        let versions = "\"extension versions\": \"";
        edit(&manifest, versions, &format!("{versions}plpgsql 99.0, "))?;
        let older = "extension `plpgsql` in version 99.0, the server installs the older 1.0";
        refused_untouched(testbed, product, &backup, older)
    })
}

#[test]
fn a_server_without_room_for_old_and_new_is_refused() -> Result<()> {
    on_mini("noroom", |testbed, product| {
        let backup = product.backup()?;
        let path = product.repository.join(&backup).join("manifest.json");
        let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let bytes = &mut manifest["stores"][0]["facts"]["database bytes"];
        assert!(
            bytes.as_str().is_some_and(|text| text.parse::<u64>().is_ok()),
            "{bytes}"
        );
        *bytes = (1_u64 << 60).to_string().into();
        std::fs::write(&path, serde_json::to_vec(&manifest)?)?;
        let words = "the backup's databases need 1152921504606846976 beside the present ones";
        refused_untouched(testbed, product, &backup, words)
    })
}

fn refused_untouched(testbed: &Testbed, product: &Product, backup: &str, words: &str) -> Result<()> {
    let before = standing(testbed)?;
    product
        .run(&["restore", backup, "--confirm", backup])?
        .must_end_with(13)?
        .must_say(words)?;
    assert_eq!(standing(testbed)?, before);
    Ok(())
}

/// Replaces text in a file, which must hold it.
fn edit(path: &Path, from: &str, to: &str) -> Result<()> {
    let path: PathBuf = path.into();
    let text = std::fs::read_to_string(&path)?;
    assert!(text.contains(from), "{} does not hold {from}", path.display());
    Ok(std::fs::write(&path, text.replace(from, to))?)
}
