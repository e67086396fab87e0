//! What is wrong with the engine, and with what runs on it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Beside, Check, Found, PastBackup, PlatformFacts, refused_by};
use crate::engine::keep;
use crate::engine::one_shots::{OneShot, one_shot};
use crate::engine::plan::{Action, Entry, Plan, Role};
use crate::findings::Finding;
use crate::names::Address;
use crate::ports::{EngineVersion, Lost};
use crate::workload::{State, Workload};

/// The oldest that is tested.
const OLDEST_ENGINE: (u32, u32) = (20, 10);

/// From then on a first check makes a start slow.
const SLOW_CHECK: Duration = Duration::from_secs(20);

/// Whether the engine is new enough; one whose version is no number is somebody's own.
pub(super) fn engine(engine: &EngineVersion) -> Option<(Check, Finding)> {
    let mut numbers = engine.version.split('.').map(|part| part.parse::<u32>().ok());
    let version = (numbers.next()??, numbers.next()??);
    let (major, minor) = OLDEST_ENGINE;
    (version < OLDEST_ENGINE).then(|| {
        let what = format!(
            "the engine is of version {}; nothing older than {major}.{minor} is tested",
            engine.version
        );
        (Check::EngineVersion, Finding::warns(what))
    })
}

pub(super) fn look(found: &mut Found, platform: &PlatformFacts, beside: &Beside) {
    let plan = &platform.plan;
    if let Some(left) = &platform.left {
        found.add(Check::UnfinishedRun, None, left.clone());
    }
    // What a run at work or one that was broken off has stopped is no news.
    let is_settled = platform.at_work.is_none() && platform.left.is_none();
    for reason in &platform.refusals {
        if is_settled || !matches!(refused_by(reason), Check::Store | Check::CannotStart) {
            found.add(refused_by(reason), None, Finding::from(reason));
        }
    }
    for (store, told) in &platform.told {
        found.warn(Check::StoreNote, address_of(plan, store.as_str()), told.clone());
    }
    if is_settled {
        not_back(found, platform);
        lost(found, platform);
        policies(found, plan);
    }
    past(found, platform, &beside.runs);
    health(found, plan);
    left_out(found, plan);
    for remark in &plan.remarks {
        found.warn(Check::CutOff, None, remark.clone());
    }
}

fn address_of<'a>(plan: &'a Plan, store: &str) -> Option<&'a Address> {
    let mut entries = plan.entries.iter();
    let is_it = |entry: &&Entry| entry.store().is_some_and(|name| name.as_str() == store);
    entries.find(is_it).map(|entry| &entry.workload.address)
}

/// What earlier runs did not bring back: removed since, or not started.
fn not_back(found: &mut Found, platform: &PlatformFacts) {
    for missing in &platform.missing {
        found.warn(Check::NotBack, Some(&missing.workload), missing.to_string());
    }
}

fn lost(found: &mut Found, platform: &PlatformFacts) {
    for entry in &platform.plan.entries {
        let Workload { id, address, state, .. } = &entry.workload;
        for lost in platform.lost.get(id).into_iter().flatten() {
            let finding = match (lost, state.is_up()) {
                (Lost::Network(name), true) => Finding::refuses(
                    format!(
                        "{address} was made with network {name}, which was removed: once stopped it could not be started again"
                    ),
                    Check::CannotStart.fix(),
                ),
                (Lost::Network(name), false) => Finding::warns(format!(
                    "{address} is {state} and could not be started: its network {name} was removed"
                )),
                (Lost::Image(name), _) => Finding::warns(format!(
                    "the image of {address} ({name}) was removed: the container starts, but could not be made again"
                ))
                .with("pull or build the image before something recreates the container"),
            };
            found.add(Check::CannotStart, Some(address), finding);
        }
    }
}

/// What runs and would stay down after a reboot. Jobs that run once end anyhow.
fn policies(found: &mut Found, plan: &Plan) {
    let all: Vec<Workload> = plan.entries.iter().map(|entry| entry.workload.clone()).collect();
    for entry in &plan.entries {
        let workload = &entry.workload;
        let policy = workload.restart.name.as_str();
        let comes_back = !matches!(policy, "no" | "on-failure");
        let is_ours = keep::is_own(workload);
        if workload.state != State::Running || workload.auto_remove || comes_back || is_ours {
            continue;
        }
        let address = &workload.address;
        let what = format!("{address} runs with restart policy `{policy}`: it does not come back when the host starts");
        match one_shot(workload, &all) {
            _ if entry.store().is_some() => found.warn(Check::RestartPolicy, Some(address), what),
            Some(OneShot::Surely) => {}
            Some(OneShot::Perhaps) => {
                let what = format!("{what}, unless it is a job that runs once");
                found.advise(Check::RestartPolicy, Some(address), what);
            }
            None => found.warn(Check::RestartPolicy, Some(address), what),
        }
    }
}

/// What the last backup that touched a container says of it; earlier ones only say how often.
fn past(found: &mut Found, platform: &PlatformFacts, runs: &[PastBackup]) {
    let plan = &platform.plan;
    // Of each that was stopped: how often it was killed, and whether all the time since.
    let mut killed: BTreeMap<&Address, (usize, bool)> = BTreeMap::new();
    for (address, was_killed) in runs.iter().flat_map(|run| &run.stopped) {
        let (times, always) = killed.entry(address).or_insert((0, true));
        *always &= *was_killed;
        *times += usize::from(*always);
    }
    for (address, (times, _)) in killed.into_iter().filter(|(_, (times, _))| *times > 0) {
        let Some(entry) = plan.entries.iter().find(|entry| entry.workload.address == *address) else {
            continue;
        };
        let last = match times {
            1 => "in the last backup".to_owned(),
            times => format!("in each of the last {times} backups"),
        };
        let what = format!(
            "{address} did not end within its grace of {} s and was killed, {last}",
            entry.grace().as_secs()
        );
        found.warn(Check::IgnoresStop, Some(address), what);
    }
    let Some(newest) = runs.first() else { return };
    let is_missing = |address: &Address| platform.missing.iter().any(|missing| missing.workload == *address);
    for (address, cause) in &newest.degraded {
        let is_there = plan.entries.iter().any(|entry| entry.workload.address == *address);
        if is_there && !is_missing(address) {
            let what = format!(
                "{address} did not come back as it was after run {}: {cause}",
                newest.called
            );
            found.warn(Check::SlowBack, Some(address), what);
        }
    }
}

fn health(found: &mut Found, plan: &Plan) {
    for entry in &plan.entries {
        let (Action::Stop(_), Some(first)) = (entry.action, entry.workload.health_first) else {
            continue;
        };
        if first >= SLOW_CHECK {
            let address = &entry.workload.address;
            let what = format!(
                "the health of {address} is first checked {} s after a start: after each backup it is not healthy before that",
                first.as_secs()
            );
            found.advise(Check::SlowHealth, Some(address), what);
        }
    }
}

fn left_out(found: &mut Found, plan: &Plan) {
    for told in plan.not_held() {
        found.warn(Check::UnknownDatabase, None, told);
    }
    let data = plan.entries.iter().filter(|entry| entry.role == Role::Client);
    for entry in data {
        let address = &entry.workload.address;
        for one in entry.left_out.iter().flatten().filter(|one| one.at.is_some()) {
            let size = one
                .bytes
                .map_or_else(String::new, |bytes| format!(", {}", crate::words::bytes(bytes)));
            found.advise(
                Check::LeftOut,
                Some(address),
                format!("{one}, of {address}{size}, is in no backup"),
            );
        }
    }
}
