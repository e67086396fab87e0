//! The logins that clients hold are tried around a restore: what one of them loses by it is told with the client's
//! name, and keeps nothing down.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::restore::Restored;
use stillpoint_core::events::{EventKind, Step};
use stillpoint_core::names::BackupId;
use stillpoint_core::selection::Selection;
use stillpoint_core::workload::State;
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::sample::{self, PLATFORM};
use stillpoint_testkit::stage::{Degrades, Told};
use stillpoint_testkit::{Method, World};

/// The user of the sample's clients.
const USER: &str = "api";

/// A world with a backup, whose data has changed since.
async fn backed_up() -> anyhow::Result<(World, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.change("db", "orders", 99);
    world.wait_a_minute().await;
    world.faults.reset();
    Ok((world, id))
}

/// From the moment in which the restored store is counted, it lets the user in, or does not.
fn when_it_is_restored(world: &World, locks_out: bool) {
    let seen = world.clone();
    let counted = world.faults.on(Method::StoreInventory).of("db");
    counted.meets(move || seen.locks_out("db", USER, locks_out));
}

fn about_logins<T>(told: &Told<T>) -> Vec<String> {
    let warnings = told.recorder.warnings().into_iter();
    warnings.filter(|warning| warning.contains("login")).collect()
}

/// Each client with its variable.
fn locked_out(told: &Told<Restored>) -> Vec<String> {
    let degraded = told.outcome.iter().flat_map(Degrades::degraded);
    degraded.map(ToString::to_string).collect()
}

fn everything_runs(world: &World, before: &stillpoint_testkit::stage::Picture) {
    assert_eq!(before.differences(&world.picture()), [""; 0]);
    assert_eq!(world.claim(PLATFORM), None);
    let orders = world.data().get("db").and_then(|data| data.rows.get("orders").copied());
    assert_eq!(orders, Some(5));
}

