//! Setting up, signing in and out, tokens, and what is noted of them.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{Outcome, Role};
use stillpoint_web::auth::{Rules, SignOn};
use stillpoint_web::server::Limits;

use crate::scene::{Asked, PASSWORD, Scene, form, scene, scene_with};

#[tokio::test]
async fn the_set_up_link_makes_the_first_administrator_once() -> Result<()> {
    let scene = scene().await?;
    let link = scene.access.set_up_link().await?.context("there is no link")?;
    let first = form(&[("name", "anna"), ("password", PASSWORD), ("again", PASSWORD)]);
    scene.get("/setup/0000").await?.must_be(404)?;
    let wrong = Asked::post("/setup/0000").of_ours().form(&first);
    scene.ask(&wrong).await?.must_be(404)?;
    let short = form(&[("name", "anna"), ("password", "short"), ("again", "short")]);
    scene
        .ask(&Asked::post(&link).of_ours().form(&short))
        .await?
        .must_be(400)?;
    ensure!(scene.accounts.users().await?.is_empty());
    ensure!(scene.get(&link).await?.must_be(200)?.body.contains("Set up Stillpoint"));
    let made = scene
        .ask(&Asked::post(&link).of_ours().form(&first))
        .await?
        .must_be(303)?;
    ensure!(made.header("location") == Some("/"));
    let cookie = made.cookie()?;
    scene
        .ask(&Asked::get("/settings/users").with("Cookie", &cookie))
        .await?
        .must_be(200)?;
    // Whoever finds the link in the log comes too late.
    let second = form(&[("name", "eve"), ("password", PASSWORD), ("again", PASSWORD)]);
    scene
        .ask(&Asked::post(&link).of_ours().form(&second))
        .await?
        .must_be(410)?;
    scene.get(&link).await?.must_be(410)?;
    let users = scene.accounts.users().await?;
    ensure!(users.len() == 1 && users[0].name == "anna" && users[0].role == Role::Admin);
    ensure!(scene.access.set_up_link().await?.is_none(), "there is a user");
    Ok(())
}

