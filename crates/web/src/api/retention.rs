//! What retention lets go and keeps, now and with other numbers. Nothing is deleted here.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::names::BackupId;
use stillpoint_core::retention::{self, Entry, Fate, Periods, Policy, Reason, Standing, Verdict};

use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::{Problem, Setting};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/api/v1/retention", Role::Viewer, retention)
}

/// Other numbers than those that are configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Numbers {
    /// So many days.
    days: Option<String>,
    /// So many backups.
    minimum: Option<String>,
    /// One each of so many days.
    daily: Option<String>,
    /// One each of so many weeks.
    weekly: Option<String>,
    /// One each of so many months.
    monthly: Option<String>,
    /// One each of so many years.
    yearly: Option<String>,
}

/// What becomes of a repository.
#[derive(Serialize)]
pub(crate) struct Retention {
    /// The numbers that are configured.
    pub(crate) configured: Policy,
    /// The numbers with which this was found out.
    pub(crate) policy: Policy,
    /// One for each directory, the newest first.
    pub(crate) directories: Vec<Directory>,
    /// Directories that look like backups and are not ours: never touched.
    pub(crate) foreign: Vec<BackupId>,
}

/// What becomes of one directory.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of it")]
pub(crate) struct Directory {
    /// Its name.
    pub(crate) id: BackupId,
    /// What it is: `complete`, `failed run`.
    pub(crate) standing: String,
    /// It goes when retention is applied next.
    pub(crate) goes: bool,
    /// Why.
    pub(crate) reason: String,
    /// It is a complete backup.
    pub(crate) complete: bool,
    /// Its operator or the product has taken it out of retention.
    pub(crate) exempt: bool,
    /// With the numbers that are configured it would be otherwise.
    pub(crate) changed: bool,
}

impl Retention {
    /// Whether other numbers were tried.
    pub(crate) fn is_simulated(&self) -> bool {
        self.policy != self.configured
    }

    /// The days, weeks, months and years of which one backup each stays: "3 days, 4 weeks"; empty if none.
    pub(crate) fn one_each_of(&self) -> String {
        let Periods {
            daily,
            weekly,
            monthly,
            yearly,
        } = self.policy.periods;
        let all = [(daily, "day"), (weekly, "week"), (monthly, "month"), (yearly, "year")];
        let said = all.into_iter().filter(|(number, _)| *number > 0);
        let said = said.map(|(number, unit)| format!("{number} {unit}{}", if number == 1 { "" } else { "s" }));
        said.collect::<Vec<_>>().join(", ")
    }

    /// What goes.
    pub(crate) fn going(&self) -> usize {
        self.directories.iter().filter(|directory| directory.goes).count()
    }

    /// What stays.
    pub(crate) fn staying(&self) -> usize {
        self.directories.len() - self.going()
    }
}

async fn retention(State(app): State<App>, Query(numbers): Query<Numbers>) -> Result<Json<Retention>, Problem> {
    simulated(&app, &numbers).await.map(Json)
}

/// What becomes of the repository with these numbers.
pub(crate) async fn simulated(app: &App, numbers: &Numbers) -> Result<Retention, Problem> {
    let configured = configured(&app.platform.settings());
    let policy = Policy {
        days: number(numbers.days.as_deref(), configured.days)?,
        minimum: number(numbers.minimum.as_deref(), configured.minimum)?,
        periods: Periods {
            daily: number(numbers.daily.as_deref(), configured.periods.daily)?,
            weekly: number(numbers.weekly.as_deref(), configured.periods.weekly)?,
            monthly: number(numbers.monthly.as_deref(), configured.periods.monthly)?,
            yearly: number(numbers.yearly.as_deref(), configured.periods.yearly)?,
        },
    };
    let found = app.platform.retention().await?;
    let entries: Vec<Entry> = found.plan.verdicts.iter().map(entry).collect();
    let plan = retention::plan(&entries, &policy, app.platform.now());
    let verdicts = plan.verdicts.iter().rev();
    Ok(Retention {
        directories: verdicts.map(|verdict| directory(verdict, &found)).collect(),
        configured,
        policy,
        foreign: found.foreign,
    })
}

/// What a form leaves empty is as configured.
fn number(text: Option<&str>, configured: u32) -> Result<u32, Problem> {
    match text.map(str::trim) {
        None | Some("") => Ok(configured),
        Some(text) => text.parse().map_err(|_| {
            Problem::unusable(
                format!("`{text}` is no number of days, backups, weeks, months or years"),
                "write a whole number, 0 or more",
            )
        }),
    }
}

/// The numbers that are configured.
fn configured(settings: &[Setting]) -> Policy {
    let usual = Policy::default();
    let number = |variable: &str, usual: u32| {
        let setting = settings.iter().find(|setting| setting.variable == variable);
        let text = setting.and_then(|setting| setting.value.as_deref());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(usual)
    };
    Policy {
        days: number("BACKUP_RETENTION_DAYS", usual.days),
        minimum: number("BACKUP_MINIMUM_KEEP", usual.minimum),
        periods: Periods {
            daily: number("BACKUP_KEEP_DAILY", usual.periods.daily),
            weekly: number("BACKUP_KEEP_WEEKLY", usual.periods.weekly),
            monthly: number("BACKUP_KEEP_MONTHLY", usual.periods.monthly),
            yearly: number("BACKUP_KEEP_YEARLY", usual.periods.yearly),
        },
    }
}

/// A directory as it was found. Whatever its deletion had begun of counts as nothing else.
fn entry(verdict: &Verdict) -> Entry {
    Entry {
        id: verdict.id,
        standing: verdict.standing,
        exempt: match verdict.reason {
            Reason::Exempt { by } => Some(by),
            _ => None,
        },
    }
}

fn directory(verdict: &Verdict, found: &Pruned) -> Directory {
    let now = found.plan.verdicts.iter().find(|now| now.id == verdict.id);
    Directory {
        id: verdict.id,
        standing: verdict.standing.to_string(),
        goes: verdict.fate == Fate::Goes,
        reason: verdict.reason.to_string(),
        complete: verdict.standing == Standing::Complete,
        exempt: matches!(verdict.reason, Reason::Exempt { .. }),
        changed: now.is_some_and(|now| now.fate != verdict.fate),
    }
}