#[tokio::test(start_paused = true)]
async fn what_a_restore_locks_out_is_told_and_runs() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let before = world.picture();
    when_it_is_restored(&world, true);
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    everything_runs(&world, &before);
    let refused = |variable| {
        format!("db refuses its login in {variable} (user `api`, database `orders`): no api here; let api in")
    };
    assert_eq!(
        locked_out(&told),
        [
            format!("api: {}", refused("DB_URL")),
            format!("web: {}", refused("DATABASE_URL"))
        ]
    );
    let warned = about_logins(&told);
    let words = "the login in DB_URL of api and DATABASE_URL of web (user `api`, database `orders`) for db: refused \
                 since the restore: no api here; let api in";
    assert_eq!(warned, [words]);
    assert!(!format!("{:?}", told.recorder.events()).contains("secret"));
    let events = told.recorder.events();
    let at = |is: &dyn Fn(&EventKind) -> bool| events.iter().position(|event| is(&event.kind));
    let warning = at(&|kind| matches!(kind, EventKind::Warning { message } if message == words));
    let start = at(&|kind| *kind == EventKind::StepBegan { step: Step::Start });
    assert!(warning.is_some() && warning < start, "it is told after the start");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_login_that_stays_good_or_becomes_so_is_not_worth_a_word() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let told = world.restore(id).await;
    assert_eq!((told.exit(), about_logins(&told)), (Exit::Ok, Vec::new()));
    let tried = world.faults.calls().into_iter();
    let tried: Vec<String> = tried
        .filter(|call| call.method == Method::StoreTryLogin)
        .map(|call| call.subject)
        .collect();
    // One login for two clients, and another store's; before and after.
    assert_eq!(tried, ["db", "queue", "db", "queue"]);

    let (world, id) = backed_up().await?;
    world.locks_out("db", USER, true);
    when_it_is_restored(&world, false);
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!((told.exit(), about_logins(&told)), (Exit::Ok, Vec::new()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_already_is_told_once() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.locks_out("db", USER, true);
    let told = world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let warned = about_logins(&told);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(
        warned[0].ends_with("for db: refused, as before the restore: no api here; let api in"),
        "{warned:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_an_unfinished_restore_nobody_knows_what_was_before() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let before = world.picture();
    world.faults.on(Method::StoreRestore).of("db").fails();
    assert_eq!(world.restore(id).await.exit(), Exit::StoppedOnPurpose);
    world.faults.reset();
    world.locks_out("db", USER, true);
    let told = world.resume().await;
    assert_eq!(told.exit(), Exit::Degraded, "{}", told.words());
    everything_runs(&world, &before);
    assert_eq!(locked_out(&told).len(), 2);
    let warned = about_logins(&told);
    assert!(
        warned.len() == 1 && warned[0].contains("for db: refused: no api here"),
        "{warned:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_tried_is_told_once_and_is_no_refusal() -> anyhow::Result<()> {
    let is_told = async |spoil: &dyn Fn(&World), words: &[&str]| -> anyhow::Result<()> {
        let (world, id) = backed_up().await?;
        spoil(&world);
        let told = world.restore(id).await;
        assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
        let warned = about_logins(&told);
        assert_eq!(warned.len(), words.len(), "{warned:?}");
        assert!(warned.iter().zip(words).all(|(warned, words)| warned.contains(words)));
        Ok(())
    };
    let of_db = |world: &World| world.faults.on(Method::StoreTryLogin).of("db");
    is_told(&|world| of_db(world).nth(1).fails(), &[]).await?;
    is_told(&|world| of_db(world).nth(2).fails(), &["for db: could not be tried: "]).await?;
    is_told(
        &|world| of_db(world).always().fails(),
        &["for db: could not be tried: "],
    )
    .await?;
    is_told(&|world| of_db(world).nth(2).hangs(), &["took longer than 10 s"]).await?;

    let (world, id) = backed_up().await?;
    of_db(&world).nth(1).fails();
    when_it_is_restored(&world, true);
    let told = world.restore(id).await;
    assert_eq!((told.exit(), locked_out(&told).len()), (Exit::Degraded, 2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_start_again_is_not_asked_for() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    let login = ["DB_URL=fake://nobody:secret@db/orders"];
    world.add(Container::client("idle").told(&login).that_is(State::Exited));
    world.add(Container::client("traefik").told(&login));
    world.add(Container::client("else").of("other").told(&login));
    world.add(Container::client("afar").told(&["DB_URL=fake://nobody:secret@elsewhere/orders"]));
    world.locks_out("db", "nobody", true);
    let told = world.restore(id).await;
    assert_eq!((told.exit(), about_logins(&told)), (Exit::Ok, Vec::new()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_stores_that_keep_their_data_are_not_asked() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.locks_out("db", USER, true);
    let selection = Selection {
        stores: vec![stillpoint_core::names::StoreName::new("queue")],
        ..Selection::default()
    };
    let told = world.restore_of(id, selection).await;
    assert_eq!((told.exit(), about_logins(&told)), (Exit::Ok, Vec::new()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_which_logins_there_are_and_what_becomes_of_them() -> anyhow::Result<()> {
    let (world, id) = backed_up().await?;
    world.locks_out("db", USER, true);
    let rehearsed = world.rehearse(id, Selection::default()).await.outcome?;
    let line = |held: &stillpoint_core::engine::restore::HeldLogin| {
        format!(
            "{} {} {} {}: {}",
            held.client, held.variable, held.store, held.login, held.now
        )
    };
    let shown: Vec<String> = rehearsed.logins.iter().map(line).collect();
    assert_eq!(
        shown,
        [
            "api DB_URL db user `api`, database `orders`: refused: no api here",
            "web DATABASE_URL db user `api`, database `orders`: refused: no api here",
            "api QUEUE_PASSWORD queue user `api`: admitted",
        ]
    );
    Ok(())
}
