//! What is wrong with how backups are made, watched and left alone.

use super::{Beside, Boot, Check, Found, PlatformFacts};
use crate::engine::keep::{image_name, is_own};
use crate::findings::Finding;
use crate::names::Address;
use crate::ports::Neighbour;
use crate::workload::Workload;

const BACKUP_JOB: &str = "backup_job";

/// What the names of images have in them that make backups of volumes or databases by themselves.
const BACKUP_TOOLS: [&str; 22] = [
    "autorestic",
    "backrest",
    "barman",
    "borgmatic",
    "databasus",
    "db-backup",
    "docker-volume-backup",
    "duplicacy",
    "duplicati",
    "kopia",
    "mysql-backup",
    "pg-backup",
    "pg_back",
    "pgbackrest",
    "pgbackup",
    "pgbackweb",
    "postgres-backup",
    "resticker",
    "restic",
    "urbackup",
    "velero",
    "volume-backup",
];

pub(super) fn look(found: &mut Found, platform: Option<&PlatformFacts>, beside: &Beside) {
    schedules(found, beside);
    for meeting in &beside.meetings {
        found.warn(Check::JobsMeet, None, meeting.clone());
    }
    if let Some(platform) = platform {
        others(found, platform);
    }
    boot(found, platform, beside);
    told(found, beside);
    for job in beside.prunes.iter().flatten() {
        let what = format!(
            "{} runs `{}`: it removes what a backup has stopped",
            job.place, job.command
        );
        found.warn(Check::PruneJob, None, what);
    }
}

fn schedules(found: &mut Found, beside: &Beside) {
    let has_timer = beside.boot.is_some_and(|boot| boot.timer);
    match beside.schedules.iter().find(|schedule| schedule.job == BACKUP_JOB) {
        None if !has_timer => found.warn(Check::NoSchedule, None, "no schedule makes backups"),
        Some(schedule) if !schedule.on => {
            let by = schedule
                .switched_by
                .as_ref()
                .map_or_else(String::new, |by| format!(" by {by}"));
            let finding = Finding::warns(format!("the schedule of backup_job was switched off{by}"));
            found.add(
                Check::NoSchedule,
                None,
                finding.with("`stillpoint schedules on backup_job`"),
            );
        }
        Some(schedule) if !schedule.heeded && !has_timer => {
            found.warn(
                Check::NoSchedule,
                None,
                "no service has heeded the schedule of backup_job yet",
            );
        }
        _ => {}
    }
    for schedule in &beside.schedules {
        if let Some((since, why)) = &schedule.overdue {
            let what = format!("{} is overdue since {since}: {why}", schedule.job);
            found.warn(Check::Overdue, None, what);
        }
    }
    if beside.boot.is_some_and(|boot| boot.timer && boot.service) {
        let finding = Finding::warns(
            "stillpoint.service and stillpoint-backup.timer are both enabled: each makes its own backups",
        );
        let fix = "`systemctl disable --now stillpoint-backup.timer`: the service has a schedule";
        found.add(Check::JobsMeet, None, finding.with(fix));
    }
}

/// Another backup service: a workload, or a container that is in a network with a store.
fn others(found: &mut Found, platform: &PlatformFacts) {
    let plan = &platform.plan;
    let inside: Vec<&Workload> = plan.entries.iter().map(|entry| &entry.workload).collect();
    for workload in inside
        .iter()
        .filter(|workload| workload.state.is_up() && !is_own(workload))
    {
        if is_backup_tool(&workload.image, &workload.address.service) {
            let address = &workload.address;
            other(found, Some(address), &format!("{address} (image {})", workload.image));
        }
    }
    let stores: Vec<&Neighbour> = platform.around.iter().filter(|one| is_store(platform, one)).collect();
    for one in &platform.around {
        let is_inside = inside.iter().any(|workload| workload.id == one.id);
        let is_near = stores.iter().any(|store| store.meets(one));
        if !is_inside && is_near && image_name(&one.image) != "stillpoint" && is_backup_tool(&one.image, &one.container)
        {
            other(
                found,
                None,
                &format!("container {} (image {})", one.container, one.image),
            );
        }
    }
}

fn other(found: &mut Found, address: Option<&Address>, who: &str) {
    let what = format!("{who} looks like another backup service of this platform");
    found.warn(Check::OtherBackup, address, what);
}

fn is_store(platform: &PlatformFacts, one: &Neighbour) -> bool {
    let mut entries = platform.plan.entries.iter();
    entries.any(|entry| entry.store().is_some() && entry.workload.id == one.id)
}

fn is_backup_tool(image: &str, name: &str) -> bool {
    let image = image_name(image);
    BACKUP_TOOLS
        .iter()
        .any(|tool| image.contains(tool) || name.ends_with(tool))
}

/// A service in a container comes back by the engine.
fn boot(found: &mut Found, platform: Option<&PlatformFacts>, beside: &Beside) {
    let mut around = platform.into_iter().flat_map(|platform| &platform.around);
    let is_contained = around.any(|one| image_name(&one.image) == "stillpoint");
    let Some(Boot { service, recover, .. }) = beside.boot else {
        return;
    };
    if !service && !recover && !is_contained {
        found.warn(
            Check::BootUnit,
            None,
            "neither stillpoint.service nor stillpoint-recover.service begins when this host starts",
        );
    }
}

fn told(found: &mut Found, beside: &Beside) {
    let watches = beside.receivers.iter().any(|receiver| receiver.watches);
    if beside.receivers.is_empty() {
        found.warn(
            Check::NobodyTold,
            None,
            "neither a notice nor a heartbeat is configured",
        );
    } else if !watches {
        found.advise(Check::NoHeartbeat, None, "notices are configured, and no heartbeat");
    }
    for receiver in &beside.receivers {
        if let Some(why) = &receiver.failed {
            let what = format!("{} was not reached the last time: {why}", receiver.name);
            found.warn(Check::NotReached, None, what);
        }
    }
}
