//! Every call of a restore.

use super::*;

/// What a restore leaves alone: what is paused is stopped too, and paused again.
const LEFT: [&str; 5] = ["backup-agent", "job", "migrate", "seaweedfs-s3", "worker"];

/// A world with a backup, whose data has changed since.
async fn backed_up() -> anyhow::Result<(Case, BackupId)> {
    let world = sample::world();
    let id = world.backup().await.outcome?.manifest.id;
    world.change("db", "orders", 99);
    world.change("queue", "messages", 0);
    world.wait_a_minute().await;
    world.faults.reset();
    Ok((Case::new(world), id))
}

async fn golden() -> anyhow::Result<Vec<Call>> {
    let (case, id) = backed_up().await?;
    let told = case.world.restore(id).await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(case.down(), [""; 0]);
    assert!(is_the_backup_s(&case.world), "{:?}", case.world.data());
    Ok(case.world.faults.calls())
}

fn is_the_backup_s(world: &World) -> bool {
    let original = sample::world();
    original.data() == world.data()
}

/// Either everything is as it was, with the old data or the new; or everything managed is down
/// and the claim says what is to run again. Nothing else.
fn all_or_nothing<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, bad: &mut Complaints) {
    case.always(told, call, &LEFT, bad);
    let claim = case.world.claim(PLATFORM);
    if told.exit() == Exit::StoppedOnPurpose {
        bad.unless(
            claim.is_some_and(|claim| claim.job == Job::FullRestoreJob),
            call,
            || "no claim".into(),
        );
        let up: Vec<String> = case
            .world
            .picture()
            .up()
            .into_iter()
            .filter(|id| RESTORED.contains(&id.as_str()))
            .collect();
        bad.unless(
            up.iter()
                .all(|id| told.words().contains(&format!("still running: {id}"))),
            call,
            || format!("{up:?} runs: {}", told.words()),
        );
        bad.unless(up.is_empty() || call.method == Method::PowerStop, call, || {
            format!("{up:?} still runs")
        });
        return;
    }
    bad.unless(claim.is_none() || call.method == Method::PowerRelease, call, || {
        "a claim is left".into()
    });
    platform_is_back(case, told, call, bad);
    let sound = if told.outcome.is_ok() {
        is_the_backup_s(&case.world)
    } else {
        case.data_is_untouched()
    };
    bad.unless(sound, call, || {
        format!("{:?} after {}", case.world.data(), told.words())
    });
    bad.unless(clients_down(told) == clients_back(told), call, || {
        "clients are not told to be back".into()
    });
}

fn platform_is_back<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, bad: &mut Complaints) {
    let (down, named) = (case.down(), told.degraded());
    let to_blame = matches!(call.method, Method::PowerStart | Method::PowerPause) && down == [call.subject.as_str()];
    bad.unless(down.is_empty() || to_blame && named == down, call, || {
        format!("{down:?} did not come back, {named:?} is named")
    });
    bad.unless(named.iter().all(|service| *service == call.subject), call, || {
        format!("{named:?} is named and not to blame")
    });
    let exit = told.exit();
    let fits = match (&told.outcome, named.is_empty()) {
        (Ok(_), true) => exit == Exit::Ok,
        (Ok(_), false) => exit == Exit::Degraded,
        (Err(_), true) => matches!(exit, Exit::RunFailed | Exit::Preflight | Exit::RestoreRefused),
        (Err(_), false) => exit == Exit::RecoveryIncomplete,
    };
    bad.unless(fits, call, || format!("ends with {exit:?}: {}", told.words()));
}

/// The restore that is tried again brings everything back.
async fn second_one_works(case: &Case, id: BackupId, call: &Call, bad: &mut Complaints) {
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    let told = case.world.restore(id).await;
    bad.unless(told.exit() == Exit::Ok, call, || {
        format!("the second restore: {}", told.words())
    });
    bad.unless(case.down().is_empty(), call, || {
        format!("the second restore left {:?} down", case.down())
    });
    bad.unless(is_the_backup_s(&case.world), call, || {
        "the second restore left other data".into()
    });
    bad.unless(case.world.claim(PLATFORM).is_none(), call, || {
        "the second restore left its claim".into()
    });
}

