//! Runs, schedules, stores, retention and settings: pages and API, of a platform in every scenario.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use common::{Fake, Scenario};
use serde_json::{Value, json};
use tower::ServiceExt;

fn served(scenario: Scenario) -> (Arc<Fake>, Router) {
    let fake = Fake::new(scenario);
    (fake.clone(), stillpoint_web::local(fake))
}

async fn sent(router: &Router, request: Request<Body>) -> (StatusCode, Response<()>, String) {
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (parts.status, Response::from_parts(parts, ()), text)
}

async fn got(router: &Router, place: &str) -> (StatusCode, String) {
    let request = Request::get(place).body(Body::empty()).unwrap();
    let (status, _, text) = sent(router, request).await;
    (status, text)
}

/// A page that must be there.
async fn page(router: &Router, place: &str) -> String {
    let (status, text) = got(router, place).await;
    assert_eq!(status, StatusCode::OK, "{place}: {text}");
    text
}

/// Sends a form; where it leads to.
async fn form(router: &Router, place: &str, fields: &str) -> Result<String, (StatusCode, String)> {
    let request = Request::post(place)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(fields.to_owned()))
        .unwrap();
    let (status, answer, text) = sent(router, request).await;
    match answer.headers().get(header::LOCATION) {
        Some(place) if status == StatusCode::SEE_OTHER => Ok(place.to_str().unwrap().to_owned()),
        _ => Err((status, text)),
    }
}

