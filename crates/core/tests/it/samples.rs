//! What earlier versions have written is read for ever: a whole repository of each format, made by the program
//! itself, lies frozen in `tests/samples/`. A test that fails here speaks of what operators have on their
//! disks: mend the code, never the sample.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use stillpoint_core::backups::{Backups, Content, Holder, Outcome, Verified};
use stillpoint_core::events::Reporter;
use stillpoint_core::manifest::{Artifact, Count, Manifest, Mode, RunRecord, Standstill, StoreRecord, WorkloadRecord};
use stillpoint_core::names::{Address, ArtifactName, BackupId, Project, RunId, StoreKind, StoreName};
use stillpoint_core::retention::{Exempt, Standing};
use stillpoint_core::workload::State;
use stillpoint_testkit::Recorder;
use stillpoint_testkit::fakes::{AtOnce, FakeClock, MemoryRepository};
use stillpoint_testkit::tree;

const HALF_DELETED: &str = "2026-01-10_03-00-00";
const ADOPTED: &str = "2026-02-17_00-00-00";
const COMPLETE: &str = "2026-11-25_16-10-16";
const FAILED: &str = "2026-11-25_16-10-24";
const DAMAGED: &str = "2026-11-25_16-10-31";
const TORSO: &str = "2026-11-25_16-10-40";

const LEASE: &str = ".stillpoint/lease.json";

fn v1() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/v1")
}

/// The sample, and the backups in it.
fn sample() -> anyhow::Result<(MemoryRepository, Backups)> {
    let (repository, backups) = empty();
    for (name, file) in tree::files(&v1().join("repository"))? {
        repository.put(&name, file.content);
    }
    Ok((repository, backups))
}

fn empty() -> (MemoryRepository, Backups) {
    let repository = MemoryRepository::default();
    let backups = Backups::new(Arc::new(repository.clone()), Arc::new(AtOnce));
    (repository, backups)
}

fn reporter() -> Reporter {
    let recorder = Arc::new(Recorder::default());
    Reporter::new(RunId::new("reading"), Arc::new(FakeClock::new()), recorder)
}

fn id(text: &str) -> anyhow::Result<BackupId> {
    Ok(text.parse()?)
}

fn at(text: &str) -> anyhow::Result<Timestamp> {
    Ok(text.parse()?)
}

fn platform() -> Project {
    Project::new("sample")
}

fn artifact(name: &str, of: Option<&str>, size: u64, sha256: &str) -> Artifact {
    Artifact {
        name: ArtifactName::of(&["postgres-main", name]),
        content: if of.is_some() { "database" } else { "globals" }.to_owned(),
        of: of.map(ToOwned::to_owned),
        size,
        sha256: sha256.to_owned(),
        lists: None,
    }
}

fn artifacts() -> [Artifact; 4] {
    let globals = "099761835df3e902913cdd18504adb4a9c12cbe30e6510ec85d4aa28b924c18e";
    let orders = "2a605cec569acd926ed5b23c2afebc7023405c71d1f7b3f1d0b3520db90826e6";
    let postgres = "57f727b10b8ca02e1671169a6f4231b82964843e9b98cf0d333f2c2bd9fff99d";
    let odd = "c1686cd25f8508ceeb5df5e341c7074e8ff38f4569b07ed20a1f149492115a85";
    let (odd_file, odd_name) = ("we \"ird' db #1%.dump", "we \"ird' db #1%");
    [
        artifact("globals.sql.gz", None, 485, globals),
        artifact("orders.dump", Some("orders"), 2484, orders),
        artifact("postgres.dump", Some("postgres"), 1107, postgres),
        artifact(odd_file, Some(odd_name), 1323, odd),
    ]
}

