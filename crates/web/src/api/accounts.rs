//! Users, tokens and the audit.

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stillpoint_core::ports::accounts::{AuditEntry, Token, User};

use crate::App;
use crate::auth::manage::{self, By};
use crate::auth::{Role, Said, Who};
use crate::routes::Routes;
use crate::wire::Problem;

/// So many entries of the audit are listed at once.
pub(crate) const PAGE: u32 = 100;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/me", Role::Viewer, me)
        .get("/api/v1/users", Role::Admin, users)
        .post("/api/v1/users", Role::Admin, add_user)
        .post("/api/v1/users/{user}/role", Role::Admin, set_role)
        .post("/api/v1/users/{user}/password", Role::Admin, set_password)
        .delete("/api/v1/users/{user}", Role::Admin, remove_user)
        .get("/api/v1/tokens", Role::Admin, tokens)
        .post("/api/v1/tokens", Role::Admin, add_token)
        .delete("/api/v1/tokens/{token}", Role::Admin, remove_token)
        .get("/api/v1/audit", Role::Admin, audit)
}

async fn me(Extension(who): Extension<Who>) -> Json<Who> {
    Json(who)
}

async fn users(State(app): State<App>) -> Result<Json<Vec<User>>, Problem> {
    Ok(Json(app.access()?.accounts.users().await?))
}

/// A user who is to be made.
#[derive(Deserialize)]
pub(crate) struct NewUser {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) password: String,
}

async fn add_user(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(new): Json<NewUser>,
) -> Result<Response, Problem> {
    let made = user_added(&app, &who, new).await?;
    let said = Said(format!("make user {} ({})", made.name, made.role));
    Ok((StatusCode::CREATED, Extension(said), Json(made)).into_response())
}

pub(crate) async fn user_added(app: &App, who: &Who, new: NewUser) -> Result<User, Problem> {
    let access = app.access()?;
    let name = new.name.trim();
    manage::check_name("user", name)?;
    let password = access.passwords.hashed(new.password).await?;
    manage::add_user(&*access.accounts, name, new.role, password, &by(app, who)).await
}

/// A role that is to be set.
#[derive(Deserialize)]
pub(crate) struct NewRole {
    pub(crate) role: Role,
}

async fn set_role(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(NewRole { role }): Json<NewRole>,
) -> Result<Response, Problem> {
    manage::set_role(&*app.access()?.accounts, &name, role).await?;
    Ok(done(format!("make user {name} {role}")))
}

/// A password that is to be set.
#[derive(Deserialize)]
pub(crate) struct NewPassword {
    pub(crate) password: String,
}

async fn set_password(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(new): Json<NewPassword>,
) -> Result<Response, Problem> {
    password_set(&app, &name, new.password).await?;
    Ok(done(format!("set the password of user {name}")))
}

pub(crate) async fn password_set(app: &App, name: &str, password: String) -> Result<(), Problem> {
    let access = app.access()?;
    let password = access.passwords.hashed(password).await?;
    manage::set_password(&*access.accounts, name, password).await
}

async fn remove_user(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Problem> {
    manage::remove_user(&*app.access()?.accounts, &name).await?;
    Ok(done(format!("remove user {name}")))
}

async fn tokens(State(app): State<App>) -> Result<Json<Vec<Token>>, Problem> {
    Ok(Json(app.access()?.accounts.tokens().await?))
}

/// A token that is to be made.
#[derive(Deserialize)]
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// None: it has no end.
    pub(crate) days: Option<u32>,
}

/// A token and what its bearer sends, which nobody sees again.
#[derive(Serialize)]
pub(crate) struct MadeToken {
    #[serde(flatten)]
    pub(crate) token: Token,
    pub(crate) secret: String,
}

async fn add_token(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Json(new): Json<NewToken>,
) -> Result<Response, Problem> {
    let made = token_added(&app, &who, new).await?;
    let said = said_of(&made.token);
    Ok((StatusCode::CREATED, Extension(said), Json(made)).into_response())
}

pub(crate) async fn token_added(app: &App, who: &Who, new: NewToken) -> Result<MadeToken, Problem> {
    let accounts = &*app.access()?.accounts;
    let made = manage::add_token(accounts, new.name.trim(), new.role, new.days, &by(app, who)).await?;
    Ok(MadeToken {
        token: made.0,
        secret: made.1,
    })
}

pub(crate) fn said_of(token: &Token) -> Said {
    Said(format!("make token {} ({})", token.name, token.role))
}

async fn remove_token(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Problem> {
    manage::remove_token(&*app.access()?.accounts, &name).await?;
    Ok(done(format!("revoke token {name}")))
}

/// Which entries are wanted.
#[derive(Deserialize)]
pub(crate) struct AuditWanted {
    pub(crate) before: Option<u64>,
    pub(crate) limit: Option<u32>,
}

async fn audit(State(app): State<App>, Query(wanted): Query<AuditWanted>) -> Result<Json<Vec<AuditEntry>>, Problem> {
    let limit = wanted.limit.unwrap_or(PAGE).min(PAGE);
    Ok(Json(app.access()?.accounts.audit(wanted.before, limit).await?))
}

fn by(app: &App, who: &Who) -> By {
    By {
        name: who.name.clone(),
        at: app.platform.now(),
    }
}

fn done(said: String) -> Response {
    (StatusCode::NO_CONTENT, Extension(Said(said))).into_response()
}
