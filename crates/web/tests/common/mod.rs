//! A platform that exists nowhere, with a repository and a history, as the pages see it. It remembers what it is told.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::match_bool,
    reason = "a fixture: not every test needs all of it, and what it is made of is right or a test fails"
)]

mod content;
mod doctor;
mod maintenance;
mod notices;
mod plan;
mod runs;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::engine::keep::Keep;
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::engine::prune::Pruned;
use stillpoint_core::engine::restore::{HeldLogin, Origin, Rehearsed, Replaced};
use stillpoint_core::manifest::{Manifest, Mode};
use stillpoint_core::names::{Address, BackupId, Project, RunId, StoreKind, StoreName};
use stillpoint_core::operations::{BackupList, Restore};
use stillpoint_core::ports::history::{Fact, FactFilter, RunRecord, RunState};
use stillpoint_core::ports::journal::{Loaded, OpenRun, Phase};
use stillpoint_core::ports::power::{Intent, Job};
use stillpoint_core::retention::{self, Entry, Exempt, Policy, Standing as Found};
use stillpoint_web::auth::Who;
use stillpoint_web::metrics::Metrics;
use stillpoint_web::platform::Platform;
use stillpoint_web::wire::notices::{Notices, Tried};
use stillpoint_web::wire::{
    Change, ForeignWindow, Overlap, Problem, RunsWanted, Schedule, Service, Setting, Site, Standing, Submission,
    Timetable, Told,
};
use tokio::sync::mpsc::{Receiver, channel};

pub use content::{id, newest};

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// All is well.
    Protected,
    /// A backup is at work, and a prune waits.
    Running,
    /// No backup has succeeded for three days.
    Overdue,
    /// The newest backup is damaged, one store is empty.
    AtRisk,
    /// A restore is at work.
    Restoring,
    /// A restore has failed and left the platform stopped.
    Stopped,
    /// A restore has succeeded, and what it replaced is kept.
    Undoable,
    /// There is no backup, and nothing has ever run.
    Empty,
    /// The repository does not answer.
    Unreachable,
    /// Names are made to break pages.
    Hostile,
    /// The repository is a directory of this host.
    Local,
    /// The schedule is switched off.
    Off,
}

impl Scenario {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 12] = [
        ("protected", Self::Protected),
        ("running", Self::Running),
        ("overdue", Self::Overdue),
        ("at-risk", Self::AtRisk),
        ("restoring", Self::Restoring),
        ("stopped", Self::Stopped),
        ("undoable", Self::Undoable),
        ("empty", Self::Empty),
        ("unreachable", Self::Unreachable),
        ("hostile", Self::Hostile),
        ("local", Self::Local),
        ("off", Self::Off),
    ];
}

/// The moment at which all of it stands.
pub fn now() -> Timestamp {
    "2026-03-14T07:12:04Z".parse().unwrap()
}

/// The platform, and what it was told.
pub struct Fake {
    scenario: Scenario,
    told: Mutex<Vec<String>>,
    submitted: Mutex<Vec<RunRecord>>,
    now: Mutex<Timestamp>,
    /// So many artifacts are all that is told of any run.
    artifacts: Mutex<Option<u64>>,
}

impl Fake {
    /// In this scenario.
    pub fn new(scenario: Scenario) -> Arc<Self> {
        Arc::new(Self {
            scenario,
            told: Mutex::default(),
            submitted: Mutex::default(),
            now: Mutex::new(now()),
            artifacts: Mutex::default(),
        })
    }

    /// What it was told, in order.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// From now on so many artifacts are all that is told of any run.
    pub fn many_facts(&self, artifacts: u64) {
        *self.artifacts.lock().unwrap() = Some(artifacts);
    }

    /// A run that was submitted is over.
    pub fn end(&self, number: u64) {
        let mut submitted = self.submitted.lock().unwrap();
        for run in submitted.iter_mut().filter(|run| run.number == Some(number)) {
            run.state = RunState::Success;
            run.ended_at = Some(now());
        }
    }