#[tokio::test]
async fn who_signs_in_gets_what_he_wanted_and_after_he_has_signed_out_nothing() -> Result<()> {
    let scene = scene().await?;
    scene.user("anna", Role::Admin).await?;
    let wanted = scene.get("/settings/audit?before=7").await?.must_be(303)?;
    let place = wanted.header("location").context("it leads nowhere")?;
    ensure!(place == "/sign-in?next=%2Fsettings%2Faudit%3Fbefore%3D7", "{place}");
    ensure!(
        scene
            .get(place)
            .await?
            .must_be(200)?
            .body
            .contains(r#"value="/settings/audit?before=7""#)
    );
    scene.sign_in("anna", "wrong password", "/").await?.must_be(401)?;
    let answer = scene
        .sign_in("Anna", PASSWORD, "/settings/audit?before=7")
        .await?
        .must_be(303)?;
    ensure!(answer.header("location") == Some("/settings/audit?before=7"));
    let attributes = answer.header("set-cookie").context("no cookie")?;
    ensure!(
        attributes.contains("; Path=/; ") && attributes.contains("HttpOnly; SameSite=Strict"),
        "{attributes}"
    );
    let cookie = answer.cookie()?;
    let page = Asked::get("/settings/audit").with("Cookie", &cookie);
    scene.ask(&page).await?.must_be(200)?;
    let out = Asked::post("/sign-out").of_ours().with("Cookie", &cookie);
    ensure!(scene.ask(&out).await?.must_be(303)?.header("location") == Some("/sign-in"));
    scene.ask(&page).await?.must_be(303)?;
    let api = Asked::get("/api/v1/me").with("Cookie", &cookie);
    scene.ask(&api).await?.must_be(401)?;
    let audit = scene.accounts.audit(None, 10).await?;
    let told: Vec<_> = audit
        .iter()
        .map(|entry| (&*entry.audited.what, entry.audited.outcome))
        .collect();
    let wanted = [
        ("sign out", Outcome::Done),
        ("sign in", Outcome::Done),
        ("sign in", Outcome::Refused),
    ];
    ensure!(told == wanted, "{told:?}");
    ensure!(audit.iter().all(|entry| entry.audited.from == "127.0.0.1"));
    Ok(())
}

#[tokio::test]
async fn nobody_is_led_to_another_site_after_he_has_signed_in() -> Result<()> {
    let scene = scene().await?;
    scene.user("anna", Role::Viewer).await?;
    for away in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/a\r\nSet-Cookie: a=b",
    ] {
        let answer = scene.sign_in("anna", PASSWORD, away).await?.must_be(303)?;
        ensure!(
            answer.header("location") == Some("/"),
            "{away:?} leads to {:?}",
            answer.header("location")
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_session_ends_by_itself() -> Result<()> {
    let scene = scene().await?;
    let cookie = scene.signed_in("anna", Role::Viewer).await?;
    let page = Asked::get("/").with("Cookie", &cookie);
    for _ in 0..20 {
        scene.pass(SignedDuration::from_hours(8));
        scene.ask(&page).await?.must_be(200)?;
    }
    scene.pass(SignedDuration::from_hours(9));
    scene.ask(&page).await?.must_be(303)?;
    let cookie = scene.signed_in("bert", Role::Viewer).await?;
    scene.pass(SignedDuration::from_hours(13));
    scene
        .ask(&Asked::get("/").with("Cookie", &cookie))
        .await?
        .must_be(303)?;
    Ok(())
}

#[tokio::test]
async fn a_role_that_is_lowered_counts_at_once() -> Result<()> {
    let scene = scene().await?;
    let admin = scene.signed_in("anna", Role::Admin).await?;
    let other = scene.signed_in("bert", Role::Admin).await?;
    let users = Asked::get("/settings/users").with("Cookie", &other);
    scene.ask(&users).await?.must_be(200)?;
    let lower = Asked::post("/settings/users/bert/role")
        .of_ours()
        .with("Cookie", &admin)
        .form("role=viewer");
    scene.ask(&lower).await?.must_be(303)?;
    scene.ask(&users).await?.must_be(403)?;
    let last = Asked::post("/settings/users/anna/role")
        .of_ours()
        .with("Cookie", &admin)
        .form("role=viewer");
    ensure!(
        scene
            .ask(&last)
            .await?
            .must_be(409)?
            .body
            .contains("last administrator")
    );
    let audit = scene.accounts.audit(None, 10).await?;
    let told: Vec<_> = audit
        .iter()
        .map(|entry| (&*entry.audited.what, entry.audited.outcome))
        .collect();
    ensure!(told.contains(&("make user bert viewer", Outcome::Done)), "{told:?}");
    ensure!(
        told.contains(&("POST /settings/users/anna/role", Outcome::Refused)),
        "{told:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_is_shown_once_and_counts_until_it_expires_or_is_revoked() -> Result<()> {
    let scene = scene().await?;
    let cookie = scene.signed_in("anna", Role::Admin).await?;
    let filled = form(&[("name", "ci"), ("role", "viewer"), ("days", "1")]);
    let new = Asked::post("/settings/tokens")
        .of_ours()
        .with("Cookie", &cookie)
        .form(&filled);
    let page = scene.ask(&new).await?.must_be(201)?.body;
    let secret = page
        .split("stillpoint_")
        .nth(1)
        .and_then(|rest| rest.get(..64))
        .context("it is not shown")?;
    let bearer = format!("Bearer stillpoint_{secret}");
    let list = Asked::get("/settings/tokens").with("Cookie", &cookie);
    ensure!(
        !scene.ask(&list).await?.must_be(200)?.body.contains(secret),
        "it is shown again"
    );
    let api = Asked::get("/api/v1/me").with("Authorization", &bearer);
    ensure!(scene.ask(&api).await?.must_be(200)?.body.contains("token ci"));
    ensure!(scene.accounts.tokens().await?[0].used_at == Some(scene.now()));
    scene.pass(SignedDuration::from_hours(24));
    scene.ask(&api).await?.must_be(401)?;
    let forever = scene.token("forever", Role::Viewer, None).await?;
    let api = Asked::get("/api/v1/me").with("Authorization", &forever);
    scene.ask(&api).await?.must_be(200)?;
    let cookie = scene.signed_in("bert", Role::Admin).await?;
    let revoke = Asked::post("/settings/tokens/forever/revoke")
        .of_ours()
        .with("Cookie", &cookie);
    scene.ask(&revoke).await?.must_be(303)?;
    scene.ask(&api).await?.must_be(401)?;
    Ok(())
}

/// How many listen to what changes.
fn listeners(scene: &Scene) -> usize {
    scene.platform.told.lock().unwrap().as_ref().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_stream_ends_with_the_session_or_the_token_of_its_listener() -> Result<()> {
    let scene = Arc::new(scene().await?);
    *scene.platform.told.lock().unwrap() = Some(Vec::new());
    let cookie = scene.signed_in("anna", Role::Viewer).await?;
    let staying = scene.signed_in("bert", Role::Admin).await?;
    let bearer = scene.token("ci", Role::Viewer, None).await?;
    let proofs = [
        ("Cookie", cookie.clone()),
        ("Authorization", bearer),
        ("Cookie", staying.clone()),
    ];
    let mut streams = Vec::new();
    for (name, proof) in proofs {
        let listening = scene.clone();
        streams.push(tokio::spawn(async move {
            let stream = Asked::get("/api/v1/events").with(name, &proof);
            listening.ask(&stream).await
        }));
        while listeners(&scene) < streams.len() {
            tokio::task::yield_now().await;
        }
    }
    let out = Asked::post("/sign-out").of_ours().with("Cookie", &cookie);
    scene.ask(&out).await?.must_be(303)?;
    let revoke = Asked::post("/settings/tokens/ci/revoke")
        .of_ours()
        .with("Cookie", &staying);
    scene.ask(&revoke).await?.must_be(303)?;
    let stays = streams.pop().context("three listen")?;
    for stream in streams {
        stream.await??.must_be(200)?;
    }
    ensure!(!stays.is_finished(), "who may listen is let go, too");
    stays.abort();
    Ok(())
}

#[tokio::test]
async fn a_new_password_takes_the_old_one_and_ends_the_sessions() -> Result<()> {
    let scene = scene().await?;
    let cookie = scene.signed_in("anna", Role::Viewer).await?;
    let change = async |current| {
        let fields = [
            ("current", current),
            ("password", "another long word"),
            ("again", "another long word"),
        ];
        let filled = form(&fields);
        let asked = Asked::post("/settings/account")
            .of_ours()
            .with("Cookie", &cookie)
            .form(&filled);
        scene.ask(&asked).await
    };
    change("not the password").await?.must_be(400)?;
    change(PASSWORD).await?.must_be(303)?;
    scene
        .ask(&Asked::get("/").with("Cookie", &cookie))
        .await?
        .must_be(303)?;
    scene.sign_in("anna", PASSWORD, "/").await?.must_be(401)?;
    scene.sign_in("anna", "another long word", "/").await?.must_be(303)?;
    Ok(())
}

fn rules_of(proxies: &str) -> Result<Rules> {
    Ok(Rules {
        proxies: vec![proxies.parse()?],
        sign_on: Some(SignOn {
            user: SignOn::header("Remote-User").map_err(anyhow::Error::msg)?,
            groups: Some(SignOn::header("Remote-Groups").map_err(anyhow::Error::msg)?),
            admins: vec!["ops".to_owned()],
            operators: Vec::new(),
        }),
        ..Rules::default()
    })
}

#[tokio::test]
async fn a_proxy_that_is_trusted_signs_in_and_nobody_else_may_say_who_he_is() -> Result<()> {
    let asked = |groups| {
        let asked = Asked::get("/api/v1/me").with("Remote-User", "anna");
        asked.with("Remote-Groups", groups)
    };
    let untrusted = scene_with(rules_of("10.0.0.0/8")?, Limits::default()).await?;
    untrusted.ask(&asked("ops")).await?.must_be(401)?;
    let forged = asked("ops").with("X-Forwarded-For", "10.0.0.1");
    untrusted.ask(&forged).await?.must_be(401)?;
    let trusted = scene_with(rules_of("127.0.0.0/8")?, Limits::default()).await?;
    ensure!(
        trusted
            .ask(&asked("staff, ops"))
            .await?
            .must_be(200)?
            .body
            .contains(r#""role":"admin""#)
    );
    ensure!(
        trusted
            .ask(&asked("staff"))
            .await?
            .must_be(200)?
            .body
            .contains(r#""role":"viewer""#)
    );
    trusted.user("anna", Role::Operator).await?;
    ensure!(
        trusted
            .ask(&asked("staff"))
            .await?
            .must_be(200)?
            .body
            .contains(r#""role":"operator""#)
    );
    // A browser sends what its proxy makes of its session by itself: the site from which it comes counts all the same.
    let post = Asked::post("/api/v1/runs/x/cancel").with("Remote-User", "anna");
    trusted.ask(&post).await?.must_be(403)?;
    // Two of them: one is somebody's own.
    let twice = asked("ops").with("Remote-User", "eve");
    trusted.ask(&twice).await?.must_be(401)?;
    Ok(())
}

#[tokio::test]
async fn behind_tls_the_cookie_is_for_this_host_and_tls_alone() -> Result<()> {
    let rules = Rules {
        public: Some("https://backup.example.org".parse().map_err(anyhow::Error::msg)?),
        ..Rules::default()
    };
    let scene = scene_with(rules, Limits::default()).await?;
    scene.user("anna", Role::Viewer).await?;
    let answer = scene.sign_in("anna", PASSWORD, "/").await?.must_be(303)?;
    let cookie = answer.header("set-cookie").context("no cookie")?;
    ensure!(
        cookie.starts_with("__Host-stillpoint=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let page = Asked::get("/").host("backup.example.org");
    let cookie = answer.cookie()?;
    scene.ask(&page.with("Cookie", &cookie)).await?.must_be(200)?;
    Ok(())
}

#[tokio::test]
async fn broken_accounts_let_nobody_in_and_say_what_to_do() -> Result<()> {
    let scene = scene().await?;
    let cookie = scene.signed_in("anna", Role::Admin).await?;
    scene.accounts.is_broken(true);
    let page = scene
        .ask(&Asked::get("/").with("Cookie", &cookie))
        .await?
        .must_be(503)?;
    ensure!(page.body.contains("the disk is gone") && page.body.contains("look at the state directory"));
    scene.sign_in("anna", PASSWORD, "/").await?.must_be(503)?;
    scene.get("/readyz").await?.must_be(503)?;
    scene.get("/healthz").await?.must_be(200)?;
    scene.get("/sign-in").await?.must_be(200)?;
    scene.accounts.is_broken(false);
    scene
        .ask(&Asked::get("/").with("Cookie", &cookie))
        .await?
        .must_be(200)?;
    Ok(())
}
