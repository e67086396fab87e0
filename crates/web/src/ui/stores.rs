//! Stores and containers: what each is, what a backup does with it, and what no backup holds.

use askama::Template;
use axum::extract::State;
use stillpoint_core::findings::{Finding, Severity};

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::api::stores::{Workload, Workloads, workloads};
use crate::auth::Role;
use crate::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/stores", Role::Viewer, stores)
}

#[derive(Template)]
#[template(path = "stores.html")]
struct Stores<'a> {
    frame: &'a Frame,
    all: Workloads,
}

impl Stores<'_> {
    fn of(&self, role: &str) -> Vec<&Workload> {
        let all = self.all.workloads.iter();
        all.filter(|workload| workload.role == role).collect()
    }

    /// What looks like data and is in no backup.
    fn left_out(&self) -> Vec<LeftOutRow> {
        let all = self.all.workloads.iter();
        let rows = all.flat_map(|workload| {
            workload.left_out.iter().map(|one| LeftOutRow {
                workload: workload.name.clone(),
                what: one.to_string(),
                bytes: one.bytes,
            })
        });
        rows.collect()
    }

    #[expect(clippy::unused_self, reason = "templates reach it through the page")]
    fn is_refusal(&self, finding: &Finding) -> bool {
        finding.severity == Severity::Refuses
    }

    fn refusals(&self) -> usize {
        let findings = self.all.findings.iter();
        findings.filter(|finding| self.is_refusal(finding)).count()
    }
}

struct LeftOutRow {
    workload: String,
    what: String,
    bytes: Option<u64>,
}

impl Workload {
    /// How what it does is coloured.
    fn state_class(&self) -> &'static str {
        match (self.state.as_str(), self.health.as_deref()) {
            (_, Some("unhealthy")) => "bad",
            ("running", _) => "ok",
            _ => "idle",
        }
    }

    fn state_word(&self) -> String {
        match &self.health {
            Some(health) if self.state == "running" => health.clone(),
            _ => self.state.clone(),
        }
    }
}

async fn stores(State(app): State<App>, frame: Frame) -> Page {
    match workloads(&app).await {
        Ok(all) => Ok(shown(&Stores { frame: &frame, all })),
        Err(problem) => Err(frame.refused(problem)),
    }
}