    fn facts_of(&self, run: &RunRecord) -> Vec<Fact> {
        match *self.artifacts.lock().unwrap() {
            None => runs::facts(run),
            Some(count) => (1..=count).map(|seq| runs::artifact(run, seq)).collect(),
        }
    }

    /// Time passes.
    pub fn wait(&self, seconds: i64) {
        *self.now.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    fn note(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }

    fn all_runs(&self) -> Vec<RunRecord> {
        let mut all = self.submitted.lock().unwrap().clone();
        all.reverse();
        all.extend(runs::runs(self.scenario));
        all
    }

    fn answers(&self) -> Result<(), Problem> {
        if self.scenario != Scenario::Unreachable {
            return Ok(());
        }
        Err(Problem {
            title: "the repository s3://backups/acme at https://s3.example.net does not answer: connection refused"
                .to_owned(),
            hint: "look whether the object store runs, and whether `BACKUP_S3_ENDPOINT` is its address".to_owned(),
            status: 503,
            exit: 12,
        })
    }

    fn intent(&self) -> Intent {
        Intent {
            platform: Project::new("acme"),
            run: RunId::new("stopped"),
            job: Job::FullRestoreJob,
            backup: newest(self.scenario),
            host: "host7".to_owned(),
            process: 4711,
            since: now() - SignedDuration::from_mins(40),
            workloads: Vec::new(),
            no_way_back: false,
            passwords: stillpoint_core::logins::Passwords::default(),
            selection: stillpoint_core::selection::Selection::default(),
            guest_of: None,
        }
    }
}

#[async_trait]
impl Platform for Fake {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get("Europe/Zurich").unwrap()
    }

    fn service(&self) -> Service {
        let local = self.scenario == Scenario::Local;
        Service {
            version: "0.9.0".to_owned(),
            process: 4711,
            host: "host7".to_owned(),
            since: now() - SignedDuration::from_hours(77),
            site: Site {
                platform: Some(Project::new("acme")),
                repository: match local {
                    true => "/var/lib/stillpoint/repository".to_owned(),
                    false => "s3://backups/acme at https://s3.example.net".to_owned(),
                },
                engine: "unix:///var/run/docker.sock".to_owned(),
            },
        }
    }

    fn settings(&self) -> Vec<Setting> {
        let setting =
            |key: &str, variable: &str, value: Option<&str>, origin: Option<&str>, default: Option<&str>| Setting {
                key: key.to_owned(),
                variable: variable.to_owned(),
                value: value.map(str::to_owned),
                origin: origin.map(str::to_owned),
                default: default.map(str::to_owned),
                about: Some("What it is for.".to_owned()),
            };
        vec![
            setting(
                "platform",
                "STILLPOINT_PLATFORM",
                Some("acme"),
                Some("environment"),
                None,
            ),
            setting(
                "retention.days",
                "BACKUP_RETENTION_DAYS",
                Some("45"),
                Some(".env.prod"),
                Some("7"),
            ),
            setting("retention.minimum", "BACKUP_MINIMUM_KEEP", None, None, Some("3")),
            setting(
                "repository.s3.endpoint",
                "BACKUP_S3_ENDPOINT",
                Some("https://s3.example.net"),
                Some("stillpoint.toml"),
                None,
            ),
            setting(
                "repository.s3.secret_access_key",
                "BACKUP_S3_SECRET_ACCESS_KEY",
                Some("(set)"),
                Some("file"),
                None,
            ),
        ]
    }

    async fn submit(&self, submission: Submission) -> RunRecord {
        let order = submission.order;
        self.note(format!("submit {}", serde_json::to_string(&order).unwrap()));
        let mut run = runs::runs(Scenario::Running).remove(0);
        let mut submitted = self.submitted.lock().unwrap();
        let number = 900 + submitted.len() as u64;
        run.number = Some(number);
        run.run = RunId::new(format!("submitted-{number}"));
        order.job().clone_into(&mut run.job);
        run.options = serde_json::to_value(&order).unwrap();
        run.asked = submission.asked;
        run.state = RunState::Queued;
        submitted.push(run.clone());
        run
    }