/// Starting as it is brings everything back too, databases included.
async fn start_anyway_works(case: &Case, call: &Call, bad: &mut Complaints) {
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    let told = case.world.start_containers().await;
    bad.unless(told.exit() == Exit::Ok, call, || {
        format!("start anyway: {}", told.words())
    });
    // What died between its start and its pause was started since: it is told of and left running.
    let thawed = call.method == Method::PowerPause && told.recorder.warnings().iter().any(|told| told.contains("cron"));
    let down: Vec<String> = case.down().into_iter().filter(|id| !(thawed && id == "cron")).collect();
    bad.unless(down.is_empty(), call, || format!("start anyway left {down:?} down"));
    bad.unless(case.world.claim(PLATFORM).is_none(), call, || {
        "start anyway left the claim".into()
    });
}

#[tokio::test(start_paused = true)]
async fn everything_is_as_before_or_stopped_on_purpose_when_any_single_call_fails() -> anyhow::Result<()> {
    let (golden, mut bad) = (golden().await?, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let (case, id) = backed_up().await?;
        case.world.faults.on_call(n + 1).fails();
        let told = case.world.restore(id).await;
        all_or_nothing(&case, &told, call, &mut bad);
        if case.down().is_empty() || told.exit() == Exit::StoppedOnPurpose {
            second_one_works(&case, id, call, &mut bad).await;
        }
    }
    bad.assert_none(golden.len());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn everything_is_as_before_or_stopped_on_purpose_when_any_answer_gets_lost() -> anyhow::Result<()> {
    let (golden, mut bad) = (golden().await?, Complaints::default());
    for (n, call) in golden
        .iter()
        .enumerate()
        .filter(|(_, call)| call.method.may_lose_its_answer())
    {
        let (case, id) = backed_up().await?;
        case.world.faults.on_call(n + 1).loses_its_answer();
        let told = case.world.restore(id).await;
        all_or_nothing(&case, &told, call, &mut bad);
        if case.down().is_empty() || told.exit() == Exit::StoppedOnPurpose {
            second_one_works(&case, id, call, &mut bad).await;
        }
    }
    bad.assert_none(golden.len());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_on_purpose_can_be_started_as_it_is() -> anyhow::Result<()> {
    let (golden, mut bad) = (golden().await?, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let (case, id) = backed_up().await?;
        case.world.faults.on_call(n + 1).fails();
        if case.world.restore(id).await.exit() == Exit::StoppedOnPurpose {
            start_anyway_works(&case, call, &mut bad).await;
        }
    }
    bad.assert_none(golden.len());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_second_restore_never_starts_clients_on_half_the_data() -> anyhow::Result<()> {
    let mut bad = Complaints::default();
    let calls = {
        let (case, id) = failed_at_load().await?;
        let told = case.world.restore(id).await;
        assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
        case.world.faults.calls()
    };
    for (n, call) in calls.iter().enumerate() {
        let (case, id) = failed_at_load().await?;
        case.world.faults.on_call(n + 1).fails();
        let told = case.world.restore(id).await;
        if told.outcome.is_ok() {
            all_or_nothing(&case, &told, call, &mut bad);
            continue;
        }
        let up: Vec<String> = case
            .world
            .picture()
            .up()
            .into_iter()
            .filter(|id| RESTORED.contains(&id.as_str()))
            .collect();
        bad.unless(up.is_empty() || call.method == Method::PowerStop, call, || {
            format!("{up:?} runs after: {}", told.words())
        });
        bad.unless(case.world.claim(PLATFORM).is_some(), call, || {
            "the claim is gone".into()
        });
        second_one_works(&case, id, call, &mut bad).await;
    }
    bad.assert_none(calls.len());
    Ok(())
}

/// A world in which a first restore failed while it loaded.
async fn failed_at_load() -> anyhow::Result<(Case, BackupId)> {
    let (case, id) = backed_up().await?;
    case.world.faults.on(Method::StoreLoad).of("queue").fails();
    let told = case.world.restore(id).await;
    assert_eq!(told.exit(), Exit::StoppedOnPurpose, "{}", told.words());
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    Ok((case, id))
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_died_at_any_call_is_finished_by_the_next() -> anyhow::Result<()> {
    let (golden, mut bad) = (golden().await?, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let (case, id) = backed_up().await?;
        case.world.faults.on_call(n + 1).kills();
        assert!(
            case.world.faults.live(case.world.restore(id)).await.is_none(),
            "it lives"
        );
        second_one_works(&case, id, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_died_at_any_call_the_platform_can_be_started_as_it_is() -> anyhow::Result<()> {
    let (golden, mut bad) = (golden().await?, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let (case, id) = backed_up().await?;
        case.world.faults.on_call(n + 1).kills();
        assert!(
            case.world.faults.live(case.world.restore(id)).await.is_none(),
            "it lives"
        );
        start_anyway_works(&case, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
    Ok(())
}
