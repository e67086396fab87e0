//! Signing in and out, and the first user. They are open to everybody; what they change is checked by
//! [`crate::auth::Access`].

use std::net::{IpAddr, Ipv4Addr};

use askama::Template;
use axum::Form;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::frame::shown;
use super::outside::style;
use crate::App;
use crate::auth::password::SHORTEST;
use crate::auth::{ClientAddress, Said, Who, own_path};
use crate::routes::Routes;
use crate::wire::Problem;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .open(Method::GET, "/sign-in", ask)
        .open(Method::POST, "/sign-in", sign_in)
        .open(Method::POST, "/sign-out", sign_out)
        .open(Method::GET, "/setup/{secret}", ask_for_first)
        .open(Method::POST, "/setup/{secret}", set_up)
}

type From = Option<Extension<ClientAddress>>;

fn address(from: From) -> IpAddr {
    from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(from)| from.0)
}

/// Where somebody is led to afterwards, signed in.
fn led_on(place: &str, cookie: HeaderValue) -> Response {
    let mut answer = Redirect::to(place).into_response();
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    answer
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    style: String,
    next: &'a str,
    name: &'a str,
    problem: Option<&'a Problem>,
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

async fn ask(
    State(app): State<App>,
    who: Option<Extension<Who>>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Problem> {
    app.access()?;
    let next = own_path(next.as_deref());
    if who.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    Ok(shown(&SignInPage {
        style: style(),
        next,
        name: "",
        problem: None,
    }))
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
    next: Option<String>,
}

async fn sign_in(
    State(app): State<App>,
    from: From,
    headers: HeaderMap,
    Form(SignIn { name, password, next }): Form<SignIn>,
) -> Result<Response, Problem> {
    let access = app.access()?;
    let (name, next) = (name.trim(), own_path(next.as_deref()));
    match access.sign_in(name, password, address(from)).await {
        Ok(cookie) => {
            // A browser has one session: the one before ends.
            access.sign_out(&headers).await?;
            Ok(led_on(next, cookie))
        }
        Err(problem) => {
            let page = SignInPage {
                style: style(),
                next,
                name,
                problem: Some(&problem),
            };
            Ok((status(&problem), shown(&page)).into_response())
        }
    }
}

fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let access = app.access()?;
    access.sign_out(&headers).await?;
    let mut answer = (Extension(Said("sign out".to_owned())), Redirect::to("/sign-in")).into_response();
    if let Some(forgotten) = access.forgotten() {
        answer.headers_mut().insert(header::SET_COOKIE, forgotten);
    }
    Ok(answer)
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUpPage<'a> {
    style: String,
    shortest: usize,
    name: &'a str,
    problem: Option<&'a Problem>,
}

fn set_up_page(name: &str, problem: Option<&Problem>) -> Response {
    shown(&SetUpPage {
        style: style(),
        shortest: SHORTEST,
        name,
        problem,
    })
}

async fn ask_for_first(State(app): State<App>, Path(secret): Path<String>) -> Result<Response, Problem> {
    app.access()?.may_set_up(&secret).await?;
    Ok(set_up_page("admin", None))
}

#[derive(Deserialize)]
struct First {
    name: String,
    password: String,
    again: String,
}

async fn set_up(
    State(app): State<App>,
    Path(secret): Path<String>,
    from: From,
    Form(First { name, password, again }): Form<First>,
) -> Result<Response, Problem> {
    let access = app.access()?;
    access.may_set_up(&secret).await?;
    let name = name.trim();
    let made = match same(&password, &again) {
        Ok(()) => access.set_up(&secret, name, password, address(from)).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(cookie) => Ok(led_on("/", cookie)),
        // The form can be filled in again; nothing else can be done about what is left.
        Err(problem) if problem.status == 400 => {
            Ok((status(&problem), set_up_page(name, Some(&problem))).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// Refuses a password that was not typed the same twice.
pub(super) fn same(password: &str, again: &str) -> Result<(), Problem> {
    if password == again {
        return Ok(());
    }
    Err(crate::auth::refusals::invalid(
        "the two passwords are not the same",
        "type them again",
    ))
}
