//! The backups: a year at a glance, all of them in a table, and each of them.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect};
use jiff::civil::Date;
use serde::Deserialize;
use stillpoint_core::manifest::{StoreRecord, Watermarks};

use super::frame::{Frame, Page, shown};
use super::{charts, words};
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::backups::{
    BackupDetail, BackupLine, BackupStanding, BackupsPage, BackupsWanted, Flag, Month, Show, Sort, StoreChange,
};
use crate::wire::overview::{Day, DayState};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/backups", Role::Viewer, backups)
        .get("/backups/{backup}", Role::Viewer, backup)
        .post("/backups/{backup}/protection", Role::Operator, protection)
}

#[derive(Template)]
#[template(path = "backups.html")]
struct Backups<'a> {
    frame: &'a Frame,
    wanted: BackupsWanted,
    seen: BackupsPage,
    stores: Vec<String>,
    year: Vec<Day>,
}

impl Backups<'_> {
    fn complete(&self) -> String {
        words::counted(self.seen.complete, "complete backup", "complete backups")
    }

    fn found(&self) -> String {
        words::counted(self.seen.found, "entry", "entries")
    }

    fn calendar(&self) -> String {
        charts::calendar(&self.year)
    }

    fn legend(&self) -> Vec<(String, &'static str)> {
        let states = [
            DayState::Good,
            DayState::Trouble,
            DayState::Failed,
            DayState::Overdue,
            DayState::Idle,
        ];
        states.map(|state| (charts::sign(state), state.word())).into()
    }

    /// The year as a table: the newest month first, those alone that brought anything.
    fn months(&self) -> Vec<Month> {
        let mut months: BTreeMap<Date, Month> = BTreeMap::new();
        for day in self.year.iter().filter(|day| day.state != DayState::Idle) {
            let first = day.date.first_of_month();
            let month = months.entry(first).or_insert(Month {
                first,
                good: 0,
                trouble: 0,
                failed: 0,
                overdue: 0,
            });
            match day.state {
                DayState::Good => month.good += 1,
                DayState::Trouble => month.trouble += 1,
                DayState::Failed => month.failed += 1,
                DayState::Overdue => month.overdue += 1,
                DayState::Idle => {}
            }
        }
        months.into_values().rev().collect()
    }

    fn sorts(&self) -> [(Sort, &'static str, &'static str); 4] {
        [
            (Sort::Age, "age", "Age"),
            (Sort::Duration, "duration", "Took"),
            (Sort::Downtime, "downtime", "Down"),
            (Sort::Size, "size", "Size"),
        ]
    }

    fn shows(&self) -> [(Show, &'static str, &'static str); 6] {
        [
            (Show::All, "all", "all"),
            (Show::Complete, "complete", "complete"),
            (Show::Verified, "verified", "verified"),
            (Show::Unverified, "unverified", "not verified"),
            (Show::Protected, "protected", "protected"),
            (Show::Trouble, "trouble", "with trouble"),
        ]
    }

    /// The address of this table, sorted otherwise: a second time the other way round.
    fn sorted(&self, sort: &Sort) -> String {
        let turned = self.wanted.sort == *sort && !self.wanted.rising;
        self.with(*sort, turned, 1)
    }

    /// The address of another page of this table.
    fn at(&self, page: &usize) -> String {
        self.with(self.wanted.sort, self.wanted.rising, *page)
    }

    fn with(&self, sort: Sort, rising: bool, page: usize) -> String {
        let wanted = BackupsWanted {
            sort,
            rising,
            page: Some(page),
            ..self.wanted.clone()
        };
        let query = serde_urlencoded::to_string(wanted).unwrap_or_default();
        format!("/backups?{query}")
    }

    fn is_sorted(&self, sort: &Sort) -> Option<&'static str> {
        let by_it = self.wanted.sort == *sort;
        by_it.then_some(if self.wanted.rising { "ascending" } else { "descending" })
    }

    fn is_filtered(&self) -> bool {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        self.wanted.show != Show::All || given(&self.wanted.day) || given(&self.wanted.store)
    }

    fn class(&self, line: &BackupLine) -> &'static str {
        standing_class(line.standing)
    }
}

/// The class of its colour, which is its icon's name too.
fn standing_class(standing: BackupStanding) -> &'static str {
    match standing {
        BackupStanding::Complete => "ok",
        BackupStanding::Damaged | BackupStanding::Unreadable => "bad",
        BackupStanding::Partial => "warn",
        BackupStanding::Safety | BackupStanding::Incomplete => "idle",
    }
}

async fn backups(State(app): State<App>, Query(wanted): Query<BackupsWanted>, frame: Frame) -> Page {
    let (shelf, seen) = match crate::backups::wanted(&app, &wanted).await {
        Ok(seen) => seen,
        Err(problem) => return Err(frame.refused(problem)),
    };
    // A calendar without what is overdue is better than none.
    let schedules = app.platform.schedules().await.unwrap_or_default();
    let overdue = schedules.into_iter().find(|schedule| schedule.job == "backup_job");
    let newest = shelf.list.backups.last();
    let stores = newest.iter().flat_map(|backup| &backup.manifest.stores);
    Ok(shown(&Backups {
        frame: &frame,
        stores: stores.map(|store| store.name.to_string()).collect(),
        year: shelf.year(&app, overdue.and_then(|schedule| schedule.overdue_since)),
        wanted,
        seen,
    }))
}

#[derive(Template)]
#[template(path = "backup.html")]
struct Backup<'a> {
    frame: &'a Frame,
    seen: BackupDetail,
    place: String,
}

impl Backup<'_> {
    fn class(&self) -> &'static str {
        standing_class(self.seen.line.standing)
    }

    fn change(&self, store: &StoreRecord) -> Option<&StoreChange> {
        self.seen.changes.iter().find(|change| change.store == store.name)
    }

    fn flag_class(&self, flag: &Flag) -> &'static str {
        match flag {
            Flag::Zero => "bad",
            Flag::Shrunk | Flag::Grown => "warn",
        }
    }

    /// The marks that moved; none: nothing was written.
    fn moved(&self, marks: &Watermarks) -> Vec<(String, u64, u64)> {
        let moved = marks.before.differences(&marks.after);
        moved
            .map(|(name, before, after)| (name.to_owned(), before, after))
            .collect()
    }

    fn may_operate(&self) -> bool {
        self.frame.who.role >= Role::Operator
    }

    fn may_restore(&self) -> bool {
        self.frame.who.role >= Role::Admin && self.seen.line.standing != BackupStanding::Safety
    }
}

async fn backup(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Page {
    match crate::backups::detail(&app, &id).await {
        Ok(seen) => Ok(shown(&Backup {
            frame: &frame,
            place: app.platform.service().site.repository,
            seen,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

#[derive(Deserialize)]
struct Protection {
    on: bool,
}

async fn protection(
    State(app): State<App>,
    Path(id): Path<String>,
    frame: Frame,
    Form(wanted): Form<Protection>,
) -> Page {
    match crate::api::backups::set_protection(&app, &id, wanted.on, &frame.who).await {
        Ok(()) => Ok(Redirect::to(&format!("/backups/{id}")).into_response()),
        Err(problem) => Err(frame.refused(problem)),
    }
}
