//! Every call of a backup.

use super::*;

/// The calls that a backup makes when all goes well.
async fn golden() -> Vec<Call> {
    let world = sample::world();
    let told = world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    world.faults.calls()
}

async fn check<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, bad: &mut Complaints) {
    case.always(told, call, &LEFT, bad);
    platform_is_back(case, told, call, bad);
    bad.unless(case.data_is_untouched(), call, || "a store's data changed".into());
    let claim = case.world.claim(PLATFORM);
    bad.unless(claim.is_none() || call.method == Method::PowerRelease, call, || {
        "a claim is left".into()
    });
    bad.unless(clients_down(told) == clients_back(told), call, || {
        "what went down was not told to be back".into()
    });
    repository_is_honest(case, told, call, bad).await;
}

fn platform_is_back<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, bad: &mut Complaints) {
    let (down, named) = (case.down(), told.degraded());
    let its_own_start = call.method == Method::PowerStart && down == [call.subject.as_str()];
    bad.unless(down.is_empty() || its_own_start, call, || {
        format!("{down:?} did not come back")
    });
    bad.unless(down.iter().all(|id| named.contains(id)), call, || {
        format!("{down:?} is down, {named:?} is named")
    });
    bad.unless(named.iter().all(|service| *service == call.subject), call, || {
        format!("{named:?} is named and not to blame")
    });
    let exit = told.exit();
    let fits = match (&told.outcome, named.is_empty()) {
        (Ok(_), true) => exit == Exit::Ok,
        (Ok(_), false) => exit == Exit::Degraded,
        (Err(_), true) => matches!(exit, Exit::RunFailed | Exit::Preflight),
        (Err(_), false) => exit == Exit::RecoveryIncomplete,
    };
    bad.unless(fits, call, || format!("ends with {exit:?}: {}", told.words()));
}

async fn repository_is_honest<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, bad: &mut Complaints) {
    let world = &case.world;
    world.faults.reset();
    world.forget_interrupt();
    let keys = world.repository.keys();
    let canary = keys.iter().any(|key| key.starts_with(".stillpoint/canary"));
    bad.unless(!canary || call.method == Method::RepositoryDelete, call, || {
        "a canary is left".into()
    });
    let listed = world.list().await;
    let ids: Vec<BackupId> = listed
        .iter()
        .flat_map(|list| &list.backups)
        .map(|backup| backup.id)
        .collect();
    let sealed_after_all = call.method == Method::RepositoryCreate && call.subject.ends_with("/manifest.json");
    bad.unless(
        ids.len() == usize::from(told.outcome.is_ok()) || sealed_after_all,
        call,
        || format!("{ids:?} are listed after {}", told.words()),
    );
    for id in ids {
        let verified = world.verify(id).await;
        bad.unless(verified.is_ok(), call, || format!("{id} is damaged"));
    }
    let partial = keys.iter().any(|key| key.ends_with("manifest.partial.json"));
    let describes = clients_down(told) == 0 || told.outcome.is_ok() || partial;
    bad.unless(describes || sealed_after_all, call, || {
        "what it left is not described".into()
    });
}

/// Whatever went wrong, the next backup succeeds without anybody's help.
async fn next_one_works(case: &Case, call: &Call, bad: &mut Complaints) {
    if !case.down().is_empty() {
        return;
    }
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    let told = case.world.backup().await;
    bad.unless(told.exit() == Exit::Ok, call, || {
        format!("the next backup: {}", told.words())
    });
    bad.unless(case.down().is_empty(), call, || {
        format!("the next backup left {:?}", case.down())
    });
    bad.unless(case.world.claim(PLATFORM).is_none(), call, || {
        "the next backup left a claim".into()
    });
}

#[tokio::test(start_paused = true)]
async fn what_ran_runs_again_when_any_single_call_fails() {
    let (golden, mut bad) = (golden().await, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let case = Case::new(sample::world());
        case.world.faults.on_call(n + 1).fails();
        let told = case.world.backup().await;
        check(&case, &told, call, &mut bad).await;
        next_one_works(&case, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
}

#[tokio::test(start_paused = true)]
async fn what_ran_runs_again_when_any_single_answer_gets_lost() {
    let (golden, mut bad) = (golden().await, Complaints::default());
    for (n, call) in golden
        .iter()
        .enumerate()
        .filter(|(_, call)| call.method.may_lose_its_answer())
    {
        let case = Case::new(sample::world());
        case.world.faults.on_call(n + 1).loses_its_answer();
        let told = case.world.backup().await;
        check(&case, &told, call, &mut bad).await;
        next_one_works(&case, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
}

#[tokio::test(start_paused = true)]
async fn what_ran_runs_again_when_the_run_is_interrupted_at_any_call() {
    let (golden, mut bad) = (golden().await, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let case = Case::new(sample::world());
        let interrupt = case.world.interrupt();
        case.world.faults.on_call(n + 1).meets(move || interrupt.cancel());
        let told = case.world.backup().await;
        let exit = told.exit();
        bad.unless(matches!(exit, Exit::Ok | Exit::Interrupted), call, || {
            format!("ends with {exit:?}: {}", told.words())
        });
        case.always(&told, call, &LEFT, &mut bad);
        bad.unless(case.down().is_empty(), call, || {
            format!("{:?} did not come back", case.down())
        });
        bad.unless(case.world.claim(PLATFORM).is_none(), call, || "a claim is left".into());
        repository_is_honest(&case, &told, call, &mut bad).await;
        next_one_works(&case, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
}

/// A world in which the process died at the `n`-th call of a backup, before or after it was made.
async fn died_at(n: usize, after: bool) -> Case {
    let case = Case::new(sample::world());
    let rule = case.world.faults.on_call(n);
    if after {
        rule.kills_after();
    } else {
        rule.kills();
    }
    assert!(case.world.faults.live(case.world.backup()).await.is_none(), "it lives");
    case.world.faults.reset();
    case
}

fn deaths(golden: &[Call]) -> impl Iterator<Item = (usize, bool, &Call)> {
    let both = |(n, call): (usize, _)| [(n + 1, false, call), (n + 1, true, call)];
    golden.iter().enumerate().flat_map(both)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_at_any_call_is_healed_by_the_next() {
    let (golden, mut bad) = (golden().await, Complaints::default());
    for (n, after, call) in deaths(&golden) {
        let case = died_at(n, after).await;
        next_one_works_after_death(&case, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_host_died_at_any_call_is_healed_by_the_next() {
    let (golden, mut bad) = (golden().await, Complaints::default());
    for (n, after, call) in deaths(&golden) {
        let case = died_at(n, after).await;
        if case.world.claim(PLATFORM).is_none() {
            continue;
        }
        case.world.reboot();
        next_one_works_after_death(&case, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
}

async fn next_one_works_after_death(case: &Case, call: &Call, bad: &mut Complaints) {
    case.world.wait_a_minute().await;
    let told = case.world.backup().await;
    bad.unless(told.exit() == Exit::Ok, call, || {
        format!("the next backup: {}", told.words())
    });
    // A reboot ends what is removed when it ends, and the engine's restart thaws what was paused.
    let down: Vec<String> = case
        .down()
        .into_iter()
        .filter(|id| !["cron", "job"].contains(&id.as_str()))
        .collect();
    bad.unless(down.is_empty(), call, || format!("{down:?} did not come back"));
    bad.unless(case.world.claim(PLATFORM).is_none(), call, || "a claim is left".into());
}
