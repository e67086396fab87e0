//! The users: who may sign in, and what each may do.

use askama::Template;
use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use stillpoint_core::ports::accounts::User;

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::api::accounts::{NewPassword, NewRole, NewUser, password_set, user_added};
use crate::auth::password::SHORTEST;
use crate::auth::{Role, Said, Who, manage, refusals};
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/settings/users", Role::Admin, users)
        .post("/settings/users", Role::Admin, add)
        .post("/settings/users/{user}/role", Role::Admin, set_role)
        .post("/settings/users/{user}/password", Role::Admin, set_password)
        .post("/settings/users/{user}/remove", Role::Admin, remove)
}

#[derive(Template)]
#[template(path = "settings_users.html")]
struct Users<'a> {
    frame: &'a Frame,
    listed: Vec<User>,
    shortest: usize,
}

impl Users<'_> {
    /// Those who can sign in with a password here, but for the one who looks.
    fn is_own(&self, user: &User) -> bool {
        user.name.eq_ignore_ascii_case(&self.frame.who.name)
    }
}

async fn users(State(app): State<App>, frame: Frame) -> Page {
    let listed = async { Ok::<_, Problem>(app.access()?.accounts.users().await?) };
    match listed.await {
        Ok(users) => Ok(shown(&Users {
            frame: &frame,
            listed: users,
            shortest: SHORTEST,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn add(State(app): State<App>, Extension(who): Extension<Who>, frame: Frame, Form(new): Form<NewUser>) -> Page {
    let added = user_added(&app, &who, new).await;
    after(
        frame,
        added.map(|user| format!("make user {} ({})", user.name, user.role)),
    )
}

async fn set_role(
    State(app): State<App>,
    Path(name): Path<String>,
    frame: Frame,
    Form(NewRole { role }): Form<NewRole>,
) -> Page {
    let set = async { manage::set_role(&*app.access()?.accounts, &name, role).await };
    after(frame, set.await.map(|()| format!("make user {name} {role}")))
}

async fn set_password(
    State(app): State<App>,
    Path(name): Path<String>,
    frame: Frame,
    Form(new): Form<NewPassword>,
) -> Page {
    let set = password_set(&app, &name, new.password).await;
    after(frame, set.map(|()| format!("set the password of user {name}")))
}

#[derive(Deserialize)]
struct Confirmed {
    confirm: String,
}

async fn remove(
    State(app): State<App>,
    Path(name): Path<String>,
    frame: Frame,
    Form(Confirmed { confirm }): Form<Confirmed>,
) -> Page {
    let removed = async {
        if confirm.trim() != name {
            let hint = "type the name of the user who is to be removed";
            return Err(refusals::invalid("the name that was typed is another", hint));
        }
        manage::remove_user(&*app.access()?.accounts, &name).await
    };
    after(frame, removed.await.map(|()| format!("remove user {name}")))
}

fn after(frame: Frame, done: Result<String, Problem>) -> Page {
    match done {
        Ok(said) => Ok(to_users(said)),
        Err(problem) => Err(frame.refused(problem)),
    }
}

fn to_users(said: String) -> Response {
    (Extension(Said(said)), Redirect::to("/settings/users")).into_response()
}
