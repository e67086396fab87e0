//! The pages and their API, of a platform in every scenario.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use common::{Fake, Scenario};
use stillpoint_web::platform::Platform;
use tower::ServiceExt;

const NEWEST: &str = "2026-03-14_00-00-00";

struct Answer {
    status: StatusCode,
    place: Option<String>,
    tag: Option<String>,
    cookie: Option<String>,
    text: String,
}

struct Site {
    fake: Arc<Fake>,
    router: Router,
}

impl Site {
    fn new(scenario: Scenario) -> Self {
        let fake = Fake::new(scenario);
        let router = stillpoint_web::local(fake.clone());
        Self { fake, router }
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let header = |name| {
            let value = answer.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let (place, tag, cookie) = (
            header(header::LOCATION),
            header(header::ETAG),
            header(header::SET_COOKIE),
        );
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer {
            status,
            place,
            tag,
            cookie,
            text,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// A page that is there and is well-formed.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        well_formed(path, &answer.text);
        answer.text
    }

    async fn form(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request.body(body.to_owned().into()).unwrap()).await
    }

    async fn json(&self, path: &str, body: &serde_json::Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(body.to_string().into()).unwrap()).await
    }

    /// The page of a plan, once it has been looked at.
    async fn plan(&self, form: &str) -> (String, String) {
        let begun = self.form("/restore/plans", form).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let place = begun.place.unwrap();
        loop {
            let page = self.page(&place).await;
            if !page.contains("● Looking") {
                return (place, page);
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Elements that have no end.
const VOID: [&str; 5] = ["meta", "link", "input", "br", "hr"];

/// Every element ends where it must, every id is there once, nothing is inline, and the title says something.
fn well_formed(path: &str, page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>"), "{path}");
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(2) {
        let (element, _) = piece
            .split_once('>')
            .unwrap_or_else(|| panic!("{path}: an element has no end: {piece}"));
        let name = element.split([' ', '\n', '/']).find(|name| !name.is_empty()).unwrap();
        if element.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{path}: {element} ends what is not open");
        } else if !element.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{path}: {open:?} stay open");
    assert!(
        !page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick="),
        "{path}"
    );
    // The files of the service, and nothing that a page brings with it.
    let of_ours = page.matches("<script src=\"/assets/").count();
    assert_eq!(page.matches("<script").count(), of_ours, "{path}");
    let mut ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{path}: an id is there twice");
    for place in page.split(" aria-labelledby=\"").skip(1) {
        for id in place.split('"').next().unwrap().split(' ') {
            assert!(ids.contains(&id), "{path}: nothing has the id {id}");
        }
    }
    assert!(title(page).contains("Stillpoint"), "{path}");
    assert_eq!(page.matches("<h1").count(), 1, "{path}");
}

fn title(page: &str) -> &str {
    let (_, rest) = page.split_once("<title>").unwrap();
    rest.split_once("</title>").unwrap().0
}

/// What is read, without elements.
fn words(page: &str) -> String {
    let (_, main) = page.split_once("<main").unwrap();
    let text: String = main
        .split('<')
        .filter_map(|piece| piece.split_once('>'))
        .map(|(_, text)| text)
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn field(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn every_page_is_there_in_every_scenario() {
    for (name, scenario) in Scenario::ALL {
        let site = Site::new(scenario);
        let paths = [
            "/",
            "/backups",
            "/backups?show=trouble&sort=size&rising=true",
            "/restore/new",
            "/restore/discard",
        ];
        for path in paths {
            let answer = site.get(path).await;
            let wanted = match (scenario, path) {
                (Scenario::Unreachable, "/" | "/restore/discard") => StatusCode::OK,
                (Scenario::Unreachable, _) => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::OK,
            };
            assert_eq!(answer.status, wanted, "{name} {path}: {}", answer.text);
            well_formed(&format!("{name} {path}"), &answer.text);
        }
    }
}

#[tokio::test]
async fn the_overview_says_how_the_platform_stands_and_its_title_too() {
    let wanted = [
        (
            Scenario::Protected,
            "✓ Protected",
            "Protected. Last complete backup 7 h ago (01:00 CET), 7 of 7 stores, clients were down 9 s; next in 17 h.",
        ),
        (
            Scenario::Running,
            "● Backing up",
            "Backing up for 2 min: draining stores; clients were down 9 s.",
        ),
        (
            Scenario::Overdue,
            "✗ Overdue",
            "Overdue. The backup that was due 2 d ago (Thu 12 Mar 01:00 CET) was not made",
        ),
        (
            Scenario::AtRisk,
            "▲ At risk",
            "At risk. The newest backup is damaged: 2026-03-14_00-00-00, and 1 more below.",
        ),
        (
            Scenario::Restoring,
            "● Restoring",
            "Restoring for 4 min: loading stores; clients are down for",
        ),
        (
            Scenario::Stopped,
            "✗ Stopped on purpose",
            "Stopped on purpose. The restore of 2026-03-14_00-00-00, begun 40 min ago, has failed",
        ),
        (
            Scenario::Undoable,
            "✓ Protected",
            "What the last restore replaced is still there",
        ),
        (
            Scenario::Empty,
            "✗ Never backed up",
            "Never backed up. The first backup begins by itself in 17 h (01:00 CET).",
        ),
        (
            Scenario::Unreachable,
            "▲ At risk",
            "At risk. Nobody can say which backups there are: the repository s3://backups/acme",
        ),
        (Scenario::Local, "✓ Protected", "The only copy lies on this host"),
        (Scenario::Off, "▲ At risk", "the schedule was switched off by bert"),
    ];
    for (scenario, head, sentence) in wanted {
        let page = Site::new(scenario).page("/").await;
        assert!(title(&page).starts_with(head), "{scenario:?}: {}", title(&page));
        assert!(words(&page).contains(sentence), "{scenario:?}: {}", words(&page));
    }
}

#[tokio::test]
async fn what_stands_stopped_on_purpose_is_shown_with_its_reason_and_three_ways_on() {
    let page = Site::new(Scenario::Stopped).page("/").await;
    let said = words(&page);
    assert!(said.contains("1,204 nodes are missing"), "{said}");
    assert!(page.contains(r#"action="/restore/resume""#) && page.contains(r#"action="/restore/undo""#));
    assert!(page.contains(r#"action="/restore/start""#), "{page}");
    let start = Site::new(Scenario::Stopped).page("/restore/start").await;
    assert!(start.contains("<code>stillpoint containers start</code>") && words(&start).contains("partly old"));
    assert!(
        !said.contains("Back up now"),
        "a platform that is down is not backed up: {said}"
    );
}

#[tokio::test]
async fn what_needs_an_act_stands_with_its_reason_and_the_next_step() {
    let said = words(&Site::new(Scenario::AtRisk).page("/").await);
    for wanted in [
        "2026-03-11_00-00-00 is the newest that was read and found whole",
        "Nats is empty in the newest backup",
        "The size of clickhouse has changed by \u{2212}67 %",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let said = words(&Site::new(Scenario::Overdue).page("/").await);
    assert!(
        said.contains("there is no room for the backup") && said.contains("shorten BACKUP_RETENTION_DAYS"),
        "{said}"
    );
    let well = words(&Site::new(Scenario::Protected).page("/").await);
    assert!(!well.contains("Needs attention"), "{well}");
}

#[tokio::test]
async fn the_overview_is_the_same_for_programs() {
    for (name, scenario) in Scenario::ALL {
        let site = Site::new(scenario);
        let answer = site.get("/api/v1/overview").await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        let overview: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        let sentence = overview["verdict"]["sentence"].as_str().unwrap();
        let page = words(&site.page("/").await).replace("&#39;", "'");
        assert!(page.contains(sentence), "{name}: {sentence} / {page}");
    }
}

#[tokio::test]
async fn backups_are_filtered_sorted_and_paged() {
    let site = Site::new(Scenario::Protected);
    let ids = async |query: &str| {
        let answer = site.get(&format!("/api/v1/backups?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let page: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        let backups = page["backups"].as_array().unwrap().clone();
        let ids = backups.iter().map(|line| line["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page)
    };
    let (first, page) = ids("").await;
    assert_eq!((first.len(), first[0].as_str()), (25, NEWEST));
    assert_eq!(
        (&page["found"], &page["pages"], &page["complete"]),
        (&40.into(), &2.into(), &37.into())
    );
    let (second, _) = ids("page=2").await;
    assert_eq!(second.len(), 15);
    assert!(second.iter().all(|id| !first.contains(id)));
    let (oldest, _) = ids("rising=true&limit=1").await;
    assert_eq!(oldest, ["2026-02-03_00-00-00"]);
    let (trouble, _) = ids("show=trouble").await;
    assert_eq!(
        trouble,
        [
            "2026-03-05_00-00-00",
            "2026-02-25_00-00-00",
            "2026-02-21_00-00-00",
            "2026-02-16_00-00-00"
        ]
    );
    let (protected, _) = ids("show=protected").await;
    assert_eq!(protected, ["2026-03-01_00-00-00", "2026-02-12_00-00-00"]);
    let (of_day, _) = ids("day=2026-03-10").await;
    assert_eq!(of_day, ["2026-03-10_00-00-00"]);
    let (largest, _) = ids("sort=size&limit=1").await;
    assert_eq!(largest, [NEWEST]);
    let (without, _) = ids("store=neo4j&limit=200").await;
    assert!(!without.contains(&"2026-02-16_00-00-00".to_owned()));
}

#[tokio::test]
async fn the_table_of_backups_says_what_each_is_and_when_it_goes() {
    let site = Site::new(Scenario::Protected);
    let page = site.page("/backups").await;
    let said = words(&page);
    for wanted in [
        "37 complete backups",
        "platform degraded",
        "unreadable",
        "partial",
        "stays: protected",
        "in 29 d",
        "damaged",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(page.contains(r#"aria-sort="descending""#));
    assert!(
        page.contains(r#"<a href="/backups?day=2026-03-05" aria-label="05 Mar: failed">"#),
        "{page}"
    );
    let day = words(&site.page("/backups?day=2026-03-05").await);
    assert!(day.contains("milvus was not pinned"), "{day}");
    let none = words(&site.page("/backups?day=2025-01-01").await);
    assert!(none.contains("No backup is of this sort"), "{none}");
    let empty = words(&Site::new(Scenario::Empty).page("/backups").await);
    assert!(empty.contains("There is no backup yet"), "{empty}");
}

#[tokio::test]
async fn a_backup_is_shown_with_artifacts_marks_changes_and_the_ways_back() {
    let site = Site::new(Scenario::Protected);
    let page = site.page(&format!("/backups/{NEWEST}")).await;
    let said = words(&page);
    for wanted in [
        "postgres-main/openwebui.dump",
        "database openwebui",
        "lists 412 objects",
        "nothing was written while it was pinned",
        "01:00:04 to 01:00:07, mode pin",
        "the last was back at 01:00:11",
        "Beside 2026-03-13_00-00-00",
        "sha256sum --check",
        "by-hand.md",
        "stillpoint restore 2026-03-14_00-00-00 --dry-run",
        "Verification",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(page.contains(&format!(r#"href="/restore/new?backup={NEWEST}""#)));
    let grown = words(&site.page("/backups/2026-03-10_00-00-00").await);
    assert!(grown.contains("% grown"), "{grown}");
    let at_risk = words(&Site::new(Scenario::AtRisk).page(&format!("/backups/{NEWEST}")).await);
    assert!(
        at_risk.contains("\u{2212}100 % empty") && at_risk.contains("% shrunk"),
        "{at_risk}"
    );
}

#[tokio::test]
async fn a_backup_that_has_not_changed_is_not_sent_again() {
    let site = Site::new(Scenario::Protected);
    let path = format!("/api/v1/backups/{NEWEST}");
    let first = site.get(&path).await;
    let tag = first.tag.unwrap();
    site.fake.wait(3_600);
    let known = Request::get(&path)
        .header(header::IF_NONE_MATCH, &tag)
        .body(Body::empty())
        .unwrap();
    let second = site.ask(known).await;
    assert_eq!((second.status, second.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let other = Request::get(&path)
        .header(header::IF_NONE_MATCH, "\"x\"")
        .body(Body::empty())
        .unwrap();
    assert_eq!(site.ask(other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_there_is_answered_with_its_reason_and_what_to_do() {
    let site = Site::new(Scenario::Protected);
    for (path, reason) in [
        (
            "/backups/2020-01-01_00-00-00",
            "there is no backup 2020-01-01_00-00-00 in s3://backups/acme",
        ),
        ("/backups/2026-03-05_00-00-00", "2026-03-05_00-00-00 is partial"),
        ("/backups/2026-02-25_00-00-00", "2026-02-25_00-00-00 is unreadable"),
        ("/backups/..%2f..%2fetc", "is not a backup id"),
        ("/backups/%3Cscript%3E", "is not a backup id"),
        ("/restore/new?backup=x", "is not a backup id"),
        ("/restore/plans/0000", "there is no such plan of yours"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        well_formed(path, &answer.text);
        let said = words(&answer.text);
        assert!(said.to_lowercase().contains(&reason.to_lowercase()), "{path}: {said}");
        assert!(words(&answer.text).contains("What to do"), "{path}");
        assert!(title(&answer.text).starts_with("✗"), "{path}");
    }
    let gone = Site::new(Scenario::Unreachable).get("/backups").await;
    let said = words(&gone.text);
    assert!(
        said.contains("connection refused") && said.contains("BACKUP_S3_ENDPOINT"),
        "{said}"
    );
}

#[tokio::test]
async fn names_cannot_break_a_page() {
    let site = Site::new(Scenario::Hostile);
    for path in [
        "/",
        "/backups",
        &format!("/backups/{NEWEST}"),
        &format!("/restore/new?backup={NEWEST}"),
    ] {
        let page = site.page(path).await;
        assert!(
            page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"),
            "{path}"
        );
    }
    let (_, page) = site
        .plan(&format!(
            "backup={NEWEST}&of=7&store=%3Cscript%3Ealert(1)%3C%2Fscript%3E"
        ))
        .await;
    assert!(page.contains("script&#62;alert(1)"), "{page}");
}

#[tokio::test]
async fn a_backup_is_protected_by_a_form() {
    let site = Site::new(Scenario::Protected);
    let done = site.form(&format!("/backups/{NEWEST}/protection"), "on=true").await;
    assert_eq!(
        (done.status, done.place.unwrap()),
        (StatusCode::SEE_OTHER, format!("/backups/{NEWEST}"))
    );
    let done = site.form(&format!("/api/v1/backups/{NEWEST}/unprotect"), "").await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    let told = [
        format!("protect {NEWEST} true by local"),
        format!("protect {NEWEST} false by local"),
    ];
    assert_eq!(site.fake.told(), told);
}

#[tokio::test]
async fn a_restore_is_chosen_looked_at_typed_and_run() {
    let site = Site::new(Scenario::Protected);
    let which = site.page("/restore/new").await;
    assert!(which.contains(&format!(r#"href="/restore/new?backup={NEWEST}""#)));
    let what = site.page(&format!("/restore/new?backup={NEWEST}")).await;
    assert!(what.contains(r#"name="store" value="valkey""#));
    let form = format!("backup={NEWEST}&of=7&store=valkey&store=nats&passwords=keep&old=keep");
    let (place, page) = site.plan(&form).await;
    let said = words(&page);
    for wanted in [
        "2 artifacts",
        "2 stores take the data",
        "The platform stops: 11 containers",
        "7 h of newer data is replaced",
        "There is a way back",
        "1 login of a client is admitted",
        "Login of litellm at postgres-main: refused: password authentication failed",
        "--store valkey --store nats",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let confirmation = field(&page, "confirmation");
    let execute = format!("{place}/execute");
    let slip = site
        .form(&execute, &format!("confirmation={confirmation}&backup=acme"))
        .await;
    assert_eq!(slip.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        words(&slip.text).contains("`acme` is not 2026-03-14_00-00-00: nothing was done"),
        "{}",
        slip.text
    );
    well_formed(&execute, &slip.text);
    assert!(site.fake.told().is_empty());
    let done = site
        .form(&execute, &format!("confirmation={confirmation}&backup={NEWEST}"))
        .await;
    assert_eq!(
        (done.status, done.place.as_deref()),
        (StatusCode::SEE_OTHER, Some("/runs/900"))
    );
    let told = site.fake.told();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains(r#""order":"restore""#) && told[0].contains(r#""stores":["valkey","nats"]"#),
        "{told:?}"
    );
    let again = site
        .form(&execute, &format!("confirmation={confirmation}&backup={NEWEST}"))
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(site.fake.told().len(), 1);
}

#[tokio::test]
async fn a_restore_that_could_not_succeed_says_why_and_cannot_be_confirmed() {
    let site = Site::new(Scenario::AtRisk);
    let (place, page) = site.plan(&format!("backup={NEWEST}&of=1&store=neo4j")).await;
    let said = words(&page);
    assert!(
        said.contains("neo4j.dump is not what its manifest says") && said.contains("Nothing was changed"),
        "{said}"
    );
    assert!(title(&page).starts_with("✗ Refused"), "{}", title(&page));
    let tried = site
        .form(&format!("{place}/execute"), &format!("confirmation=&backup={NEWEST}"))
        .await;
    assert_eq!(tried.status, StatusCode::CONFLICT);
    let nothing = site.form("/restore/plans", &format!("backup={NEWEST}&of=7")).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(site.fake.told().is_empty());
}

#[tokio::test]
async fn a_program_plans_and_confirms_a_restore_the_same_way() {
    let site = Site::new(Scenario::Protected);
    let what = serde_json::json!({"backup": NEWEST, "selection": {}, "terms": {}});
    let begun = site.json("/api/v1/restore-plans", &what).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    let place = begun.place.unwrap();
    let plan = loop {
        let plan: serde_json::Value = serde_json::from_str(&site.get(&place).await.text).unwrap();
        if plan["state"] != "checking" {
            break plan;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (&plan["state"], &plan["rehearsed"]["platform"]),
        (&"ready".into(), &"acme".into())
    );
    let execute = format!("{place}/execute");
    let forged = serde_json::json!({"confirmation": "0".repeat(64), "backup": NEWEST});
    assert_eq!(site.json(&execute, &forged).await.status, StatusCode::FORBIDDEN);
    let meant = serde_json::json!({"confirmation": plan["confirmation"], "backup": NEWEST});
    site.fake.wait(299);
    assert_eq!(site.get(&place).await.status, StatusCode::OK);
    site.fake.wait(1);
    assert_eq!(site.json(&execute, &meant).await.status, StatusCode::GONE);
    assert!(site.fake.told().is_empty());
}

#[tokio::test]
async fn undo_and_discard_take_the_platforms_name() {
    for (path, order) in [("/restore/undo", "undo_restore"), ("/restore/discard", "discard_old")] {
        let site = Site::new(Scenario::Undoable);
        let page = site.page(path).await;
        assert!(title(&page).starts_with("▲"), "{}", title(&page));
        let slip = site.form(path, "platform=other").await;
        assert!(
            words(&slip.text).contains("`other` is not acme: nothing was done"),
            "{}",
            slip.text
        );
        assert!(site.fake.told().is_empty());
        let done = site.form(path, "platform=acme").await;
        assert_eq!(
            (done.status, done.place.as_deref()),
            (StatusCode::SEE_OTHER, Some("/runs/900"))
        );
        assert_eq!(site.fake.told(), [format!(r#"submit {{"order":"{order}"}}"#)]);
    }
    let page = words(&Site::new(Scenario::Undoable).page("/restore/undo").await);
    assert!(page.contains("nats: 31 messages"), "{page}");
    let nothing = Site::new(Scenario::Protected).get("/restore/undo").await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    let resumed = Site::new(Scenario::Stopped).form("/restore/resume", "").await;
    assert_eq!(resumed.place.as_deref(), Some("/runs/900"));
}

#[tokio::test]
async fn light_or_dark_is_remembered_and_leads_back() {
    let site = Site::new(Scenario::Protected);
    let done = site
        .form("/appearance", "theme=dark&back=%2Fbackups%3Fsort%3Dsize")
        .await;
    assert_eq!(done.place.as_deref(), Some("/backups?sort=size"));
    assert!(done.cookie.unwrap().starts_with("theme=dark;"));
    let away = site.form("/appearance", "theme=dark&back=%2F%2Fevil.example").await;
    assert_eq!(away.place.as_deref(), Some("/"));
    let drawn = Request::get("/")
        .header(header::COOKIE, "a=b; theme=dark")
        .body(Body::empty())
        .unwrap();
    assert!(
        site.ask(drawn)
            .await
            .text
            .contains(r#"<html lang="en" data-theme="dark">"#)
    );
    let forged = Request::get("/")
        .header(header::COOKIE, "theme=\"><script>")
        .body(Body::empty())
        .unwrap();
    assert!(site.ask(forged).await.text.contains(r#"<html lang="en">"#));
}

#[tokio::test]
async fn recovery_leads_from_the_repository_to_the_restore() {
    let site = Site::new(Scenario::Protected);
    let newest = site.fake.backups().await.unwrap().backups.last().unwrap().id;
    let page = site.page("/recovery").await;
    let said = words(&page);
    for step in [
        "1. The repository is found",
        "2. The platform is here",
        "3. It is checked",
        "4. It is restored",
    ] {
        assert!(said.contains(step), "{said}");
    }
    assert!(page.contains(&format!("/restore/new?backup={newest}")), "{page}");
    assert_eq!(field(&page, "backup"), newest.to_string());
    assert!(said.contains("readable"), "{said}");

    // What is known to be damaged is not what is offered.
    let damaged = Site::new(Scenario::AtRisk);
    let list = damaged.fake.backups().await.unwrap();
    let newest = list.backups.last().unwrap();
    assert!(newest.verified.is_some_and(|verified| !verified.sound));
    let page = damaged.page("/recovery").await;
    assert!(!page.contains(&format!("/restore/new?backup={}", newest.id)), "{page}");
    assert!(page.contains("/restore/new?backup="), "{page}");

    // Without a repository the platform is told still, and nothing is offered that cannot be done.
    let page = Site::new(Scenario::Unreachable).page("/recovery").await;
    let said = words(&page);
    assert!(
        said.contains("cannot be read") && said.contains("The platform is here"),
        "{said}"
    );
    assert!(!page.contains("/restore/new?backup="), "{page}");

    let said = words(&Site::new(Scenario::Empty).page("/recovery").await);
    assert!(said.contains("holds no complete backup"), "{said}");
}

#[tokio::test]
async fn maintenance_says_how_dagsters_databases_stand_and_what_the_next_run_takes() {
    let site = Site::new(Scenario::AtRisk);
    let page = site.page("/maintenance").await;
    let said = words(&page);
    for wanted in [
        "event_logs",
        "rows are past their windows",
        "1 000 000",
        "The server refuses the password of postgres",
        "stillpoint maintenance cleanup",
    ] {
        assert!(
            said.to_lowercase().contains(&wanted.to_lowercase()),
            "{wanted} is missing: {said}"
        );
    }
    assert!(page.contains(r#"value="dagster_cleanup_job""#) && page.contains(r#"value="postgres_repack_job""#));

    let off = Site::new(Scenario::Off).page("/maintenance").await;
    assert!(
        words(&off).contains("switched off") && !off.contains("Clean up now"),
        "{off}"
    );
    let none = words(&Site::new(Scenario::Empty).page("/maintenance").await);
    assert!(none.contains("No database of Dagster"), "{none}");
}

#[tokio::test]
async fn the_doctor_says_what_would_fail_first_why_and_what_to_do() {
    let page = Site::new(Scenario::AtRisk).page("/doctor").await;
    let said = words(&page);
    let order = [
        "acme: a backup or a restore would FAIL (1 thing); 1 more to look at, 1 could be better; 1 accepted",
        "A backup or a restore would fail",
        "Webui uses /srv/uploads of the host, which is gone",
        "What a backup stops would stay down.",
        "Make again what is named",
        "To look at",
        "Worker runs with restart policy",
        "Could be better",
        "None of 12 backups was ever read back",
        "Not seen from here",
    ];
    let mut rest = said.as_str();
    for wanted in order {
        let at = rest.find(wanted);
        rest = at.map_or_else(
            || panic!("`{wanted}` is missing or too early: {said}"),
            |at| &rest[at..],
        );
    }
    assert!(
        page.contains("<title>✗ 1 would fail – Doctor – Stillpoint</title>"),
        "{page}"
    );
    let well = words(&Site::new(Scenario::Protected).page("/doctor").await);
    assert!(
        well.contains("acme is healthy: nothing was found.") && !well.contains("To look at"),
        "{well}"
    );
}
