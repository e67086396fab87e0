//! The damage matrix: every object of a backup × every way in which it can be spoilt. Whatever it is, a
//! restore refuses before anything is stopped, a verification reports, and both name the object.

use std::fmt;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use stillpoint_core::engine::errors::{Error, Exit};
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::{Operations, RunRequest, Scope, Verification};
use stillpoint_testkit::{Recorder, World, sample};

/// What is done to an artifact.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    Deleted,
    Truncated,
    OneBitFlipped,
    SwappedWithAnotherBackups,
    Emptied,
    Lengthened,
}

const SPOILS: [Spoil; 6] = [
    Spoil::Deleted,
    Spoil::Truncated,
    Spoil::OneBitFlipped,
    Spoil::SwappedWithAnotherBackups,
    Spoil::Emptied,
    Spoil::Lengthened,
];

const ARTIFACTS: [&str; 2] = ["db/data.dump", "queue/data.dump"];

/// What is done to a manifest, how, and a word that must be told of it.
type Forgery = (&'static str, fn(&mut Value), &'static str);

const FORGERIES: [Forgery; 8] = [
    (
        "a later version",
        |manifest| manifest["format"] = 2.into(),
        "has format 2",
    ),
    (
        "no version",
        |manifest| manifest["format"] = Value::Null,
        "the manifest is damaged",
    ),
    (
        "an unknown field",
        |manifest| manifest["more"] = 1.into(),
        "unknown field `more`",
    ),
    (
        "an unknown field of an artifact",
        |manifest| manifest["stores"][0]["artifacts"][0]["more"] = 1.into(),
        "unknown field `more`",
    ),
    (
        "one hash changed",
        |manifest| manifest["stores"][1]["artifacts"][0]["sha256"] = "0".repeat(64).into(),
        "queue/data.dump: its SHA-256 is",
    ),
    (
        "one size changed",
        |manifest| manifest["stores"][0]["artifacts"][0]["size"] = 1.into(),
        "db/data.dump: 24 bytes, 1 in the manifest",
    ),
    (
        "an artifact less",
        |manifest| manifest["stores"][0]["artifacts"] = Value::Array(Vec::new()),
        "db/data.dump: it is not in the manifest",
    ),
    (
        "a store less",
        |manifest| drop(manifest["stores"].as_array_mut().map(Vec::pop)),
        "queue/data.dump: it is not in the manifest",
    ),
];

impl Spoil {
    fn apply(self, world: &World, key: &str, other: &str) -> anyhow::Result<()> {
        let repository = &world.repository;
        let mut content = repository.get(key).context("no such artifact")?.to_vec();
        match self {
            Self::Deleted => {
                repository.lose(key);
                return Ok(());
            }
            Self::Truncated => content.truncate(content.len() - 1),
            Self::OneBitFlipped => content[0] ^= 1,
            Self::SwappedWithAnotherBackups => {
                let theirs = repository.get(other).context("no such artifact")?;
                ensure!(theirs != content && theirs.len() == content.len(), "a poor swap");
                repository.put(other, content);
                content = theirs.to_vec();
            }
            Self::Emptied => content.clear(),
            Self::Lengthened => content.push(b'\n'),
        }
        repository.put(key, content);
        Ok(())
    }
}

/// A world with two backups of other data, of equal sizes; `adopted` ones were made by others.
async fn two_backups(adopted: bool) -> anyhow::Result<(World, [BackupId; 2])> {
    let world = sample::world();
    let mut ids = Vec::new();
    for n in [5, 6] {
        world.change("db", "orders", n);
        world.change("queue", "messages", n);
        ids.push(world.backup().await.outcome?.manifest.id);
        world.wait_a_minute().await;
    }
    if adopted {
        for id in &ids {
            world.repository.lose(&format!("{id}/manifest.json"));
            world.repository.lose(&format!("{id}/run.json"));
            world.adopt(*id).await.outcome?;
        }
    }
    world.faults.reset();
    Ok((world, [ids[0], ids[1]]))
}

async fn verify(world: &World, scope: Scope) -> Result<Verification, Error> {
    let order = RunRequest {
        run: None,
        platform: None,
        listener: std::sync::Arc::new(Recorder::default()),
        cancel: world.interrupt(),
    };
    world.operations().verify(scope, order).await
}