async fn posted(router: &Router, place: &str, body: &Value, key: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::post(place).header(header::CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let (status, _, text) = sent(router, request).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn title(page: &str) -> &str {
    page.split("<title>")
        .nth(1)
        .and_then(|rest| rest.split("</title>").next())
        .unwrap()
}

#[tokio::test]
async fn every_page_answers_in_every_scenario_without_inline_script_or_style() {
    for (name, scenario) in Scenario::ALL {
        let (_, router) = served(scenario);
        for place in [
            "/runs",
            "/runs/1",
            "/schedules",
            "/stores",
            "/retention",
            "/notices",
            "/doctor",
            "/settings",
        ] {
            let (status, text) = got(&router, place).await;
            let may_fail = match (place, scenario) {
                ("/runs/1", Scenario::Empty) => StatusCode::NOT_FOUND,
                ("/retention", Scenario::Unreachable) => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::OK,
            };
            assert_eq!(status, may_fail, "{name} {place}");
            assert!(text.contains("</html>"), "{name} {place}");
            for inline in ["<script>", " style=\"", "<style", " onclick", "javascript:"] {
                assert!(!text.contains(inline), "{name} {place} has {inline}");
            }
        }
    }
}

#[tokio::test]
async fn a_failed_run_tells_its_reason_in_its_row_and_what_to_do_beside_its_state() {
    let (_, router) = served(Scenario::Overdue);
    let runs = page(&router, "/runs?state=FAILURE").await;
    assert!(runs.contains("there is no room for the backup") && runs.contains("free room, or shorten"));
    assert!(!runs.contains("</svg>done</span>"), "the filter lets others through");
    let number = runs
        .split("href=\"/runs/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let run = page(&router, &format!("/runs/{number}")).await;
    assert!(run.contains("There is no room for the backup") && run.contains("Free room, or shorten"));
    assert!(title(&run).starts_with("✗ backup"), "{}", title(&run));
    assert!(run.contains("stillpoint backup</code>"));
}

#[tokio::test]
async fn runs_are_paged_by_their_numbers_and_the_filter_stays() {
    let (_, router) = served(Scenario::Protected);
    let numbers = |page: &str| -> Vec<u64> {
        let rows = page.split("data-label=\"Number\"><a href=\"/runs/").skip(1);
        rows.map(|row| row.split('"').next().unwrap().parse().unwrap())
            .collect()
    };
    let first = page(&router, "/runs").await;
    let older = first
        .split("rel=\"next\" href=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let second = page(&router, &older.replace("&#38;", "&")).await;
    let all: Vec<u64> = numbers(&first).into_iter().chain(numbers(&second)).collect();
    assert_eq!(all.len(), 55);
    assert!(all.is_sorted_by(|one, next| *one == next + 1), "{all:?}");
    assert!(!second.contains("rel=\"next\""));
    let verified = page(&router, "/runs?job=verify_job&before=30").await;
    assert!(numbers(&verified).iter().all(|number| *number < 30) && !numbers(&verified).is_empty());
    assert!(
        verified.contains("href=\"/runs?job=verify_job\""),
        "the way back loses the filter"
    );
}

#[tokio::test]
async fn a_run_at_work_shows_its_phase_its_part_of_the_usual_time_and_its_stream() {
    let (_, router) = served(Scenario::Running);
    let run = page(&router, "/runs/56").await;
    assert_eq!(title(&run), "● 32 % – backup 56, at work – Stillpoint");
    assert!(run.contains("Now: <strong>drain</strong>"));
    assert!(run.contains("data-stream=\"/api/v1/runs/running/events?form=lines&amp;after=19\" data-append"));
    assert!(run.contains("action=\"/runs/56/cancel\"") && !run.contains("/runs/56/retry"));
    assert!(run.contains("aria-live=\"polite\""));
    // Those who look for something are not shown what comes.
    let filtered = page(&router, "/runs/56?level=warning").await;
    assert!(!filtered.contains("data-append"));
    assert!(filtered.contains("clients of postgres-main wait") && !filtered.contains(">preflight …<"));
    let of_store = page(&router, "/runs/56?store=valkey").await;
    assert!(of_store.contains("valkey.rdb: 96.00 MiB") && !of_store.contains(">preflight …<"));
}

#[tokio::test]
async fn only_so_many_lines_are_shown_and_those_before_are_a_link_away() {
    let (fake, router) = served(Scenario::Running);
    fake.many_facts(2_000);
    let run = page(&router, "/runs/56").await;
    assert_eq!(run.matches("<li id=\"L").count(), 500);
    assert!(run.contains("id=\"L2000\"") && run.contains("href=\"/runs/56?before=1501#log\""));
    let older = page(&router, "/runs/56?before=1501").await;
    assert!(older.contains("id=\"L1500\"") && older.contains("id=\"L1001\"") && !older.contains("id=\"L1501\""));
    assert!(!older.contains("data-append"));
    let text = page(&router, "/runs/56/log.txt").await;
    assert_eq!(text.lines().count(), 2_000);
    assert!(
        text.lines().next().unwrap().ends_with("info line-1: 1 B"),
        "{text:.100}"
    );
}

#[tokio::test]
async fn what_others_named_is_shown_and_never_becomes_markup() {
    let (_, router) = served(Scenario::Hostile);
    for place in ["/stores", "/runs/54", "/retention", "/runs"] {
        let text = page(&router, place).await;
        assert!(!text.contains("<script>") && !text.contains("<img"), "{place}");
    }
    let nobody = got(&router, "/runs/%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert_eq!(nobody.0, StatusCode::NOT_FOUND);
    assert!(!nobody.1.contains("<script>alert"));
    assert!(
        !page(&router, "/runs?job=%22%3E%3Cscript%3E&before=9")
            .await
            .contains("<script>")
    );
}

#[tokio::test]
async fn a_form_begins_a_run_and_leads_to_it_and_what_replaces_data_is_not_begun_so() {
    let (fake, router) = served(Scenario::Protected);
    assert_eq!(form(&router, "/runs", "job=backup_job").await.unwrap(), "/runs/900");
    let one = "job=verify_job&backup=2026-03-14_00-00-00";
    assert_eq!(form(&router, "/runs", one).await.unwrap(), "/runs/901");
    for refused in [
        "job=full_restore_job",
        "job=undo_job",
        "job=verify_job&backup=..%2F..",
        "nothing=1",
    ] {
        let (status, text) = form(&router, "/runs", refused).await.unwrap_err();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
        assert!(text.contains("What to do"), "{refused}");
    }
    assert_eq!(
        fake.told(),
        [
            r#"submit {"order":"backup","mode":null}"#,
            r#"submit {"order":"verify","scope":{"one":"2026-03-14_00-00-00"}}"#
        ]
    );
    let run: Value = serde_json::from_str(&page(&router, "/api/v1/runs/900").await).unwrap();
    assert_eq!(run["asked"], json!({ "way": "ui", "by": "local" }));
}

#[tokio::test]
async fn a_run_is_cancelled_and_repeated_by_a_form() {
    let (fake, router) = served(Scenario::Running);
    assert_eq!(form(&router, "/runs/56/cancel", "").await.unwrap(), "/runs/56");
    assert_eq!(
        form(&router, "/runs/1/cancel", "").await.unwrap_err().0,
        StatusCode::CONFLICT
    );
    assert_eq!(form(&router, "/runs/1/retry", "").await.unwrap(), "/runs/900");
    assert_eq!(fake.told(), ["cancel 56", r#"submit {"order":"backup","mode":null}"#]);
}

#[tokio::test]
async fn a_restore_is_not_repeated_but_asked_for_anew_where_it_is_looked_at() {
    let (fake, router) = served(Scenario::Stopped);
    let runs = page(&router, "/runs?job=full_restore_job").await;
    let number = runs
        .split("href=\"/runs/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let again = format!("/runs/{number}/retry");
    assert!(page(&router, &format!("/runs/{number}")).await.contains(&again));
    let request = Request::get(&again).body(Body::empty()).unwrap();
    let (status, answer, _) = sent(&router, request).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(
        answer.headers()[header::LOCATION],
        "/restore/new?backup=2026-03-14_00-00-00"
    );
    assert_eq!(
        form(&router, &again, "platform=acme").await.unwrap_err().0,
        StatusCode::CONFLICT
    );
    let (status, problem) = posted(&router, &format!("/api/v1{again}"), &Value::Null, None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(fake.told().is_empty(), "{:?}", fake.told());
}

#[tokio::test]
async fn what_frees_data_is_repeated_when_the_platform_s_name_was_typed() {
    let (fake, router) = served(Scenario::Protected);
    let (_, run) = posted(
        &router,
        "/api/v1/runs",
        &json!({ "order": { "order": "discard_old" } }),
        None,
    )
    .await;
    fake.end(run["number"].as_u64().unwrap());
    let again = page(&router, "/runs/900/retry").await;
    assert!(again.contains("stillpoint restore discard-old") && again.contains("type the platform"));
    for wrong in ["", "platform=", "platform=acm"] {
        assert_eq!(
            form(&router, "/runs/900/retry", wrong).await.unwrap_err().0,
            StatusCode::CONFLICT
        );
    }
    assert_eq!(
        form(&router, "/runs/900/retry", "platform=acme").await.unwrap(),
        "/runs/901"
    );
}

#[tokio::test]
async fn the_same_key_is_the_same_run_and_another_order_with_it_is_refused() {
    let (fake, router) = served(Scenario::Protected);
    let backup = json!({ "order": { "order": "backup" } });
    let (status, first) = posted(&router, "/api/v1/runs", &backup, Some("k1")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (again, same) = tokio::join!(
        posted(&router, "/api/v1/runs", &backup, Some("k1")),
        posted(&router, "/api/v1/runs", &backup, Some("k1"))
    );
    assert_eq!((&again.1["run"], &same.1["run"]), (&first["run"], &first["run"]));
    let (status, problem) = posted(
        &router,
        "/api/v1/runs",
        &json!({ "order": { "order": "prune" } }),
        Some("k1"),
    )
    .await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let (_, other) = posted(&router, "/api/v1/runs", &backup, Some("k2")).await;
    assert_ne!(other["run"], first["run"]);
    assert_eq!(fake.told().len(), 2);
    for (key, wanted) in [("", 400), (&"k".repeat(256), 400)] {
        let (status, problem) = posted(&router, "/api/v1/runs", &backup, Some(key)).await;
        assert_eq!((status.as_u16(), problem["exit"].as_u64()), (wanted, Some(2)));
    }
}

#[tokio::test]
async fn what_is_no_order_is_refused_as_a_problem_with_a_hint() {
    let (fake, router) = served(Scenario::Protected);
    for body in [json!({}), json!({ "order": { "order": "explode" } }), json!([1])] {
        let (status, problem) = posted(&router, "/api/v1/runs", &body, None).await;
        assert!(status.is_client_error(), "{body}: {status}");
        assert!(
            problem["hint"].as_str().is_some_and(|hint| hint.contains("order")),
            "{body}: {problem}"
        );
    }
    assert!(fake.told().is_empty());
}

#[tokio::test]
async fn a_stream_begins_after_what_was_heard_last_and_is_not_buffered() {
    let (_, router) = served(Scenario::Protected);
    let stream = async |place: &str, last: Option<&str>| {
        let mut request = Request::get(place);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let (status, answer, text) = sent(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        text
    };
    let ids = |text: &str| -> Vec<u64> {
        let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
        ids.map(|id| id.parse().unwrap()).collect()
    };
    let all = stream("/api/v1/runs/1/events", None).await;
    let whole = ids(&all);
    assert_eq!(whole, (1..=whole.len() as u64).collect::<Vec<_>>());
    assert!(all.trim_end().lines().last().unwrap().contains("\"ended\""));
    assert_eq!(ids(&stream("/api/v1/runs/1/events?after=5", None).await), whole[5..]);
    // A browser comes back to the address at which it began.
    assert_eq!(
        ids(&stream("/api/v1/runs/1/events?after=5", Some("9")).await),
        whole[9..]
    );
    let lines = stream("/api/v1/runs/1/events?form=lines", None).await;
    assert!(
        lines.contains("event: line") && lines.contains("\"text\":\"preflight …\"") && lines.contains("event: ended")
    );
}

#[tokio::test]
async fn the_stream_of_all_runs_begins_with_those_that_are_not_over() {
    let (_, router) = served(Scenario::Running);
    let (status, text) = got(&router, "/api/v1/events").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(text.matches("event: run").count(), 2, "{text}");
}

#[tokio::test]
async fn schedules_tell_who_switched_them_off_and_are_switched_by_a_form() {
    let (fake, router) = served(Scenario::Off);
    let off = page(&router, "/schedules").await;
    assert!(off.contains("backup_job is switched off") && off.contains("By bert"));
    assert!(title(&off).starts_with("! 1 off"));
    assert_eq!(
        form(&router, "/schedules/backup_job/on", "").await.unwrap(),
        "/schedules"
    );
    let (status, row) = posted(&router, "/api/v1/schedules/backup_job/off", &Value::Null, None).await;
    assert_eq!((status, &row["job"]), (StatusCode::OK, &json!("backup_job")));
    assert_eq!(
        fake.told(),
        ["switch backup_job true by local", "switch backup_job false by local"]
    );
    let (_, router) = served(Scenario::Overdue);
    let overdue = page(&router, "/schedules").await;
    assert!(title(&overdue).starts_with("✗ 1 overdue") && overdue.contains("there is no room for the backup"));
    let (_, router) = served(Scenario::AtRisk);
    assert!(
        page(&router, "/schedules")
            .await
            .contains("backup_job begins at 02:30, while another is at work")
    );
}

#[tokio::test]
async fn retention_is_tried_with_other_numbers_and_what_would_change_is_marked() {
    let (fake, router) = served(Scenario::Protected);
    let read = async |place: &str| -> Value { serde_json::from_str(&page(&router, place).await).unwrap() };
    let goes = |found: &Value| {
        let all = found["directories"].as_array().unwrap();
        all.iter().filter(|one| one["goes"] == json!(true)).count()
    };
    let few = read("/api/v1/retention?days=2&minimum=1").await;
    let many = read("/api/v1/retention?days=3650").await;
    let policy = json!({ "days": 2, "minimum": 1, "daily": 0, "weekly": 0, "monthly": 0, "yearly": 0 });
    assert_eq!(few["policy"], policy);
    assert!(goes(&few) > 20, "{}", goes(&few));
    // With one of each week fewer go, and the page says for whose sake they stay.
    let weeks = read("/api/v1/retention?days=2&minimum=1&weekly=3").await;
    assert_eq!(goes(&weeks), goes(&few) - 2);
    let weeks = page(&router, "/retention?days=2&minimum=1&weekly=3&yearly=1").await;
    let told = ["3 weeks, 1 year", "the newest of its week; one each of 3 weeks stays"];
    assert!(told.iter().all(|told| weeks.contains(told)), "{weeks}");
    assert_eq!(goes(&many), 0);
    // The newest stays whatever is tried.
    let none = read("/api/v1/retention?days=0&minimum=0").await;
    assert_eq!(none["directories"][0]["goes"], json!(false));
    let tried = page(&router, "/retention?days=2&minimum=1").await;
    assert!(tried.contains("Tried, not set") && tried.contains("class=\"changed\"") && !tried.contains("Apply it now"));
    for wrong in ["days=-1", "days=x", "minimum=99999999999", "monthly=1.5"] {
        assert_eq!(
            got(&router, &format!("/retention?{wrong}")).await.0,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
    assert!(fake.told().is_empty());
}

#[tokio::test]
async fn stores_say_what_they_are_and_what_is_in_no_backup() {
    let (_, router) = served(Scenario::Protected);
    let stores = page(&router, "/stores").await;
    for wanted in [
        "postgres-main",
        "PostgreSQL 16.8",
        "stops it, with 10 s to end",
        "volume acme_uploads",
        "3.00 GiB",
    ] {
        assert!(stores.contains(wanted), "{wanted}");
    }
    // Without a repository it is not known what they are, and the page stands all the same.
    let (_, router) = served(Scenario::Unreachable);
    assert!(page(&router, "/stores").await.contains("in no backup yet"));
}

#[tokio::test]
async fn settings_show_values_with_their_origin_and_no_secret() {
    let (_, router) = served(Scenario::Protected);
    let settings = page(&router, "/settings").await;
    for wanted in [
        "retention.days",
        ".env.prod",
        "(set)",
        "Europe/Zurich",
        "s3://backups/acme",
    ] {
        assert!(settings.contains(wanted), "{wanted}");
    }
    let twin: Value = serde_json::from_str(&page(&router, "/api/v1/settings").await).unwrap();
    assert!(twin.as_array().is_some_and(|all| all.len() == 5));
}

#[tokio::test]
async fn notices_show_who_was_reached_and_what_was_told_and_are_tried_by_a_form() {
    let fake = Fake::new(Scenario::Protected);
    let router = stillpoint_web::local(fake.clone());
    let shown = page(&router, "/notices").await;
    for words in [
        "✗ 1 not reached – Notices",
        "it answered 401 Unauthorized: &#60;b&#62;who&#60;/b&#62;",
        "Backup FAILED: acme on host7",
        "email:mail.example.org has it, 2 h ago",
        "ntfy:ntfy.sh: to be attempted again: it did not answer within 10 s",
        "heartbeat:backup_job:hc-ping.com",
    ] {
        assert!(shown.contains(words), "{words} is not in {shown}");
    }
    let (status, told) = posted(&router, "/api/v1/notices/test", &Value::Null, None).await;
    assert_eq!(
        (status.as_u16(), told["channels"][1]["delivered"].as_bool()),
        (200, Some(false))
    );
    assert_eq!(fake.told(), ["test notices"]);
    let nobody = page(&stillpoint_web::local(Fake::new(Scenario::Empty)), "/notices").await;
    assert!(
        nobody.contains("NOTIFICATION_URLS") && !nobody.contains("Send a test"),
        "{nobody}"
    );
}
