//! What programs of others say of the pages, of the API and of the rules for alerts: that pages are HTML, that links lead somewhere,
//! that no request that the description allows, or forbids, breaks the service, that alerts fire where they must and are silent else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod common;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use common::{Fake, Scenario};
use stillpoint_testkit::testbed::{html_validate, promtool, schemathesis};
use tower::ServiceExt;

/// So many pages of a scenario are looked at; a page of each kind is long among them then.
const PAGES: usize = 30;

/// What has no end, and what is no page.
const NO_PAGES: [&str; 4] = ["/assets/", "/api/", "/appearance", "#"];

/// The links of a page that stay on the site, without the place within the page.
fn links(page: &str) -> impl Iterator<Item = String> {
    let after = page.split(" href=\"").skip(1);
    let places = after.filter_map(|rest| rest.split('"').next());
    let places = places.filter_map(|place| place.split('#').next());
    places
        .filter(|place| place.starts_with('/') && !NO_PAGES.iter().any(|no| place.starts_with(no)))
        .map(|place| place.replace("&amp;", "&").replace("&#38;", "&"))
}

async fn get(site: &Router, place: &str) -> (StatusCode, bool, String) {
    let request = Request::get(place).body(Body::empty()).unwrap();
    let answer = site.clone().oneshot(request).await.unwrap();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"));
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, is_page, String::from_utf8_lossy(&body).into_owned())
}

/// Follows every link from the overview on, and keeps each page as a file. Returns how many there were.
async fn keep_pages(name: &str, scenario: Scenario, folder: &Path) -> usize {
    let site = stillpoint_web::local(Fake::new(scenario));
    let mut places = VecDeque::from(["/".to_owned()]);
    let mut known: BTreeSet<String> = places.iter().cloned().collect();
    let mut kept = 0;
    while let Some(place) = places.pop_front().filter(|_| kept < PAGES) {
        let (status, is_page, page) = get(&site, &place).await;
        let may_be = scenario == Scenario::Unreachable && status == StatusCode::SERVICE_UNAVAILABLE;
        assert!(
            status.is_success() || status.is_redirection() || may_be,
            "{name}: a link leads to {place}, which answers {status}"
        );
        if !is_page {
            continue;
        }
        kept += 1;
        let file = format!(
            "{name}-{kept}-{}.html",
            place.replace(|c: char| !c.is_alphanumeric(), "_")
        );
        std::fs::write(folder.join(file.chars().take(120).collect::<String>() + ".html"), &page).unwrap();
        places.extend(links(&page).filter(|place| known.insert(place.clone())));
    }
    kept
}

fn ran(command: &mut Command, set_up_by: &Path) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{}: {error}: run testbed/setup.sh", set_up_by.display()))
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[tokio::test]
async fn every_page_is_html_and_every_link_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    for (name, scenario) in Scenario::ALL {
        let kept = keep_pages(name, scenario, folder.path()).await;
        assert!(kept >= 8, "{name}: only {kept} pages are linked");
    }
    let program = html_validate();
    let mut command = Command::new(&program);
    let checked = ran(command.arg(folder.path()), &program);
    assert!(checked.status.success(), "{}", said(&checked));
    // It is one that would say so.
    std::fs::write(folder.path().join("broken.html"), "<!DOCTYPE html><p><div></p>").unwrap();
    assert!(!ran(command.arg(folder.path()), &program).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_breaks_the_api() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let router = stillpoint_web::local(Fake::new(Scenario::Protected));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let document = own("docs/openapi.json");
    let program = schemathesis();
    let asked = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(&program);
        command
            .current_dir(folder.path())
            .arg("run")
            .arg(document.canonicalize().unwrap())
            .args(["--url", &site, "--header", &format!("Origin: {site}")])
            // A stream of events has no end.
            .args(["--exclude-path-regex", "/events$"])
            .args(["--checks", "not_a_server_error", "--phases", "coverage,fuzzing"])
            .args(["--max-examples", "25", "--seed", "15", "--generation-database", "none"])
            .args(["--request-timeout", "20", "--no-color"]);
        ran(&mut command, &program)
    });
    let asked = asked.await.unwrap();
    server.abort();
    let said = said(&asked);
    assert!(asked.status.success(), "{said}");
    // It has asked.
    assert!(said.contains("Coverage") && said.contains("Fuzzing"), "{said}");
}

/// The repository's own folder of this name.
fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

#[test]
fn alerts_fire_where_they_must_and_are_silent_else() {
    let program = promtool();
    let mut command = Command::new(&program);
    let folder = own("ops/prometheus");
    let tried = ran(
        command.current_dir(&folder).args(["test", "rules", "alerts.test.yaml"]),
        &program,
    );
    assert!(tried.status.success(), "{}", said(&tried));
    assert!(said(&tried).contains("SUCCESS"), "{}", said(&tried));
    // An alert without a test would be one that nobody has seen.
    let rules = std::fs::read_to_string(folder.join("alerts.yaml")).unwrap();
    let tests = std::fs::read_to_string(folder.join("alerts.test.yaml")).unwrap();
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() >= 6, "{alerts:?}");
    for alert in alerts {
        let fires = format!("alertname: {alert}, exp_alerts");
        let fires_below = format!("alertname: {alert}\n");
        assert!(
            tests.contains(&fires) || tests.contains(&fires_below),
            "{alert} is not tested"
        );
    }
}
