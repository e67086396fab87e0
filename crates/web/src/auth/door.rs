//! The way in over a network port, which every request passes: for whom it was meant, who asks, from which site, how much he
//! sends. What changes something is noted in the audit, whatever becomes of it. Every answer leaves with the headers that
//! keep a browser from doing what no page of ours asks for.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use futures::StreamExt;
use http_body_util::LengthLimitError;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use stillpoint_core::ports::accounts::{Audited, Outcome};

use super::identity::{ClientAddress, Identity, Peer, Proof, client_address, identify, still_counts};
use super::{Access, Who, origin, own_path, refusals, secrets};
use crate::api::metrics;
use crate::ui;
use crate::wire::Problem;

/// Somebody whom we know may send so much at once.
const BODY: usize = 1 << 20;

/// Whoever is not known yet: a name and a password.
const FORM: usize = 16 << 10;

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(15);

/// So often is it looked whether somebody to whom a stream is sent is known still.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a browser may do with our pages: nothing that they do not bring along themselves. The referrer goes to ourselves:
/// without one, browsers send `Origin: null` with the forms of our own pages (Fetch, "append a request `Origin` header").
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::X_DNS_PREFETCH_CONTROL, "off"),
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What was done, in words, for the audit: a handler says it with its answer.
#[derive(Clone, Debug)]
pub(crate) struct Said(pub(crate) String);

/// A request that may go on, and what is noted of it.
struct Passed {
    request: Request,
    identity: Option<Identity>,
    from: ClientAddress,
}

/// Lets a request pass, or says why not.
pub(crate) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let id = secrets::mark();
    let is_page = is_page(&request);
    let answer = match passed(&access, request).await {
        Ok(passed) => answered(access, passed, next).await,
        Err(problem) => problem.into_response(),
    };
    dressed(answer, &id, is_page)
}

async fn passed(access: &Access, mut request: Request) -> Result<Passed, Problem> {
    let headers = request.headers();
    if !origin::is_ours(&access.rules, headers, request.uri()) {
        return Err(refusals::foreign_host(&host(headers)));
    }
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let from = client_address(&access.rules, peer, headers);
    let identity = match identify(access, peer, headers).await {
        Ok(identity) => identity,
        Err(problem) => {
            // What is open to everybody does not hang on accounts.
            request.extensions_mut().insert(Unknown(problem));
            None
        }
    };
    if !request.method().is_safe() {
        let proof = identity.as_ref().map(|identity| &identity.proof);
        if proof != Some(&Proof::Token) && !origin::is_from_us(&access.rules, request.headers()) {
            return Err(refusals::foreign_site());
        }
        let most = if identity.is_some() { BODY } else { FORM };
        request = read_to_its_end(request, most).await?;
    }
    request.extensions_mut().insert(from);
    if access.rules.open_metrics && request.method() == Method::GET && request.uri().path() == metrics::PLACE {
        request.extensions_mut().insert(Who::anybody());
    }
    if let Some(identity) = &identity {
        request.extensions_mut().insert(identity.who.clone());
    }
    Ok(Passed {
        request,
        identity,
        from,
    })
}

fn host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.unwrap_or_default().chars().take(100).collect()
}

/// Why nobody is known.
#[derive(Clone)]
struct Unknown(Problem);

/// A body as a whole: whoever sends slowly holds up nothing but himself.
async fn read_to_its_end(request: Request, most: usize) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        return Err(refusals::too_large(most));
    }
    let read = tokio::time::timeout(PATIENCE, to_bytes(body, most)).await;
    let read = read.map_err(|_| refusals::too_slow())?;
    let bytes = read.map_err(|error| match error.source() {
        Some(cause) if cause.is::<LengthLimitError>() => refusals::too_large(most),
        _ => refusals::invalid("the request breaks off", "try again"),
    })?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// What changes something is carried out to its end, also where nobody waits for the answer any more.
