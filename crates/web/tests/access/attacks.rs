//! What somebody tries who is not to get in.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::Role;
use stillpoint_web::auth::Rules;
use stillpoint_web::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{Asked, PASSWORD, scene, scene_with};

#[tokio::test]
async fn a_name_that_leads_here_from_elsewhere_is_not_answered() -> Result<()> {
    let scene = scene().await?;
    let cookie = scene.signed_in("anna", Role::Admin).await?;
    for host in ["evil.example", "localhost.evil.example", ""] {
        let asked = Asked::get("/").with("Cookie", &cookie).host(host);
        scene.ask(&asked).await?.must_be(421)?;
        scene.ask(&Asked::get("/healthz").host(host)).await?.must_be(421)?;
    }
    scene
        .ask(&Asked::get("/healthz").host("localhost:3004"))
        .await?
        .must_be(200)?;
    Ok(())
}

#[tokio::test]
async fn a_page_of_somebody_else_changes_nothing_in_the_name_of_who_has_signed_in() -> Result<()> {
    let scene = scene().await?;
    let cookie = scene.signed_in("anna", Role::Admin).await?;
    let forged: [&[(&str, &str)]; 6] = [
        &[],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "null")],
        &[("Origin", "http://evil.example")],
        &[("Referer", "http://evil.example/?http://localhost/")],
    ];
    for headers in forged {
        let asked = Asked::post("/settings/users").with("Cookie", &cookie);
        let asked = headers
            .iter()
            .fold(asked, |asked, (name, value)| asked.with(name, value));
        let answer = scene
            .ask(&asked.form("name=eve&role=admin&password=correct+horse+battery"))
            .await?;
        ensure!(answer.status == 403, "{headers:?}: {}", answer.status);
    }
    ensure!(scene.accounts.users().await?.len() == 1);
    // Nor is anybody signed in or out by one.
    scene
        .ask(&Asked::post("/sign-out").with("Cookie", &cookie))
        .await?
        .must_be(403)?;
    scene
        .ask(&Asked::post("/sign-in").form("name=anna&password=x"))
        .await?
        .must_be(403)?;
    let place = format!("http://{}", scene.address);
    let own = Asked::post("/settings/users")
        .with("Cookie", &cookie)
        .with("Origin", &place);
    let own = own.form("name=bert&role=viewer&password=correct+horse+battery");
    scene.ask(&own).await?.must_be(303)?;
    Ok(())
}

#[tokio::test]
async fn a_thousand_wrong_passwords_are_refused_and_keep_nobody_else_out() -> Result<()> {
    let scene = scene().await?;
    scene.user("anna", Role::Admin).await?;
    let mut answers = std::collections::BTreeMap::new();
    for number in 0..1000 {
        let answer = scene.sign_in("anna", &format!("wrong password {number}"), "/").await?;
        *answers.entry(answer.status).or_insert(0) += 1;
    }
    ensure!(answers == [(401, 10), (429, 990)].into(), "{answers:?}");
    // Not even the right one counts now, and nothing was written for each of them.
    scene.sign_in("anna", PASSWORD, "/").await?.must_be(429)?;
    let audit = scene.accounts.audit(None, 100).await?;
    ensure!(audit.len() == 11, "{} entries", audit.len());
    ensure!(scene.said.lock().unwrap().len() == 11);
    scene.get("/sign-in").await?.must_be(200)?;
    scene.pass(SignedDuration::from_mins(15));
    scene.sign_in("anna", PASSWORD, "/").await?.must_be(303)?;
    Ok(())
}

