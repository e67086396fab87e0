//! A backup of one platform into another, and of stores into stores of other names, one behaviour a test.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::names::{BackupId, Project, StoreName};
use stillpoint_core::selection::Selection;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample;
use stillpoint_testkit::{Method, World};

/// The other platform.
const HERE: &str = "staging";

/// What marks whose a repository is.
const OWNER: &str = ".stillpoint/instance.json";

/// A backup of the sample, and another platform that sees its repository: its database has another name.
async fn backed_up() -> anyhow::Result<(World, World, BackupId)> {
    let there = sample::world();
    let id = there.backup().await.outcome?.manifest.id;
    there.wait_a_minute().await;
    let here = World::of([
        Container::store("pgdb", &[("orders", 1)]).of(HERE),
        Container::cold_store("queue", &[("messages", 2)]).of(HERE),
        Container::client("api").of(HERE),
    ]);
    Ok((here.beside(&there, "elsewhere"), there, id))
}

fn from_there() -> Selection {
    Selection {
        from: Some(Project::new(sample::PLATFORM)),
        map: [(StoreName::new("db"), StoreName::new("pgdb"))].into(),
        ..Selection::default()
    }
}

fn rows(world: &World) -> (Option<u64>, Option<u64>) {
    let data = world.data();
    let of = |store: &str, table: &str| data.get(&format!("{HERE}.{store}"))?.rows.get(table).copied();
    (of("pgdb", "orders"), of("queue", "messages"))
}

#[tokio::test(start_paused = true)]
async fn what_is_anothers_is_refused_with_the_command_that_restores_it() -> anyhow::Result<()> {
    let (here, _there, id) = backed_up().await?;
    let told = here.restore(id).await;
    assert_eq!(told.exit(), Exit::RestoreRefused, "{}", told.words());
    for words in [
        "it is a backup of platform acme, not of staging",
        "it holds nothing of store pgdb (fake), but of db",
        &format!("if that is what you mean: `stillpoint restore {id} --from acme --map db=pgdb`"),
    ] {
        assert!(told.words().contains(words), "{words}: {}", told.words());
    }
    assert_eq!(rows(&here), (Some(1), Some(2)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn names_that_lead_nowhere_are_refused() -> anyhow::Result<()> {
    let (here, _there, id) = backed_up().await?;
    let map = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        Selection {
            map: pairs
                .map(|(old, new)| (StoreName::new(*old), StoreName::new(*new)))
                .collect(),
            ..from_there()
        }
    };
    let from = Selection {
        from: Some(Project::new("acne")),
        ..from_there()
    };
    for (selection, words) in [
        (map(&[("dd", "pgdb")]), "the backup has no store dd; it has db, queue"),
        (map(&[("db", "pg")]), "the platform has no store pg; it has pgdb, queue"),
        (
            map(&[("db", "queue")]),
            "more than one store of the backup would be queue",
        ),
        (from, "it is a backup of platform acme, not of acne"),
    ] {
        let told = here.restore_of(id, selection).await;
        assert_eq!(told.exit(), Exit::RestoreRefused, "{words}: {}", told.words());
        assert!(told.words().contains(words), "{words}: {}", told.words());
    }
    assert_eq!(rows(&here), (Some(1), Some(2)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_is_restored_told_and_undone_and_the_repository_stays_its_owner_s() -> anyhow::Result<()> {
    let (here, there, id) = backed_up().await?;
    let (owner, keys) = (here.repository.get(OWNER), here.repository.keys());
    let rehearsed = here.rehearse(id, from_there()).await.outcome?;
    assert_eq!(rehearsed.platform.as_str(), HERE);
    let told = here.restore_of(id, from_there()).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let restored = told.outcome?;
    assert_eq!(restored.origin, rehearsed.origin);
    assert_eq!(restored.origin.from, Some(Project::new(sample::PLATFORM)));
    assert_eq!(restored.origin.renamed, from_there().map);
    assert_eq!(rows(&here), (Some(5), Some(7)));

    // What was copied is the guest's, and no backup of the owner's.
    let copies = here.site().backups.safety_copies(&Project::new(HERE)).await?;
    assert_eq!(copies.len(), 1, "nothing was copied");
    there.wait_a_minute().await;
    assert_eq!(
        there.restore(id).await.exit(),
        Exit::Ok,
        "a guest's copy blocks the owner"
    );
    assert_eq!(there.discard_old().await.exit(), Exit::Ok);
    assert_eq!(here.site().backups.safety_copies(&Project::new(HERE)).await?, copies);

    let told = here.undo().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(rows(&here), (Some(1), Some(2)));
    assert_eq!((here.repository.get(OWNER), here.repository.keys()), (owner, keys));
    let told = here.backup().await;
    assert_eq!(told.exit(), Exit::Preflight, "it has taken the repository over");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_it_replaced_is_freed_in_the_repository_of_its_owner() -> anyhow::Result<()> {
    let (here, _there, id) = backed_up().await?;
    let keys = here.repository.keys();
    assert_eq!(here.restore_of(id, from_there()).await.exit(), Exit::Ok);
    here.wait_a_minute().await;
    let told = here.discard_old().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(here.repository.keys(), keys);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_on_with_it_knows_what_was_said_with_a_journal_or_without() -> anyhow::Result<()> {
    for loses_journal in [false, true] {
        let (here, _there, id) = backed_up().await?;
        here.faults.on(Method::StoreRestore).of("pgdb").fails();
        let told = here.restore_of(id, from_there()).await;
        assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
        here.faults.reset();
        here.wait_a_minute().await;
        if loses_journal {
            here.journal.lose();
        }
        let told = here.resume().await;
        assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
        assert_eq!(told.outcome?.origin.renamed, from_there().map);
        assert_eq!(rows(&here), (Some(5), Some(7)));
        here.wait_a_minute().await;
        assert_eq!(here.undo().await.exit(), Exit::Ok);
        assert_eq!(rows(&here), (Some(1), Some(2)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_died_is_undone_and_leaves_nothing_with_its_host() -> anyhow::Result<()> {
    for (at, of) in [
        (Method::ProcessOutput, "staging.queue"),
        (Method::StoreRestore, "queue"),
    ] {
        let (here, _there, id) = backed_up().await?;
        let keys = here.repository.keys();
        here.faults.on(at).of(of).kills();
        assert!(
            here.faults.live(here.restore_of(id, from_there())).await.is_none(),
            "it lives"
        );
        assert_ne!(here.repository.keys(), keys, "it died before it left anything");
        here.faults.reset();
        here.wait_a_minute().await;
        let told = here.undo().await;
        assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
        assert_eq!(rows(&here), (Some(1), Some(2)));
        here.backup().await;
        let left = here.repository.keys().into_iter().filter(|key| !keys.contains(key));
        assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{at:?}");
    }
    Ok(())
}
