//! Notices: who is told, whether the last arrived, and what was told.

use askama::Template;
use axum::extract::State;
use stillpoint_core::ports::notices::{Delivery, Gravity, Noted};

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::notices::{Channel, Notices, Tried};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/notices", Role::Viewer, notices)
        .post("/notices/test", Role::Operator, test)
}

#[derive(Template)]
#[template(path = "notices.html")]
struct NoticesPage<'a> {
    frame: &'a Frame,
    all: Notices,
    tried: Vec<Tried>,
    may_act: bool,
}

impl NoticesPage<'_> {
    fn failing(&self) -> usize {
        self.all.channels.iter().filter(|channel| channel.fails()).count()
    }

    fn has_channel(&self) -> bool {
        self.all.channels.iter().any(|channel| !channel.is_heartbeat)
    }

    fn events(&self) -> String {
        let names: Vec<&str> = self.all.events.iter().map(|kind| kind.name()).collect();
        names.join(", ").replace('_', " ")
    }
}

impl Channel {
    /// The last that was sent there did not arrive.
    fn fails(&self) -> bool {
        self.note.failed_at > self.note.delivered_at
    }

    fn state_class(&self) -> &'static str {
        match (self.fails(), self.note.delivered_at) {
            (true, _) => "bad",
            (false, Some(_)) => "ok",
            (false, None) => "idle",
        }
    }

    fn state_word(&self) -> &'static str {
        match (self.fails(), self.note.delivered_at) {
            (true, _) => "not reached",
            (false, Some(_)) => "reached",
            (false, None) => "not used yet",
        }
    }
}

fn state_class(noted: &Noted) -> &'static str {
    match noted.notice.kind.weight() {
        Gravity::Bad => "bad",
        Gravity::Warning => "warn",
        Gravity::Good => "ok",
    }
}

fn state_word(noted: &Noted) -> String {
    noted.notice.kind.name().replace('_', " ")
}

/// What became of a delivery, in a few words.
fn became(delivery: &Delivery, frame: &Frame) -> String {
    let Delivery {
        channel,
        tries,
        delivered_at,
        again_at,
        error,
    } = delivery;
    let why = error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    match (delivered_at, again_at) {
        (Some(at), _) => format!("{channel} has it, {}", frame.ago(at)),
        (None, Some(_)) if *tries == 0 => format!("{channel}: on its way"),
        (None, Some(_)) => format!("{channel}: to be attempted again{why}"),
        (None, None) => format!("{channel}: given up after {tries} attempts{why}"),
    }
}

async fn notices(State(app): State<App>, frame: Frame) -> Page {
    page(&app, frame, Vec::new()).await
}

async fn test(State(app): State<App>, frame: Frame) -> Page {
    let tried = app.platform.try_notices().await;
    page(&app, frame, tried).await
}

async fn page(app: &App, frame: Frame, tried: Vec<Tried>) -> Page {
    match app.platform.notices().await {
        Ok(all) => Ok(shown(&NoticesPage {
            may_act: frame.who.role >= Role::Operator,
            all,
            tried,
            frame: &frame,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}
