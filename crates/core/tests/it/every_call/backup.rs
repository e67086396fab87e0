//! What holds after a backup whose process lives on, whatever call of it failed.

use super::*;

pub(super) async fn check<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, bad: &mut Complaints) {
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

pub(super) async fn repository_is_honest<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, bad: &mut Complaints) {
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
        bad.unless(verified.is_ok_and(|damage| damage.is_empty()), call, || {
            format!("{id} is damaged")
        });
    }
    let partial = keys.iter().any(|key| key.ends_with("manifest.partial.json"));
    let describes = clients_down(told) == 0 || told.outcome.is_ok() || partial;
    bad.unless(describes || sealed_after_all, call, || {
        "what it left is not described".into()
    });
}
