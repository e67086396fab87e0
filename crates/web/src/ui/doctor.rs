//! Doctor: what could make the next backup or a restore fail, each with what to do.

use askama::Template;
use axum::extract::State;
use stillpoint_core::doctor::{Diagnosed, Diagnosis};
use stillpoint_core::findings::Severity;

use super::frame::{Frame, Page, shown};
use super::words;
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/doctor", Role::Viewer, doctor)
}

#[derive(Template)]
#[template(path = "doctor.html")]
struct DoctorPage<'a> {
    frame: &'a Frame,
    diagnosis: Diagnosis,
}

/// Findings of one severity.
struct Group<'a> {
    title: &'static str,
    /// How they are coloured, and which drawing stands beside them.
    class: &'static str,
    findings: Vec<&'a Diagnosed>,
}

impl DoctorPage<'_> {
    fn groups(&self) -> Vec<Group<'_>> {
        let groups = [
            (Severity::Refuses, "A backup or a restore would fail", "bad"),
            (Severity::Warns, "To look at", "warn"),
            (Severity::Advises, "Could be better", "idle"),
        ];
        let groups = groups.into_iter().map(|(severity, title, class)| Group {
            title,
            class,
            findings: self.of(severity),
        });
        groups.filter(|group| !group.findings.is_empty()).collect()
    }

    fn of(&self, severity: Severity) -> Vec<&Diagnosed> {
        let findings = self.diagnosis.findings.iter();
        findings.filter(|found| found.finding.severity == severity).collect()
    }

    fn would_fail(&self) -> usize {
        self.diagnosis.count(Severity::Refuses)
    }
}

async fn doctor(State(app): State<App>, frame: Frame) -> Page {
    match app.platform.doctor().await {
        Ok(diagnosis) => Ok(shown(&DoctorPage {
            frame: &frame,
            diagnosis,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}