#[tokio::test]
async fn tricks_in_ids_find_nothing() -> Result<()> {
    let scene = scene().await?;
    let bearer = scene.token("ci", Role::Admin, None).await?;
    let mut places = Vec::new();
    for trick in [
        "..",
        "%2e%2e",
        "%2e%2e%2fetc%2fpasswd",
        "..%2f..",
        "%00",
        "a%00b",
        "%ff",
        "%0d%0aX:%201",
        "%5c..",
    ] {
        for before in ["/api/v1/runs/", "/api/v1/users/", "/assets/0/", "/setup/", "/"] {
            places.push(format!("{before}{trick}"));
        }
    }
    places.push("/../../etc/passwd".to_owned());
    places.push(format!("/api/v1/runs/{}", "a".repeat(8000)));
    for place in places {
        for method in ["GET", "DELETE", "POST"] {
            let asked = Asked::new(method, &place).with("Authorization", &bearer);
            let answer = scene.ask(&asked).await?;
            ensure!(
                (400..500).contains(&answer.status),
                "{method} {place}: {}",
                answer.status
            );
            ensure!(
                answer.header("x").is_none() && !answer.body.contains("root:"),
                "{place}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_was_read() -> Result<()> {
    let scene = scene().await?;
    let bearer = scene.token("ci", Role::Admin, None).await?;
    let large = "x".repeat(10 << 20);
    let asked = Asked::post("/api/v1/runs").with("Authorization", &bearer).json(&large);
    scene.ask(&asked).await?.must_be(413)?;
    // Nobody has a smaller measure.
    let smaller = &large[..32 << 10];
    scene
        .ask(&Asked::post("/sign-in").of_ours().form(smaller))
        .await?
        .must_be(413)?;
    // One that does not say how large it is, is read up to the measure.
    let head = format!(
        "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n"
    );
    let chunks = format!("{head}{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    scene.raw(chunks.as_bytes()).await?.must_be(413)?;
    Ok(())
}

#[tokio::test]
async fn who_sends_slowly_is_let_go_and_holds_up_nobody_for_long() -> Result<()> {
    let limits = Limits {
        connections: 2,
        head: Duration::from_millis(300),
    };
    let scene = scene_with(Rules::default(), limits).await?;
    let mut slow = Vec::new();
    for begin in ["GET / HTTP/1.1\r\nHost: local", ""] {
        let mut stream = TcpStream::connect(scene.address).await?;
        stream.write_all(begin.as_bytes()).await?;
        slow.push(stream);
    }
    // There is no place until they are let go.
    scene.get("/healthz").await?.must_be(200)?;
    for mut stream in slow {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await;
        let _ = end.context("it still holds its place")?;
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_tells_a_browser_what_it_may_do() -> Result<()> {
    let scene = scene().await?;
    let answers = [
        scene.get("/sign-in").await?,
        scene.get("/").await?,
        scene.get("/nothing").await?,
        scene.get("/api/v1/runs").await?,
        scene.get("/healthz").await?,
        scene.ask(&Asked::get("/").host("evil.example")).await?,
        scene.ask(&Asked::post("/sign-in")).await?,
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").context("no policy")?;
        ensure!(
            policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"),
            "{policy}"
        );
        let told = ["x-content-type-options", "x-frame-options", "referrer-policy"].map(|name| answer.header(name));
        ensure!(told == [Some("nosniff"), Some("DENY"), Some("same-origin")], "{told:?}");
        ensure!(answer.header("permissions-policy").is_some() && answer.header("cache-control") == Some("no-store"));
        let id = answer.header("x-request-id").context("no id")?;
        ensure!(
            answer.status < 400 || answer.body.contains(id),
            "{}: {}",
            answer.status,
            answer.body
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_link_on_a_page_of_somebody_else_leads_on_by_a_page_of_ours() -> Result<()> {
    let scene = scene().await?;
    let asked = Asked::get("/runs/42?a=\"><b>").with("Sec-Fetch-Site", "cross-site");
    let page = scene.ask(&asked).await?;
    // Such an address is none.
    page.must_be(400)?;
    let asked = Asked::get("/settings/audit").with("Sec-Fetch-Site", "cross-site");
    let page = scene.ask(&asked).await?.must_be(200)?;
    ensure!(
        page.body.contains("url=/sign-in?next=%2Fsettings%2Faudit"),
        "{}",
        page.body
    );
    let cookie = scene.signed_in("anna", Role::Admin).await?;
    let led = Asked::get("/sign-in?next=%2Fsettings%2Faudit").with("Cookie", &cookie);
    ensure!(scene.ask(&led).await?.must_be(303)?.header("location") == Some("/settings/audit"));
    Ok(())
}