/// What a verification of one backup tells of its damage, in words, as the program ends with 15.
async fn told_of_one(world: &World, id: BackupId) -> anyhow::Result<String> {
    match verify(world, Scope::One(id)).await {
        Ok(found) => {
            let damage = found.checked.iter().flat_map(|checked| &checked.outcome.damage);
            Ok(damage.map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        Err(error) => {
            ensure!(error.class().exit == Exit::Damaged, "{error}");
            Ok(error.to_string())
        }
    }
}

/// The same of all: what names this backup.
async fn told_of_all(world: &World, id: BackupId) -> anyhow::Result<String> {
    let found = verify(world, Scope::All).await?;
    let unreadable = found.unreadable.iter().filter(|(of, _)| *of == id);
    let checked = found.checked.iter().filter(|checked| checked.outcome.backup == id);
    let damage = checked.flat_map(|checked| &checked.outcome.damage);
    let words = damage
        .map(ToString::to_string)
        .chain(unreadable.map(|(_, why)| why.clone()));
    Ok(words.collect::<Vec<_>>().join("; "))
}

/// Restore refuses, verify reports, each names the object, and nothing was touched.
async fn is_found(world: &World, id: BackupId, words: &str, what: impl fmt::Display) -> anyhow::Result<()> {
    let (before, data) = (world.picture(), world.data());
    let told = world.restore(id).await;
    ensure!(
        told.exit() == Exit::RestoreRefused,
        "{what}: {:?} {}",
        told.exit(),
        told.words()
    );
    ensure!(told.words().contains(words), "{what}: {}", told.words());
    let acted = world
        .faults
        .calls()
        .into_iter()
        .any(|call| call.method.changes_the_platform());
    ensure!(
        !acted && before.touched(&world.picture()).is_empty() && data == world.data(),
        "{what}"
    );
    ensure!(world.journal.open().is_empty(), "{what}: something was begun");
    let one = told_of_one(world, id).await?;
    ensure!(one.contains(words), "{what}: verify says `{one}`");
    Ok(())
}

/// The artifact at which `words` point, but no other.
async fn nothing_else(world: &World, id: BackupId, words: &str, what: impl fmt::Display) -> anyhow::Result<()> {
    let all = told_of_all(world, id).await?;
    ensure!(
        all.contains(words) && all.matches("data.dump").count() <= 1,
        "{what}: verify says `{all}`"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_artifact_spoilt_in_every_way_is_found() -> anyhow::Result<()> {
    for adopted in [false, true] {
        let (base, [id, other]) = two_backups(adopted).await?;
        for artifact in ARTIFACTS {
            for spoil in SPOILS {
                let what = format!("{artifact} {spoil:?}");
                let world = sample::world().branched_from(&base);
                spoil.apply(&world, &format!("{id}/{artifact}"), &format!("{other}/{artifact}"))?;
                let words = format!("{artifact}: ");
                is_found(&world, id, &words, &what).await?;
                nothing_else(&world, id, &words, &what).await?;
                let swapped = matches!(spoil, Spoil::SwappedWithAnotherBackups);
                let others = told_of_all(&world, other).await?;
                ensure!(others.contains(&words) == swapped, "{what}: of the other: `{others}`");
                let listed = world.list().await?.backups;
                let sound: Vec<Option<bool>> = listed.iter().map(|of| of.verified.map(|last| last.sound)).collect();
                ensure!(sound == [Some(false), Some(!swapped)], "{what}: {sound:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_forged_manifest_is_found() -> anyhow::Result<()> {
    for adopted in [false, true] {
        let (base, [id, _]) = two_backups(adopted).await?;
        let key = format!("{id}/manifest.json");
        let text = base.repository.get(&key).context("no manifest")?;
        for (what, forge, words) in FORGERIES {
            let world = sample::world().branched_from(&base);
            let mut manifest: Value = serde_json::from_slice(&text)?;
            forge(&mut manifest);
            world.repository.put(&key, serde_json::to_vec_pretty(&manifest)?);
            is_found(&world, id, words, what).await?;
            nothing_else(&world, id, words, what).await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_manifest_cut_off_anywhere_is_found() -> anyhow::Result<()> {
    let (base, [id, _]) = two_backups(false).await?;
    let key = format!("{id}/manifest.json");
    let text = base.repository.get(&key).context("no manifest")?;
    let whole = text.len();
    // The last byte is the end of its line.
    for length in (0..whole - 1).step_by(97).chain([whole - 2]) {
        let world = sample::world().branched_from(&base);
        world.repository.put(&key, text.slice(..length));
        is_found(&world, id, "the manifest is damaged", length).await?;
        nothing_else(&world, id, "the manifest is damaged", length).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_manifest_with_any_bit_of_it_flipped_is_found_or_says_the_same_of_the_data() -> anyhow::Result<()> {
    let (base, [id, _]) = two_backups(false).await?;
    let key = format!("{id}/manifest.json");
    let text = base.repository.get(&key).context("no manifest")?;
    let was: Value = serde_json::from_slice(&text)?;
    for at in (0..text.len()).step_by(5) {
        let world = sample::world().branched_from(&base);
        let mut flipped = text.to_vec();
        flipped[at] ^= 1 << (at % 7);
        world.repository.put(&key, flipped.clone());
        let one = told_of_one(&world, id).await?;
        if one.is_empty() {
            let now: Value = serde_json::from_slice(&flipped)?;
            let artifacts = |of: &Value| -> Vec<Value> {
                let stores = of["stores"].as_array().into_iter().flatten();
                stores.map(|store| store["artifacts"].clone()).collect()
            };
            let places = |of: &Value| -> Vec<Value> {
                let all = artifacts(of).into_iter();
                all.flat_map(|list| list.as_array().cloned().unwrap_or_default())
                    .map(|one| Value::from(vec![one["name"].clone(), one["sha256"].clone(), one["size"].clone()]))
                    .collect()
            };
            ensure!(places(&was) == places(&now), "byte {at}: {now}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_has_lost_its_manifest_is_none() -> anyhow::Result<()> {
    let (world, [id, _]) = two_backups(false).await?;
    world.repository.lose(&format!("{id}/manifest.json"));
    is_found(&world, id, "has no manifest.json", "missing").await?;
    let listed = world.list().await?;
    assert_eq!((listed.backups.len(), listed.incomplete), (1, vec![id]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_manifest_of_another_backup_is_found() -> anyhow::Result<()> {
    let (world, [id, other]) = two_backups(false).await?;
    let theirs = world
        .repository
        .get(&format!("{other}/manifest.json"))
        .context("no manifest")?;
    world.repository.put(&format!("{id}/manifest.json"), theirs);
    let words = format!("the manifest is that of backup {other}");
    is_found(&world, id, &words, "swapped").await?;
    nothing_else(&world, id, &words, "swapped").await
}

#[tokio::test(start_paused = true)]
async fn what_no_manifest_names_is_found_and_documents_beside_it_are_not() -> anyhow::Result<()> {
    let (base, [id, _]) = two_backups(false).await?;
    for (place, told) in [
        ("db/more data.dump", "db/more%20data.dump"),
        ("old/data.dump", "old/data.dump"),
        ("valkey.rdb", "valkey.rdb"),
    ] {
        let world = sample::world().branched_from(&base);
        world.repository.put(&format!("{id}/{place}"), "what is this");
        let words = format!("{told}: it is not in the manifest");
        is_found(&world, id, &words, place).await?;
    }
    let world = sample::world().branched_from(&base);
    for document in ["objects.jsonl.gz", "README.md"] {
        world
            .repository
            .put(&format!("{id}/{document}"), "of a later version, or of its operator");
    }
    assert_eq!(told_of_one(&world, id).await?, "");
    assert_eq!(world.restore(id).await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_sound_is_told_as_sound_and_restored() -> anyhow::Result<()> {
    for adopted in [false, true] {
        let (world, ids) = two_backups(adopted).await?;
        for id in ids {
            assert_eq!(told_of_all(&world, id).await?, "");
        }
        let listed = world.list().await?.backups;
        assert!(
            listed
                .iter()
                .all(|backup| backup.verified.is_some_and(|last| last.sound))
        );
        // What others made was never counted: there is nothing to compare with.
        let told = world.restore(ids[0]).await;
        assert_eq!(told.exit(), Exit::Ok, "adopted: {adopted}: {}", told.words());
        assert_eq!(
            world.data().get("db").and_then(|data| data.rows.get("orders").copied()),
            Some(5)
        );
    }
    Ok(())
}
