//! One's own account: who has signed in, and a new password.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::frame::{Frame, Page, shown};
use super::sign_in::same;
use crate::App;
use crate::api::accounts::password_set;
use crate::auth::password::SHORTEST;
use crate::auth::{Role, Said, refusals};
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/settings/account", Role::Viewer, account)
        .post("/settings/account", Role::Viewer, set_password)
}

#[derive(Template)]
#[template(path = "settings_account.html")]
struct Account<'a> {
    frame: &'a Frame,
    shortest: usize,
    /// The user has a password here.
    is_user: bool,
}

async fn account(State(app): State<App>, frame: Frame) -> Page {
    match is_user(&app, &frame).await {
        Ok(is_user) => Ok(shown(&Account {
            frame: &frame,
            shortest: SHORTEST,
            is_user,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn is_user(app: &App, frame: &Frame) -> Result<bool, Problem> {
    Ok(app.access()?.accounts.user(&frame.who.name).await?.is_some())
}

#[derive(Deserialize)]
struct Change {
    current: String,
    password: String,
    again: String,
}

async fn set_password(State(app): State<App>, frame: Frame, Form(change): Form<Change>) -> Page {
    match changed(&app, &frame.who.name, change).await {
        Ok(answer) => Ok(answer),
        Err(problem) => Err(frame.refused(problem)),
    }
}

/// All sessions end, also the one that asks: whoever has taken one over is out.
async fn changed(app: &App, name: &str, change: Change) -> Result<Response, Problem> {
    let access = app.access()?;
    same(&change.password, &change.again)?;
    let known = access.accounts.user(name).await?;
    let (_, kept) = known.ok_or_else(|| refusals::unknown("user", name))?;
    if !access.passwords.is_it(change.current, Some(kept)).await? {
        return Err(refusals::invalid("the current password is wrong", "try again"));
    }
    password_set(app, name, change.password).await?;
    let said = Said(format!("set the own password of user {name}"));
    Ok((axum::Extension(said), Redirect::to("/sign-in")).into_response())
}