async fn answered(access: Arc<Access>, passed: Passed, next: Next) -> Response {
    if passed.request.method().is_safe() {
        let headers = passed.request.headers().clone();
        let answer = next.run(passed.request).await;
        return match passed.identity {
            Some(identity) if is_stream(&answer) => while_known(access, identity.proof, headers, answer),
            _ => answer,
        };
    }
    let act = tokio::spawn(async move {
        let Passed {
            request,
            identity,
            from,
        } = passed;
        let what = format!("{} {}", request.method(), request.uri().path());
        let notes_itself = ["/sign-in", "/setup/"]
            .iter()
            .any(|own| request.uri().path().starts_with(own));
        let answer = next.run(request).await;
        if let (Some(Identity { who, .. }), false) = (identity, notes_itself) {
            access.note(&audited(&access, who.name, from, what, &answer)).await;
        }
        answer
    });
    act.await.unwrap_or_else(|_| refusals::died().into_response())
}

fn is_stream(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// A stream that ends when its listener's session or token does: it may well be open for days.
fn while_known(access: Arc<Access>, proof: Proof, asked: HeaderMap, answer: Response) -> Response {
    let unknown = async move {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            if !still_counts(&access, &proof, &asked).await {
                return;
            }
        }
    };
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(unknown))))
}

fn audited(access: &Access, who: String, from: ClientAddress, what: String, answer: &Response) -> Audited {
    let outcome = match answer.status().as_u16() {
        ..400 => Outcome::Done,
        400..500 => Outcome::Refused,
        _ => Outcome::Failed,
    };
    let extensions = answer.extensions();
    let led_to = answer
        .headers()
        .get(header::LOCATION)
        .and_then(|place| place.to_str().ok());
    let said = extensions.get::<Said>().map(|said| said.0.clone());
    let why = extensions.get::<Problem>().map(|problem| problem.title.clone());
    Audited {
        at: access.now(),
        who,
        from: from.0.to_string(),
        detail: why.or_else(|| led_to.filter(|_| said.is_none()).map(|place| format!("→ {place}"))),
        what: said.unwrap_or(what),
        outcome,
    }
}

/// What somebody gets who is not known: programs a refusal, people the page to sign in.
pub(crate) fn led_to_sign_in(request: &Request) -> Response {
    if let Some(Unknown(problem)) = request.extensions().get::<Unknown>() {
        return problem.clone().into_response();
    }
    let uri = request.uri();
    if !is_for_people(uri.path()) {
        return Problem::unauthorised().into_response();
    }
    let wanted = uri.path_and_query().filter(|_| request.method() == Method::GET);
    let wanted = own_path(wanted.map(PathAndQuery::as_str));
    let place = match wanted {
        "/" => "/sign-in".to_owned(),
        wanted => format!("/sign-in?next={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC)),
    };
    // A browser keeps a cookie of ours back from a link on a page of somebody else, also along a redirection. A page of our
    // own leads on instead: who has signed in gets what he wanted.
    if request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site")
    {
        return ui::outside::lead_on(&place);
    }
    Redirect::to(&place).into_response()
}

fn is_for_people(path: &str) -> bool {
    !path.starts_with("/api/") && path != "/metrics"
}

fn is_page(request: &Request) -> bool {
    let accepts = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|kinds| kinds.to_str().ok());
    is_for_people(request.uri().path()) && accepts.is_some_and(|kinds| kinds.contains("text/html"))
}

/// An answer with what every answer has.
fn dressed(mut answer: Response, id: &str, is_page: bool) -> Response {
    if let Some(problem) = answer.extensions_mut().remove::<Problem>() {
        let plain = if is_page {
            ui::outside::refused(&problem, id)
        } else {
            with_id(&problem, id)
        };
        let headers = std::mem::take(answer.headers_mut());
        let status = answer.status();
        answer = plain;
        *answer.status_mut() = status;
        // What the refusal said beside its text.
        let kept = [header::RETRY_AFTER, header::SET_COOKIE, header::ALLOW];
        for name in kept {
            if let Some(value) = headers.get(&name) {
                answer.headers_mut().insert(name, value.clone());
            }
        }
    }
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let unkept = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(unkept);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    answer
}

/// A refusal as a document that says which request it was.
fn with_id(problem: &Problem, id: &str) -> Response {
    let mut told = serde_json::to_value(problem).unwrap_or_default();
    told["request"] = id.into();
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, kind, told.to_string()).into_response()
}
