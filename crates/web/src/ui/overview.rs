//! The overview: how the platform stands, in a sentence, and what needs an act.

use askama::Template;
use axum::extract::State;

use super::charts;
use super::frame::{Frame, Page, shown};
use super::words;
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::overview::{Clients, Overview, PhaseState, Severity, StoreCard, VerdictState};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/", Role::Viewer, overview)
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    frame: &'a Frame,
    seen: Overview,
}

impl OverviewPage<'_> {
    /// The class of the verdict's colour, which is its icon's name too.
    fn class(&self) -> &'static str {
        match self.seen.verdict.state {
            VerdictState::StoppedOnPurpose | VerdictState::Overdue | VerdictState::NeverBackedUp => "bad",
            VerdictState::Restoring | VerdictState::Running => "live",
            VerdictState::AtRisk => "warn",
            VerdictState::Protected => "ok",
        }
    }

    /// What follows the word in the sentence.
    fn rest(&self) -> &str {
        let verdict = &self.seen.verdict;
        verdict.sentence.strip_prefix(verdict.state.word()).unwrap_or_default()
    }

    /// For the title of a tab.
    fn sign(&self) -> &'static str {
        match self.class() {
            "ok" => "✓",
            "live" => "●",
            "warn" => "▲",
            _ => "✗",
        }
    }

    fn strip(&self, card: &StoreCard) -> String {
        charts::strip(&card.days, &format!("The last 30 days of {}", card.name))
    }

    fn can_back_up(&self) -> bool {
        self.frame.who.role >= Role::Operator && self.seen.stopped.is_none()
    }
}

async fn overview(State(app): State<App>, frame: Frame) -> Page {
    let seen = crate::overview::look(&app).await;
    Ok(shown(&OverviewPage { frame: &frame, seen }))
}
