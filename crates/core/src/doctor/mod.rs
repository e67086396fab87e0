//! Everything that could make the next backup or a restore fail, each with what to do. Pure: facts go in, findings come out;
//! who gathers them is [`crate::operations`]. Where all is well nothing is said.

mod backups;
mod check;
mod containers;
mod facts;
mod habits;
mod repository;

use serde::Serialize;

pub use check::{Check, Sheet};
pub use facts::{
    Beside, Boot, Known, PastBackup, PlatformFacts, PruneJob, Receiver, RepositoryFacts, ScheduleFacts, SiteFacts,
};

use crate::engine::errors::{Exit, PreflightError};
use crate::findings::{Finding, Severity};
use crate::names::{Address, Project};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The platform; none where none was found.
    pub platform: Option<Project>,
    /// The gravest first.
    pub findings: Vec<Diagnosed>,
    /// How many findings are accepted, and not among them.
    pub accepted: usize,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosed {
    /// By which check.
    pub check: Check,
    /// The container that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What, and what to do.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why it matters.
    pub why: &'static str,
}

impl Diagnosis {
    /// How many findings are so grave.
    pub fn count(&self, severity: Severity) -> usize {
        let is_so = |found: &&Diagnosed| found.finding.severity == severity;
        self.findings.iter().filter(is_so).count()
    }

    /// What a program ends with that says this: advice is no trouble.
    pub fn exit(&self) -> Exit {
        match self.findings.first().map(|found| found.finding.severity) {
            Some(Severity::Refuses) => Exit::RunFailed,
            Some(Severity::Warns) => Exit::Degraded,
            Some(Severity::Advises) | None => Exit::Ok,
        }
    }

    /// How it stands, in a sentence.
    pub fn sentence(&self) -> String {
        let of = self.platform.as_ref().map_or("The platform", Project::as_str);
        let things = |count: usize| match count {
            1 => "1 thing".to_owned(),
            count => format!("{count} things"),
        };
        let counts = [Severity::Refuses, Severity::Warns, Severity::Advises].map(|severity| self.count(severity));
        let said = match counts {
            [0, 0, 0] => format!("{of} is healthy: nothing was found"),
            [0, 0, advice] => format!("{of} is healthy: {} could be better", things(advice)),
            [0, warnings, advice] => format!("{of}: {} to look at, {advice} could be better", things(warnings)),
            [refusals, warnings, advice] => format!(
                "{of}: a backup or a restore would FAIL ({}); {warnings} more to look at, {advice} could be better",
                things(refusals)
            ),
        };
        let accepted = match self.accepted {
            0 => String::new(),
            count => format!("; {count} accepted"),
        };
        let unseen = match self.unseen.len() {
            0 => String::new(),
            count => format!(" ({} not seen from here)", things(count)),
        };
        format!("{said}{accepted}{unseen}.")
    }
}

/// One line for what it is, and one for what to do.
impl std::fmt::Display for Diagnosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finding { what, remedy, .. } = &self.finding;
        let told = Finding {
            what: format!("{what} [{}]", self.check),
            remedy: remedy.clone(),
            ..self.finding.clone()
        };
        told.fmt(f)
    }
}

/// Says what is wrong.
pub fn diagnose(site: &SiteFacts, beside: &Beside) -> Diagnosis {
    let mut found = Found::default();
    match &site.engine {
        Ok(engine) => found.extend(containers::engine(engine)),
        Err(why) => found.add(Check::Engine, None, why.clone()),
    }
    match &site.platform {
        Some(Ok(platform)) => {
            containers::look(&mut found, platform, beside);
            backups::look(&mut found, &site.repository, Some(platform));
        }
        Some(Err(why)) => {
            found.add(Check::Platform, None, why.clone());
            backups::look(&mut found, &site.repository, None);
        }
        None => backups::look(&mut found, &site.repository, None),
    }
    let platform = site.platform.as_ref().and_then(|platform| platform.as_ref().ok());
    repository::look(&mut found, &site.repository, platform, beside);
    habits::look(&mut found, platform, beside);
    let all = found.all.len();
    let mut findings: Vec<Diagnosed> = found.all.into_iter().filter(|one| !is_accepted(one, beside)).collect();
    let accepted = all - findings.len();
    findings.sort_by_key(|one| (one.finding.severity, one.check));
    Diagnosis {
        platform: platform.map(|platform| platform.plan.platform.clone()),
        findings,
        accepted,
        unseen: site.unseen.iter().chain(&beside.unseen).cloned().collect(),
    }
}

/// What would fail is never accepted.
fn is_accepted(found: &Diagnosed, beside: &Beside) -> bool {
    let is_so = |accepted: &String| match accepted.split_once(':') {
        Some((check, service)) => check == found.check.name() && found.service.as_deref() == Some(service),
        None => accepted == found.check.name(),
    };
    found.finding.severity != Severity::Refuses && beside.accepted.iter().any(is_so)
}

/// What was found so far.
#[derive(Default)]
struct Found {
    all: Vec<Diagnosed>,
}

impl Found {
    /// Where the finding says nothing of it, what is done in general is done about it.
    fn add(&mut self, check: Check, about: Option<&Address>, finding: Finding) {
        let finding = Finding {
            remedy: finding.remedy.or_else(|| Some(check.fix().to_owned())),
            ..finding
        };
        let found = Diagnosed {
            check,
            service: about.map(|address| address.service.clone()),
            finding,
            why: check.why(),
        };
        if !self.all.contains(&found) {
            self.all.push(found);
        }
    }

    fn warn(&mut self, check: Check, about: Option<&Address>, what: impl Into<String>) {
        self.add(check, about, Finding::warns(what));
    }

    fn advise(&mut self, check: Check, about: Option<&Address>, what: impl Into<String>) {
        self.add(check, about, Finding::advises(what));
    }

    fn extend(&mut self, found: impl IntoIterator<Item = (Check, Finding)>) {
        for (check, finding) in found {
            self.add(check, None, finding);
        }
    }
}

/// By which check a preflight refuses.
fn refused_by(reason: &PreflightError) -> Check {
    use crate::ports::RepositoryError::NoConditions;
    match reason {
        PreflightError::Repository {
            cause: NoConditions { .. },
            ..
        } => Check::RepositoryConditions,
        PreflightError::Repository { .. } | PreflightError::ForeignRepository { .. } => Check::Repository,
        PreflightError::Clocks { .. } => Check::RepositoryClock,
        PreflightError::NoRoom { .. } => Check::RepositoryRoom,
        PreflightError::NoSpool { .. } => Check::SpoolRoom,
        PreflightError::Unstartable(_) => Check::CannotStart,
        PreflightError::JobsRun { .. }
        | PreflightError::Busy { .. }
        | PreflightError::StoreDown { .. }
        | PreflightError::Store(_) => Check::Store,
    }
}
