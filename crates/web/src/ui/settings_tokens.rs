//! Tokens, by which programs ask. What a token is, is shown once, when it is made.

use askama::Template;
use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use stillpoint_core::ports::accounts::Token;

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::api::accounts::{MadeToken, NewToken, said_of, token_added};
use crate::auth::{Role, Said, Who, manage, refusals};
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/settings/tokens", Role::Admin, tokens)
        .post("/settings/tokens", Role::Admin, add)
        .post("/settings/tokens/{token}/revoke", Role::Admin, revoke)
}

#[derive(Template)]
#[template(path = "settings_tokens.html")]
struct Tokens<'a> {
    frame: &'a Frame,
    listed: Vec<Token>,
    made: Option<MadeToken>,
}

impl Tokens<'_> {
    fn has_expired(&self, token: &Token) -> bool {
        !token.holds(self.frame.now)
    }
}

async fn listed(app: &App) -> Result<Vec<Token>, Problem> {
    Ok(app.access()?.accounts.tokens().await?)
}

async fn tokens(State(app): State<App>, frame: Frame) -> Page {
    match listed(&app).await {
        Ok(tokens) => Ok(shown(&Tokens {
            frame: &frame,
            listed: tokens,
            made: None,
        })),
        Err(problem) => Err(frame.refused(problem)),
    }
}

/// As it comes from a form: what is left empty is an empty text there.
#[derive(Deserialize)]
struct Filled {
    name: String,
    role: Role,
    days: Option<String>,
}

impl Filled {
    fn read(self) -> Result<NewToken, Problem> {
        let days = self.days.unwrap_or_default();
        let days = match days.trim() {
            "" => None,
            days => Some(days.parse().map_err(|_| {
                let hint = "a whole number, or nothing for a token without end";
                refusals::invalid(format!("`{days}` is no number of days"), hint)
            })?),
        };
        Ok(NewToken {
            name: self.name,
            role: self.role,
            days,
        })
    }
}

/// The answer is the page itself: what it shows once must not stand in an address, nor be kept for a page that comes later.
async fn add(State(app): State<App>, Extension(who): Extension<Who>, frame: Frame, Form(filled): Form<Filled>) -> Page {
    let made = async {
        let made = token_added(&app, &who, filled.read()?).await?;
        Ok((said_of(&made.token), made, listed(&app).await?))
    };
    match made.await {
        Ok((said, made, tokens)) => {
            let page = Tokens {
                frame: &frame,
                listed: tokens,
                made: Some(made),
            };
            Ok((StatusCode::CREATED, Extension(said), shown(&page)).into_response())
        }
        Err(problem) => Err(frame.refused(problem)),
    }
}

async fn revoke(State(app): State<App>, Path(name): Path<String>, frame: Frame) -> Page {
    let revoked = async { manage::remove_token(&*app.access()?.accounts, &name).await };
    match revoked.await {
        Ok(()) => {
            let said = Said(format!("revoke token {name}"));
            Ok((Extension(said), Redirect::to("/settings/tokens")).into_response())
        }
        Err(problem) => Err(frame.refused(problem)),
    }
}
