//! Which backups stand on a page. Pure.

use jiff::tz::TimeZone;

use super::Shelf;
use crate::wire::backups::{BackupLine, BackupStanding, BackupsPage, BackupsWanted, Show, Sort};

/// So many stand on a page, unless others are wanted.
const LIMIT: usize = 25;

/// So many at most.
const MOST: usize = 200;

/// Filters, sorts and pages.
pub(crate) fn page(shelf: &Shelf, wanted: &BackupsWanted, zone: &TimeZone) -> BackupsPage {
    let lines = shelf.lines();
    let counted = lines.iter().filter(|line| line.standing == BackupStanding::Complete);
    let complete = counted.count();
    let bytes = lines.iter().map(|line| line.bytes).sum();
    let mut lines: Vec<BackupLine> = lines.into_iter().filter(|line| is_wanted(line, wanted, zone)).collect();
    lines.sort_by_key(|line| (key(line, wanted.sort), line.id));
    if !wanted.rising {
        lines.reverse();
    }
    let limit = wanted.limit.unwrap_or(LIMIT).clamp(1, MOST);
    let found = lines.len();
    let pages = found.div_ceil(limit).max(1);
    let page = wanted.page.unwrap_or(1).clamp(1, pages);
    BackupsPage {
        place: shelf.list.place.clone(),
        complete,
        bytes,
        found,
        page,
        pages,
        backups: lines.into_iter().skip((page - 1) * limit).take(limit).collect(),
    }
}

fn key(line: &BackupLine, sort: Sort) -> u64 {
    match sort {
        // The id says it.
        Sort::Age => 0,
        Sort::Size => line.bytes,
        Sort::Duration => line.millis.unwrap_or(0),
        Sort::Downtime => line.down_millis.unwrap_or(0),
    }
}

fn is_wanted(line: &BackupLine, wanted: &BackupsWanted, zone: &TimeZone) -> bool {
    let is_sound = line.verified.is_some_and(|verified| verified.sound);
    let is_of_sort = match wanted.show {
        Show::All => true,
        Show::Complete => line.standing == BackupStanding::Complete,
        Show::Verified => is_sound,
        Show::Unverified => line.standing == BackupStanding::Complete && line.verified.is_none(),
        Show::Protected => line.protected,
        Show::Trouble => line.lacks > 0 || !matches!(line.standing, BackupStanding::Complete | BackupStanding::Safety),
    };
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let is_of_day = given(&wanted.day).is_none_or(|day| {
        let date = line.id.timestamp().to_zoned(zone.clone()).date();
        date.to_string() == day
    });
    let holds = given(&wanted.store).is_none_or(|store| line.stores.iter().any(|held| held.as_str() == store));
    is_of_sort && is_of_day && holds
}