    async fn cancel(&self, run: &str) -> Option<RunRecord> {
        let mut found = self.run(run).await.ok()??;
        if found.state.is_over() {
            return None;
        }
        self.note(format!("cancel {run}"));
        found.state = RunState::Canceling;
        Some(found)
    }

    async fn runs(&self, wanted: RunsWanted) -> Result<Vec<RunRecord>, Problem> {
        let filter = wanted.filter();
        let mut runs = self.all_runs();
        runs.retain(|run| filter.has(run));
        runs.truncate(wanted.limit.unwrap_or(u32::MAX) as usize);
        Ok(runs)
    }

    async fn run(&self, name: &str) -> Result<Option<RunRecord>, Problem> {
        let is_it =
            |run: &RunRecord| run.run.as_str() == name || run.number.is_some_and(|number| number.to_string() == name);
        Ok(self.all_runs().into_iter().find(is_it))
    }

    async fn facts(&self, run: &RunRecord, after: u64, limit: u32) -> Result<Vec<Fact>, Problem> {
        let facts = self.facts_of(run).into_iter().filter(|fact| fact.seq > after);
        Ok(facts.take(limit as usize).collect())
    }

    async fn last_facts(&self, run: &RunRecord, wanted: FactFilter, limit: u32) -> Result<Vec<Fact>, Problem> {
        let mut facts = self.facts_of(run);
        facts.retain(|fact| wanted.has(fact));
        let beyond = facts.len().saturating_sub(limit as usize);
        Ok(facts.split_off(beyond))
    }

    fn watch(&self) -> Receiver<Change> {
        let open = self.all_runs().into_iter().filter(|run| !run.state.is_over());
        let changes: Vec<Change> = open.map(|run| Change::Run(Box::new(run))).collect();
        let (sender, receiver) = channel(changes.len() + 1);
        for change in changes {
            sender.try_send(change).unwrap();
        }
        receiver
    }

    fn listen(&self, _: &str, _: u64) -> Option<Receiver<Told>> {
        None
    }

    async fn backups(&self) -> Result<Arc<BackupList>, Problem> {
        self.answers()?;
        Ok(Arc::new(content::backups(self.scenario)))
    }

    async fn backup(&self, backup: BackupId) -> Result<Manifest, Problem> {
        let list = self.backups().await?;
        let found = list.backups.iter().find(|found| found.id == backup);
        found.map(|found| found.manifest.clone()).ok_or_else(|| Problem {
            title: format!("there is no backup {backup} in {}", list.place),
            hint: "`stillpoint backups ls` lists them".to_owned(),
            status: 404,
            exit: 10,
        })
    }

    async fn protect(&self, backup: BackupId, on: bool, who: &Who) -> Result<(), Problem> {
        self.backup(backup).await?;
        self.note(format!("protect {backup} {on} by {}", who.name));
        Ok(())
    }

