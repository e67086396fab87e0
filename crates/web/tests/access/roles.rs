//! Every route for nobody and for every role. A route that is not in the table fails the test.

use anyhow::{Result, ensure};
use stillpoint_core::ports::accounts::Role;
use stillpoint_web::auth::Rules;
use stillpoint_web::server::Limits;

use crate::scene::{Asked, scene, scene_with};

use Role::{Admin, Operator, Viewer};

/// Who may: none, everybody.
const WANTED: [(&str, &str, Option<Role>); 93] = [
    ("DELETE", "/api/v1/tokens/{token}", Some(Admin)),
    ("DELETE", "/api/v1/users/{user}", Some(Admin)),
    ("GET", "/", Some(Viewer)),
    ("GET", "/api/v1/audit", Some(Admin)),
    ("GET", "/api/v1/backups", Some(Viewer)),
    ("GET", "/api/v1/backups/{backup}", Some(Viewer)),
    ("GET", "/api/v1/doctor", Some(Viewer)),
    ("GET", "/api/v1/events", Some(Viewer)),
    ("GET", "/api/v1/maintenance", Some(Viewer)),
    ("GET", "/api/v1/me", Some(Viewer)),
    ("GET", "/api/v1/notices", Some(Viewer)),
    ("GET", "/api/v1/openapi.json", Some(Viewer)),
    ("GET", "/api/v1/overview", Some(Viewer)),
    ("GET", "/api/v1/recovery", Some(Viewer)),
    ("GET", "/api/v1/restore-plans/{plan}", Some(Admin)),
    ("GET", "/api/v1/retention", Some(Viewer)),
    ("GET", "/api/v1/runs", Some(Viewer)),
    ("GET", "/api/v1/runs/{run}", Some(Viewer)),
    ("GET", "/api/v1/runs/{run}/events", Some(Viewer)),
    ("GET", "/api/v1/runs/{run}/log", Some(Viewer)),
    ("GET", "/api/v1/schedules", Some(Viewer)),
    ("GET", "/api/v1/service", Some(Viewer)),
    ("GET", "/api/v1/settings", Some(Viewer)),
    ("GET", "/api/v1/stores", Some(Viewer)),
    ("GET", "/api/v1/tokens", Some(Admin)),
    ("GET", "/api/v1/users", Some(Admin)),
    ("GET", "/assets/{hash}/{name}", None),
    ("GET", "/backups", Some(Viewer)),
    ("GET", "/backups/{backup}", Some(Viewer)),
    ("GET", "/doctor", Some(Viewer)),
    ("GET", "/healthz", None),
    ("GET", "/maintenance", Some(Viewer)),
    ("GET", "/metrics", Some(Viewer)),
    ("GET", "/notices", Some(Viewer)),
    ("GET", "/readyz", None),
    ("GET", "/recovery", Some(Viewer)),
    ("GET", "/restore/discard", Some(Admin)),
    ("GET", "/restore/new", Some(Admin)),
    ("GET", "/restore/plans/{plan}", Some(Admin)),
    ("GET", "/restore/start", Some(Admin)),
    ("GET", "/restore/undo", Some(Admin)),
    ("GET", "/retention", Some(Viewer)),
    ("GET", "/runs", Some(Viewer)),
    ("GET", "/runs/{run}", Some(Viewer)),
    ("GET", "/runs/{run}/log.txt", Some(Viewer)),
    ("GET", "/runs/{run}/retry", Some(Admin)),
    ("GET", "/schedules", Some(Viewer)),
    ("GET", "/settings", Some(Viewer)),
    ("GET", "/settings/account", Some(Viewer)),
    ("GET", "/settings/audit", Some(Admin)),
    ("GET", "/settings/tokens", Some(Admin)),
    ("GET", "/settings/users", Some(Admin)),
    ("GET", "/setup/{secret}", None),
    ("GET", "/sign-in", None),
    ("GET", "/stores", Some(Viewer)),
    ("POST", "/api/v1/backups/{backup}/protect", Some(Operator)),
    ("POST", "/api/v1/backups/{backup}/unprotect", Some(Operator)),
    ("POST", "/api/v1/notices/test", Some(Operator)),
    ("POST", "/api/v1/restore-plans", Some(Admin)),
    ("POST", "/api/v1/restore-plans/{plan}/execute", Some(Admin)),
    ("POST", "/api/v1/runs", Some(Operator)),
    ("POST", "/api/v1/runs/{run}/cancel", Some(Operator)),
    ("POST", "/api/v1/runs/{run}/retry", Some(Operator)),
    ("POST", "/api/v1/schedules/{job}/off", Some(Operator)),
    ("POST", "/api/v1/schedules/{job}/on", Some(Operator)),
    ("POST", "/api/v1/tokens", Some(Admin)),
    ("POST", "/api/v1/users", Some(Admin)),
    ("POST", "/api/v1/users/{user}/password", Some(Admin)),
    ("POST", "/api/v1/users/{user}/role", Some(Admin)),
    ("POST", "/appearance", None),
    ("POST", "/backups/{backup}/protection", Some(Operator)),
    ("POST", "/notices/test", Some(Operator)),
    ("POST", "/restore/discard", Some(Admin)),
    ("POST", "/restore/plans", Some(Admin)),
    ("POST", "/restore/plans/{plan}/execute", Some(Admin)),
    ("POST", "/restore/resume", Some(Admin)),
    ("POST", "/restore/start", Some(Admin)),
    ("POST", "/restore/undo", Some(Admin)),
    ("POST", "/runs", Some(Operator)),
    ("POST", "/runs/{run}/cancel", Some(Operator)),
    ("POST", "/runs/{run}/retry", Some(Operator)),
    ("POST", "/schedules/{job}/off", Some(Operator)),
    ("POST", "/schedules/{job}/on", Some(Operator)),
    ("POST", "/settings/account", Some(Viewer)),
    ("POST", "/settings/tokens", Some(Admin)),
    ("POST", "/settings/tokens/{token}/revoke", Some(Admin)),
    ("POST", "/settings/users", Some(Admin)),
    ("POST", "/settings/users/{user}/password", Some(Admin)),
    ("POST", "/settings/users/{user}/remove", Some(Admin)),
    ("POST", "/settings/users/{user}/role", Some(Admin)),
    ("POST", "/setup/{secret}", None),
    ("POST", "/sign-in", None),
    ("POST", "/sign-out", None),
];