#[test]
fn the_sample_is_what_it_was() -> anyhow::Result<()> {
    let mut files = tree::files(&v1())?;
    let sums = files.remove("SHA256SUMS").expect("the list of the files");
    let mut found = String::new();
    for (name, file) in files {
        for byte in Sha256::digest(&file.content) {
            write!(found, "{byte:02x}")?;
        }
        writeln!(found, "  {name}")?;
    }
    let frozen = String::from_utf8(sums.content)?;
    assert_eq!(frozen, found, "a frozen sample was changed: see its README");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_directory_is_listed_for_what_it_is() -> anyhow::Result<()> {
    let (_, backups) = sample()?;
    let listed = backups.list().await?;
    let listed = listed.iter().map(|listed| {
        let what = match &listed.content {
            Content::Complete(manifest) if manifest.adopted => "adopted",
            Content::Complete(_) => "complete",
            Content::Unreadable(cause) => panic!("{}: {cause}", listed.id),
            Content::Partial(_) => "partial",
            Content::Incomplete => "incomplete",
        };
        (listed.id.to_string(), what)
    });
    let expected = [
        (HALF_DELETED, "incomplete"),
        (ADOPTED, "adopted"),
        (COMPLETE, "complete"),
        (FAILED, "partial"),
        (DAMAGED, "complete"),
        (TORSO, "incomplete"),
    ];
    assert_eq!(
        listed.collect::<Vec<_>>(),
        expected.map(|(id, what)| (id.to_owned(), what))
    );
    assert_eq!(backups.last_size().await?, Some(5400));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_manifest_says_what_it_said() -> anyhow::Result<()> {
    let (_, backups) = sample()?;
    let Manifest {
        format,
        stillpoint,
        id: backup,
        platform: of,
        run,
        mode,
        began,
        sealed,
        standstill,
        workloads,
        stores,
        adopted,
        safety_of,
        failure,
    } = backups.manifest(id(COMPLETE)?).await?;
    assert_eq!((format, stillpoint.as_str(), backup), (1, "0.1.0", id(COMPLETE)?));
    assert_eq!((of, run.as_str()), (platform(), "1795623016603-sample-host-1014"));
    assert_eq!((mode, adopted, failure), (Mode::Hold, false, None));
    assert_eq!(safety_of, None);
    assert_eq!(began, at("2026-11-25T16:10:16.603573478Z")?);
    assert_eq!(sealed, at("2026-11-25T16:10:23.592294994Z")?);
    let stood = Standstill {
        stopping: at("2026-11-25T16:10:17.243231424Z")?,
        began: at("2026-11-25T16:10:20.491345738Z")?,
        ended: at("2026-11-25T16:10:22.330246458Z")?,
        back: None,
    };
    assert_eq!(standstill, Some(stood));
    the_workloads_are_those(&workloads);
    let [store] = &stores[..] else { panic!("{stores:?}") };
    the_store_is_that(store);
    Ok(())
}

fn the_workloads_are_those(workloads: &[WorkloadRecord]) {
    let short: Vec<_> = workloads
        .iter()
        .map(|one| {
            (
                one.address.service.as_str(),
                one.state,
                one.role.as_str(),
                one.action.as_str(),
            )
        })
        .collect();
    let expected = [
        ("etcd", State::Running, "kept", "leave"),
        ("oneshot-init", State::Exited, "client", "leave"),
        ("postgres-main", State::Running, "store", "stop"),
        ("reports", State::Exited, "client", "leave"),
        ("seaweedfs-s3", State::Running, "kept", "leave"),
        ("stubborn", State::Running, "client", "stop"),
        ("traefik", State::Running, "kept", "leave"),
        ("webapp", State::Running, "client", "stop"),
        ("witness", State::Running, "client", "stop"),
        ("worker-paused", State::Paused, "client", "leave"),
    ];
    assert_eq!(short, expected);
    let paused = WorkloadRecord {
        address: Address {
            project: platform(),
            service: "worker-paused".into(),
            number: 1,
        },
        image: "stillpoint-testbed/idle:294b3ae7588d".into(),
        image_id: "sha256:b18e1da1f9bada0ecf6094441d96a9ebee80ff74a17ba8fe516454a02d6bbc96".into(),
        state: State::Paused,
        role: "client".into(),
        action: "leave".into(),
        reason: "paused: frozen, it cannot write".into(),
        left_out: None,
    };
    assert_eq!(workloads.last(), Some(&paused));
}

fn the_store_is_that(store: &StoreRecord) {
    assert_eq!(store.name, StoreName::new("postgres-main"));
    assert_eq!(store.kind, StoreKind::new("postgres"));
    assert_eq!(store.version, "17.12 (Debian 17.12-0+deb13u1)");
    assert_eq!(store.pinned.to_string(), "2026-11-25T16:10:21.702550815Z");
    assert_eq!(store.artifacts, artifacts());
    let counts = [
        ("orders: large objects", 0),
        ("orders: rows of public.\"Sch\"", 0),
        ("orders: rows of public.orders", 2),
        ("postgres: large objects", 0),
        ("we \"ird' db #1%: large objects", 0),
        ("we \"ird' db #1%: rows of public.t", 1),
    ];
    let counts = counts.map(|(name, count)| (name.to_owned(), Count { count, exact: true }));
    assert_eq!(store.inventory.0, counts.into());
    let facts = [("extensions".to_owned(), "pg_trgm, plpgsql".to_owned())];
    assert_eq!(store.facts, facts.into());
}

#[tokio::test(start_paused = true)]
async fn an_adopted_backup_and_a_failed_run_say_what_they_are() -> anyhow::Result<()> {
    let (_, backups) = sample()?;
    let adopted = backups.complete(id(ADOPTED)?).await?;
    assert!(adopted.adopted && adopted.standstill.is_none() && adopted.workloads.is_empty());
    assert_eq!(adopted.began, at("2026-02-17T00:00:00Z")?);
    let [store] = &adopted.stores[..] else {
        panic!("{adopted:?}")
    };
    assert_eq!((store.version.as_str(), store.pinned), ("unknown", adopted.began));
    assert!(store.inventory.0.is_empty() && store.facts.is_empty());
    let mut described = store.artifacts.clone();
    described.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(described, artifacts());

    let failed = backups.partial(id(FAILED)?).await?;
    let words = "store postgres-main: dumping database `postgres`: pg_dump ended with exit code 3: the disk is on fire";
    assert_eq!(failed.failure.as_deref(), Some(words));
    assert_eq!((failed.stores, failed.workloads.len()), (Vec::new(), 10));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whole_backups_are_sound_and_the_damaged_one_is_not() -> anyhow::Result<()> {
    let (repository, backups) = sample()?;
    for (backup, expected) in [(ADOPTED, 0), (COMPLETE, 0), (DAMAGED, 2)] {
        let manifest = backups.manifest(id(backup)?).await?;
        assert_eq!(backups.unnamed(&manifest, &reporter()).await?, [], "{backup}");
        let mut damage = Vec::new();
        for store in &manifest.stores {
            damage.extend(backups.artifacts(id(backup)?, &reporter()).read_all(store).await?.1);
        }
        assert_eq!(damage.len(), expected, "{backup}: {damage:?}");
        if backup == DAMAGED {
            let noted = format!(".stillpoint/verified/{DAMAGED}/2026-11-25_16-10-38-unsound.json");
            let noted: Outcome = serde_json::from_slice(&repository.get(&noted).expect("the outcome"))?;
            assert_eq!(noted.damage, damage);
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn retention_sees_whose_everything_is_and_how_it_stands() -> anyhow::Result<()> {
    let (_, backups) = sample()?;
    let holder = backups.holder().await?.expect("the torso's run holds the lease");
    let survey = backups.survey(&platform(), Some(&holder.run)).await?;
    let ours = survey.ours.iter();
    let ours = ours.map(|entry| (entry.id.to_string(), entry.standing, entry.exempt));
    // Objects have the day on which they were laid down here.
    let written = backups.clock().await?;
    let expected = [
        (HALF_DELETED, Standing::HalfDeleted, None),
        (ADOPTED, Standing::Complete, None),
        (COMPLETE, Standing::Complete, Some(Exempt::Protected)),
        (FAILED, Standing::Partial, None),
        (DAMAGED, Standing::FailedVerification, None),
        (TORSO, Standing::Torso { written, held: true }, None),
    ];
    let expected = expected.map(|(id, standing, exempt)| (id.to_owned(), standing, exempt));
    assert_eq!(ours.collect::<Vec<_>>(), expected);
    assert_eq!(survey.foreign, []);

    let others = backups.survey(&Project::new("other"), None).await?;
    assert!(others.ours.is_empty(), "{others:?}");
    assert_eq!(others.foreign.len(), expected.len());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_stands_beside_the_backups_is_read() -> anyhow::Result<()> {
    let (repository, backups) = sample()?;
    assert_eq!(backups.owner().await?, Some(platform()));
    let marks = backups.marks().await?;
    assert_eq!(marks.protected, [id(COMPLETE)?].into());
    let verified = |text: &str, sound| at(text).map(|at| Verified { at, sound });
    let verified = [
        (id(COMPLETE)?, verified("2026-11-25T16:10:24Z", true)?),
        (id(DAMAGED)?, verified("2026-11-25T16:10:38Z", false)?),
    ];
    assert_eq!(marks.verified, verified.into());

    let holder = Holder {
        run: RunId::new("1795623040187-sample-host-4311"),
        platform: platform(),
        host: "sample-host".into(),
        process: 4311,
        since: at("2026-11-25T16:10:40.187838221Z")?,
    };
    assert_eq!(backups.holder().await?, Some(holder.clone()));
    backups.free_lease_of(&holder.run).await?;
    assert_eq!(backups.holder().await?, None, "the run's death does not free it");

    repository.put(LEASE, std::fs::read(v1().join("lease-free.json"))?);
    assert_eq!(backups.holder().await?, None);
    let clock = Arc::new(FakeClock::new());
    let lease = backups.lease(clock, holder, Duration::from_mins(2)).await;
    let lease = lease.unwrap_or_else(|error| panic!("a free lease {error}"));
    assert_eq!(lease.token().await, 7, "the token must grow");
    Ok(())
}

/// As long as format 1 is the one that is written: what is read and written again is the same to the byte, so
/// nothing of it was lost, renamed or added. The day another number is written, this test goes; the others stay.
#[tokio::test(start_paused = true)]
async fn what_this_version_writes_is_the_same_to_the_byte() -> anyhow::Result<()> {
    let ((old, read), (new, written)) = (sample()?, empty());
    assert_eq!(written.owned_by(&platform()).await?, platform());
    for backup in [ADOPTED, COMPLETE, DAMAGED] {
        written.seal(&read.manifest(id(backup)?).await?).await?;
    }
    written.seal_partial(&read.partial(id(FAILED)?).await?).await?;
    for key in old.keys() {
        let content = old.get(&key).expect("a listed object");
        if let Some(backup) = key.strip_suffix("/run.json") {
            let run: RunRecord = serde_json::from_slice(&content)?;
            drop(written.begin(id(backup)?, &run, &reporter()).await?);
        } else if key.contains("/verified/") {
            let outcome: Outcome = serde_json::from_slice(&content)?;
            written.note_outcome(&outcome).await?;
        } else if key.contains("/protected/") {
            let mark: serde_json::Value = serde_json::from_slice(&content)?;
            let (run, since) = (mark["run"].as_str(), mark["since"].as_str());
            let run = RunId::new(run.expect("a run"));
            written
                .protect(id(COMPLETE)?, &run, at(since.expect("a time"))?)
                .await?;
        }
    }
    for key in new.keys() {
        let text = |repository: &MemoryRepository| {
            repository
                .get(&key)
                .map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        assert_eq!(text(&new), text(&old), "{key}");
    }
    // One owner, three manifests and a partial one, four runs, three marks.
    assert_eq!(new.keys().len(), 12, "{:?}", new.keys());
    Ok(())
}
