//! What holds after a restore whose process lives on, whatever call of it failed.

use super::*;

/// What a restore leaves alone: what is paused is stopped too, and paused again.
pub(super) const LEFT: [&str; 5] = ["backup-agent", "job", "migrate", "seaweedfs-s3", "worker"];

pub(super) fn is_the_backup_s(world: &World) -> bool {
    rows(&sample::world()) == rows(world)
}

/// How many rows each table of each store has.
pub(super) fn rows(world: &World) -> Vec<(String, BTreeMap<String, u64>)> {
    let data = world.data().into_iter();
    data.map(|(store, data)| (store, data.rows)).collect()
}

/// Either everything is as it was, with the old data or the new; or everything managed is down
/// and the claim says what is to run again. Nothing else.
pub(super) fn all_or_nothing<T: Degrades>(case: &Case, told: &Told<T>, call: &Call, done: bool, bad: &mut Complaints) {
    case.always(told, call, &LEFT, bad);
    let claim = case.world.claim(PLATFORM);
    if told.exit() == Exit::StoppedOnPurpose {
        bad.unless(claim.is_some_and(|claim| claim.job.replaces_data()), call, || {
            "no claim".into()
        });
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
        done
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