#[test]
fn the_table_has_every_route_and_no_other() {
    let mut served: Vec<String> = stillpoint_web::routes()
        .into_iter()
        .map(|route| format!("{} {} {:?}", route.method, route.path, route.least))
        .collect();
    served.sort();
    let mut wanted: Vec<String> = WANTED
        .iter()
        .map(|(method, path, least)| format!("{method} {path} {least:?}"))
        .collect();
    wanted.sort();
    let missing: Vec<&String> = served.iter().filter(|route| !wanted.contains(route)).collect();
    let gone: Vec<&String> = wanted.iter().filter(|route| !served.contains(route)).collect();
    assert!(missing.is_empty(), "not in the table: {missing:#?}");
    assert!(gone.is_empty(), "in the table, and not served so: {gone:#?}");
}

/// The path with something in place of every name in it.
fn filled(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_lets_in_its_role_and_those_above_and_nobody_else() -> Result<()> {
    let scene = scene().await?;
    let mut bearers = vec![(None, None)];
    for role in Role::ALL {
        bearers.push((Some(role), Some(scene.token(role.name(), role, None).await?)));
    }
    for (method, path, least) in WANTED {
        for (role, bearer) in &bearers {
            let place = filled(path);
            let mut asked = Asked::new(method, &place).of_ours();
            if let Some(bearer) = bearer {
                asked = asked.with("Authorization", bearer);
            }
            let answer = scene.ask(&asked).await?;
            let who = format!("{method} {path} as {role:?}: {}", answer.status);
            ensure!(answer.status < 500, "{who}");
            let is_refused = matches!(answer.status, 401 | 403);
            let leads_to_sign_in = answer
                .header("location")
                .is_some_and(|place| place.starts_with("/sign-in"));
            match (least, role) {
                // Whoever signs in or out without a word of who he is, is told so or led there.
                (None, _) => ensure!(!is_refused || path == "/sign-in", "{who}"),
                (Some(_), None) if path.starts_with("/api/") || path == "/metrics" => {
                    ensure!(answer.status == 401, "{who}");
                }
                (Some(_), None) => ensure!(answer.status == 303 && leads_to_sign_in, "{who}"),
                (Some(least), Some(role)) if *role < least => ensure!(answer.status == 403, "{who}"),
                (Some(_), Some(_)) => ensure!(!is_refused && !leads_to_sign_in, "{who}"),
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_replaces_data_takes_an_administrator_also_among_orders() -> Result<()> {
    let scene = scene().await?;
    let operator = scene.token("ci", Operator, None).await?;
    let undo = r#"{"order":{"order":"undo_restore"},"platform":null,"asked":{"way":"cli","by":"root"}}"#;
    let backup = r#"{"order":{"order":"backup","mode":null},"platform":null,"asked":{"way":"cli","by":"root"}}"#;
    let order = async |body| {
        let asked = Asked::post("/api/v1/runs").with("Authorization", &operator).json(body);
        scene.ask(&asked).await
    };
    order(undo).await?.must_be(403)?;
    order(backup).await?.must_be(202)?;
    let orders = scene.platform.orders.lock().unwrap();
    let [taken] = &orders[..] else {
        anyhow::bail!("{} orders were taken in", orders.len());
    };
    ensure!(
        taken.asked.by == "token ci",
        "whoever asks cannot say that he is somebody else: {}",
        taken.asked.by
    );
    Ok(())
}

fn order(order: &str, confirm: &str) -> String {
    format!(r#"{{"order":{order},"platform":null,"confirm":"{confirm}"}}"#)
}

#[tokio::test]
async fn what_cannot_be_undone_is_meant_also_over_the_network() -> Result<()> {
    let scene = scene().await?;
    let admin = scene.token("admin", Admin, None).await?;
    let send = async |body: String| {
        let asked = Asked::post("/api/v1/runs").with("Authorization", &admin).json(&body);
        scene.ask(&asked).await
    };
    let restore = r#"{"order":"restore","backup":"2026-02-17_00-00-00","selection":{"map":{}},"terms":{}}"#;
    let answer = send(order(restore, "acme")).await?.must_be(409)?;
    ensure!(answer.body.contains("restore-plans"), "{}", answer.body);
    for lasting in [r#"{"order":"undo_restore"}"#, r#"{"order":"discard_old"}"#] {
        for wrong in ["", "acm", "other"] {
            send(order(lasting, wrong)).await?.must_be(422)?;
        }
    }
    ensure!(
        scene.platform.orders.lock().unwrap().is_empty(),
        "something was taken in"
    );
    send(order(r#"{"order":"undo_restore"}"#, "acme")).await?.must_be(202)?;
    Ok(())
}

#[tokio::test]
async fn a_look_at_a_restore_that_dies_is_told_and_holds_up_no_other() -> Result<()> {
    let scene = scene().await?;
    let admin = scene.token("admin", Admin, None).await?;
    let plan = r#"{"backup":"2026-02-17_00-00-00","selection":{"map":{}},"terms":{}}"#;
    for _ in 0..5 {
        let asked = Asked::post("/api/v1/restore-plans")
            .with("Authorization", &admin)
            .json(plan);
        let answer = scene.ask(&asked).await?;
        let place = answer.must_be(202)?.header("location").unwrap_or_default().to_owned();
        let look = Asked::new("GET", &place).with("Authorization", &admin);
        let mut said = scene.ask(&look).await?;
        while said.body.contains("checking") {
            tokio::task::yield_now().await;
            said = scene.ask(&look).await?;
        }
        ensure!(said.body.contains("refused"), "{}", said.body);
    }
    Ok(())
}

#[tokio::test]
async fn metrics_are_open_where_it_is_set_so_and_nothing_else_is() -> Result<()> {
    let closed = scene().await?;
    ensure!(closed.get("/metrics").await?.status == 401);
    let rules = Rules {
        open_metrics: true,
        ..Rules::default()
    };
    let open = scene_with(rules, Limits::default()).await?;
    let told = open.get("/metrics").await?;
    ensure!(
        told.status == 200 && told.body.contains("stillpoint_build_info"),
        "{told:?}"
    );
    ensure!(open.get("/api/v1/notices").await?.status == 401);
    ensure!(open.get("/api/v1/runs").await?.status == 401);
    Ok(())
}