    async fn retention(&self) -> Result<Pruned, Problem> {
        let list = self.backups().await?;
        let entries = list.backups.iter().map(|backup| Entry {
            id: backup.id,
            standing: match backup.verified {
                Some(verified) if !verified.sound => Found::FailedVerification,
                _ => Found::Complete,
            },
            exempt: backup.protected.then_some(Exempt::Protected),
        });
        let partial = list.partial.iter().map(|(id, _)| Entry {
            id: *id,
            standing: Found::Partial,
            exempt: None,
        });
        let entries: Vec<Entry> = entries.chain(partial).collect();
        Ok(Pruned {
            plan: retention::plan(
                &entries,
                &Policy {
                    days: 30,
                    ..Policy::default()
                },
                self.now(),
            ),
            gone: Vec::new(),
            left: Vec::new(),
            locked: Vec::new(),
            kept: None,
            foreign: Vec::new(),
        })
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, Problem> {
        let schedule = |job: &str, expression: &str, sentence: &str, next: &[&str]| Schedule {
            job: job.to_owned(),
            expression: expression.to_owned(),
            sentence: sentence.to_owned(),
            zone: Some("Europe/Zurich".to_owned()),
            on: true,
            switched_by: None,
            switched_at: None,
            next: next.iter().map(|at| at.parse().unwrap()).collect(),
            standing: Standing::OnTime,
            overdue_since: None,
            reason: None,
        };
        let nights = [
            "2026-03-15T00:00:00Z",
            "2026-03-16T00:00:00Z",
            "2026-03-17T00:00:00Z",
            "2026-03-18T00:00:00Z",
            "2026-03-19T00:00:00Z",
        ];
        let mornings = [
            "2026-03-15T04:00:00Z",
            "2026-03-16T04:00:00Z",
            "2026-03-17T04:00:00Z",
            "2026-03-18T04:00:00Z",
            "2026-03-19T04:00:00Z",
        ];
        let mut backup = schedule("backup_job", "0 1 * * *", "every day at 01:00", &nights);
        match self.scenario {
            Scenario::Overdue => {
                backup.standing = Standing::Overdue;
                backup.overdue_since = Some("2026-03-12T00:00:00Z".parse().unwrap());
                backup.reason = Some("the last run failed: there is no room for the backup".to_owned());
            }
            Scenario::Off => {
                backup.on = false;
                backup.next = Vec::new();
                backup.standing = Standing::Off;
                backup.switched_by = Some("bert".to_owned());
                backup.switched_at = Some("2026-03-13T15:30:00Z".parse().unwrap());
            }
            Scenario::Empty => backup.standing = Standing::NeverHeeded,
            _ => {}
        }
        Ok(vec![
            backup,
            schedule("verify_job", "0 5 * * *", "every day at 05:00", &mornings),
        ])
    }

    async fn timetable(&self) -> Result<Timetable, Problem> {
        let window = |name: &str, from: &str, until: &str| ForeignWindow {
            name: name.to_owned(),
            from: from.to_owned(),
            until: until.to_owned(),
        };
        let usual = [("backup_job", 372), ("verify_job", 2_460)];
        Ok(Timetable {
            schedules: self.schedules().await?,
            usual_seconds: usual.map(|(job, seconds)| (job.to_owned(), seconds)).into(),
            foreign_windows: vec![
                window("observation", "02:00", "03:00"),
                window("cleanup", "03:00", "03:00"),
            ],
            overlaps: match self.scenario {
                Scenario::AtRisk => vec![Overlap {
                    job: "backup_job".to_owned(),
                    with: "observation".to_owned(),
                    at: "2026-03-15T01:30:00Z".parse().unwrap(),
                    warning: "backup_job begins at 02:30, while another is at work: 02:00-03:00 observation".to_owned(),
                }],
                _ => Vec::new(),
            },
        })
    }

    async fn switch(&self, job: &str, on: bool, who: &Who) -> Result<(), Problem> {
        self.note(format!("switch {job} {on} by {}", who.name));
        Ok(())
    }

    async fn plan(&self) -> Result<Plan, Problem> {
        Ok(Plan {
            platform: Project::new("acme"),
            job: Job::BackupJob,
            entries: plan::entries(self.scenario),
            keep: Keep::default(),
            mode: Mode::Pin,
            missing: Vec::new(),
            remarks: vec!["volume `uploads` of openwebui is in no backup".to_owned()],
            findings: Vec::new(),
        })
    }

    async fn rehearse(&self, what: Restore) -> Result<Rehearsed, Problem> {
        let manifest = self.backup(what.backup).await?;
        if self.scenario == Scenario::AtRisk {
            return Err(Problem {
                title: format!(
                    "backup {} is damaged: neo4j.dump is not what its manifest says",
                    what.backup
                ),
                hint: "restore an older one: `stillpoint backups ls` says which are verified".to_owned(),
                status: 409,
                exit: 13,
            });
        }
        let wanted = &what.selection.stores;
        let stores = manifest
            .stores
            .iter()
            .filter(|store| wanted.is_empty() || wanted.contains(&store.name));
        Ok(Rehearsed {
            backup: what.backup,
            platform: Project::new("acme"),
            origin: Origin::default(),
            stores: stores
                .map(|store| Replaced {
                    store: store.name.clone(),
                    kind: store.kind.clone(),
                    version: store.version.clone(),
                    artifacts: store.artifacts.len(),
                    bytes: store
                        .artifacts
                        .iter()
                        .map(stillpoint_core::manifest::Artifact::bytes)
                        .sum(),
                    databases: Vec::new(),
                    passwords: (store.kind == StoreKind::new("postgres"))
                        .then(|| "passwords of its roles stay as they are".to_owned()),
                })
                .collect(),
            workloads: manifest
                .workloads
                .iter()
                .cloned()
                .map(|mut workload| {
                    if workload.role == "store" {
                        "stop".clone_into(&mut workload.action);
                    }
                    workload
                })
                .collect(),
            logins: [
                ("openwebui", "admitted"),
                (
                    "litellm",
                    "refused: password authentication failed for user \"litellm\"",
                ),
            ]
            .map(|(client, verdict)| HeldLogin {
                client: Address {
                    project: Project::new("acme"),
                    service: client.to_owned(),
                    number: 1,
                },
                variable: "DATABASE_URL".to_owned(),
                store: StoreName::new("postgres-main"),
                login: format!("{client} at database {client}"),
                now: verdict.to_owned(),
            })
            .into(),
        })
    }

    async fn maintenance(&self) -> Result<stillpoint_core::maintenance::Status, Problem> {
        self.answers()?;
        Ok(maintenance::status(self.scenario))
    }

    async fn doctor(&self) -> Result<stillpoint_core::doctor::Diagnosis, Problem> {
        Ok(doctor::diagnosis(self.scenario))
    }

    async fn notices(&self) -> Result<Notices, Problem> {
        Ok(notices::all(self.scenario))
    }

    async fn try_notices(&self) -> Vec<Tried> {
        self.note("test notices".to_owned());
        notices::tried()
    }

    async fn metrics(&self) -> Result<Metrics, Problem> {
        Ok(Metrics {
            version: "0.9.0".to_owned(),
            ..Metrics::default()
        })
    }

    async fn undo_would_lose(&self) -> Result<Vec<String>, Problem> {
        match self.scenario {
            Scenario::Stopped | Scenario::Undoable => Ok(vec![
                "postgres-main: 1,204 rows that were written since the restore".to_owned(),
                "nats: 31 messages".to_owned(),
            ]),
            _ => Err(Problem {
                title: "no restore has left anything to bring back on platform acme".to_owned(),
                hint: "`stillpoint runs ls` shows what has run".to_owned(),
                status: 404,
                exit: 10,
            }),
        }
    }

    async fn open_runs(&self) -> Result<Vec<OpenRun>, Problem> {
        let stands = matches!(self.scenario, Scenario::Stopped | Scenario::Restoring);
        Ok(stands
            .then(|| OpenRun {
                intent: self.intent(),
                phase: Phase::Acting,
                loaded: Some(Loaded {
                    backup: newest(self.scenario),
                    stores: vec![StoreName::new("valkey"), StoreName::new("nats")],
                    selection: stillpoint_core::selection::Selection::default(),
                }),
            })
            .into_iter()
            .collect())
    }

    async fn project(&self) -> Result<Project, Problem> {
        Ok(Project::new("acme"))
    }
}
