//! What is wrong with the backups that there are.

use super::{Check, Found, Known, PlatformFacts, RepositoryFacts};
use crate::backups::Verified;
use crate::findings::Finding;
use crate::manifest::Manifest;
use crate::names::StoreName;

/// So many digits of an image's id tell it from another.
const SHORT: usize = 12;

pub(super) fn look(found: &mut Found, facts: &RepositoryFacts, platform: Option<&PlatformFacts>) {
    let Some(known) = &facts.backups else { return };
    for (id, why) in &known.unreadable {
        found.warn(Check::Damaged, None, format!("backup {id} cannot be used: {why}"));
    }
    let Some(newest) = known.newest() else {
        found.warn(
            Check::NoBackup,
            None,
            format!("{} holds no complete backup", facts.place),
        );
        return;
    };
    read_back(found, newest, known);
    if let Some(platform) = platform {
        compare(found, newest, platform);
    }
}

fn read_back(found: &mut Found, newest: &Manifest, known: &Known) {
    let is_sound = |verified: &Option<Verified>| verified.map(|verified| verified.sound);
    let verified = known.complete.last().and_then(|(_, verified)| is_sound(verified));
    if verified == Some(false) {
        let mut older = known.complete.iter().rev();
        let sound = older.find(|(_, verified)| is_sound(verified) == Some(true));
        let sound = match sound {
            Some((sound, _)) => format!("the newest that was found whole is {}", sound.id),
            None => "none of the others was read".to_owned(),
        };
        let what = format!("the newest backup, {}, was read and found damaged; {sound}", newest.id);
        found.add(Check::Damaged, None, Finding::refuses(what, Check::Damaged.fix()));
    } else if known.complete.iter().all(|(_, verified)| verified.is_none()) {
        let what = match known.complete.len() {
            1 => format!("the only backup, {}, was never read back", newest.id),
            count => format!("none of {count} backups was ever read back"),
        };
        found.advise(Check::Unverified, None, what);
    }
}

/// What is there now, against what was there then.
fn compare(found: &mut Found, newest: &Manifest, platform: &PlatformFacts) {
    for why in &platform.unrestorable {
        found.add(Check::Restore, None, why.clone());
    }
    for told in &platform.altered {
        found.advise(Check::Restore, None, told.clone());
    }
    for entry in &platform.plan.entries {
        let Some(name) = entry.store() else { continue };
        let (address, id) = (&entry.workload.address, newest.id);
        let Some(record) = newest.stores.iter().find(|record| record.name == *name) else {
            found.warn(
                Check::Incomplete,
                Some(address),
                format!("{name} is not in the newest backup, {id}"),
            );
            continue;
        };
        let version = platform
            .versions
            .get(name)
            .filter(|version| **version != record.version);
        let mut workloads = newest.workloads.iter();
        let then = workloads.find(|then| then.address == *address && !then.image_id.is_empty());
        let image = then.filter(|then| then.image_id != entry.workload.image_id);
        if let Some(version) = version {
            let what = format!(
                "{name} is of version {version}; in the newest backup, {id}, it is {}",
                record.version
            );
            found.warn(Check::Changed, Some(address), what);
        } else if let Some(then) = image {
            let what = format!(
                "{name} runs image {} of {}; when {id} was made it was {}",
                short(&entry.workload.image_id),
                entry.workload.image,
                short(&then.image_id)
            );
            found.advise(Check::Changed, Some(address), what);
        }
    }
    let is_here = |name: &StoreName| platform.plan.entries.iter().any(|entry| entry.store() == Some(name));
    for record in newest.stores.iter().filter(|record| !is_here(&record.name)) {
        let what = format!(
            "{} is in the newest backup, {}, and is no store of the platform now",
            record.name, newest.id
        );
        found.warn(Check::Incomplete, None, what);
    }
}

fn short(image: &str) -> &str {
    let digits = image.strip_prefix("sha256:").unwrap_or(image);
    digits.get(..SHORT).unwrap_or(digits)
}
