//! What each kind sends, as the receiver gets it, and what becomes of a refusal.

use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{SECRET, body, header, notice, only};
use crate::channels::Channel;
use crate::sender::{Carrier, Sender};

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(template).mount(&server).await;
    server
}

fn channel(address: &str) -> Channel {
    crate::channels(address).unwrap().all.remove(0)
}

/// Sends the notice to a server that takes it, and returns what that got.
async fn sent(address: &str) -> wiremock::Request {
    let server = answering(ResponseTemplate::new(200)).await;
    let answer = Sender::to(&server.uri()).carry(&channel(address), &notice()).await;
    assert_eq!(answer.as_deref(), Ok("taken"));
    only(&server).await
}

#[tokio::test]
async fn a_webhook_gets_all_of_it_as_json_and_can_prove_who_sent_it() {
    let got = sent(&format!(
        "webhook+https://u:pw@h.example.org/in/stillpoint?to=me#{SECRET}"
    ))
    .await;
    assert_eq!((got.url.path(), got.url.query()), ("/in/stillpoint", Some("to=me")));
    let told = body(&got);
    assert_eq!((&told["event"], &told["version"]), (&json!("failed"), &json!(1)));
    assert_eq!(told["title"], json!("Backup FAILED: acme on vm1"));
    assert_eq!((&told["hint"], &told["run"]), (&json!("make room"), &json!("42")));
    assert_eq!(header(&got, "authorization"), "Basic dTpwdw==");
    // What is signed is what came, at the second that was named.
    let second: i64 = header(&got, "x-stillpoint-timestamp").parse().unwrap();
    let text = String::from_utf8(got.body.clone()).unwrap();
    let expected = crate::channels::signature(&SECRET.into(), second, &text);
    assert_eq!(header(&got, "x-stillpoint-signature"), format!("sha256={expected}"));
    assert!(!text.contains(SECRET) && !got.url.as_str().contains(SECRET));
}

/// RFC 4231 has no vector of this form; this one was made by OpenSSL.
#[test]
fn a_signature_is_that_of_every_other_hmac() {
    let signed = crate::channels::signature(&"key".to_owned().into(), 1, "{}");
    assert_eq!(
        signed,
        "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
    );
}

#[tokio::test]
async fn slack_gets_text_in_which_nothing_is_markup() {
    let got = sent("slack://hook:T00-B00-CCC@webhook").await;
    assert_eq!(got.url.path(), "/services/T00/B00/CCC");
    let text = body(&got)["text"].as_str().unwrap().to_owned();
    assert!(text.contains("no &lt;space&gt; &amp; nothing else"), "{text}");
    assert!(text.contains("What to do: make room"), "{text}");
    let got = sent("slack://xoxb:12-34-abc@C0123").await;
    assert_eq!(got.url.path(), "/api/chat.postMessage");
    assert_eq!(header(&got, "authorization"), "Bearer xoxb-12-34-abc");
    assert_eq!(body(&got)["channel"], json!("C0123"));
}

#[tokio::test]
async fn discord_gets_an_embed_that_calls_nobody() {
    let got = sent("discord://tok@99").await;
    assert_eq!(got.url.path(), "/api/webhooks/99/tok");
    let told = body(&got);
    assert_eq!(told["allowed_mentions"]["parse"], json!([]));
    assert_eq!(told["embeds"][0]["title"], json!("❌ Backup FAILED: acme on vm1"));
    let text = told["embeds"][0]["description"].as_str().unwrap();
    assert!(text.ends_with("https://backup.example.org/runs/42"), "{text}");
}

#[tokio::test]
async fn teams_gets_an_adaptive_card_by_workflow_and_by_connector() {
    let got = sent("teams+https://x.logic.azure.com/workflows/w/run?sig=abc").await;
    assert_eq!((got.url.path(), got.url.query()), ("/workflows/w/run", Some("sig=abc")));
    let card = &body(&got)["attachments"][0];
    assert_eq!(card["contentType"], json!("application/vnd.microsoft.card.adaptive"));
    assert_eq!(card["content"]["body"][0]["color"], json!("Attention"));
    let got = sent("teams://group@tenant/alt/owner?host=acme.webhook.office.com").await;
    assert_eq!(got.url.path(), "/webhookb2/group@tenant/IncomingWebhook/alt/owner");
}

#[tokio::test]
async fn ntfy_gets_json_at_its_root_with_priority_and_login() {
    let got = sent(&format!("ntfy://:{SECRET}@ntfy.sh/topic")).await;
    assert_eq!(
        (got.url.path(), header(&got, "authorization")),
        ("/", &*format!("Bearer {SECRET}"))
    );
    let told = body(&got);
    assert_eq!((&told["topic"], &told["priority"]), (&json!("topic"), &json!(5)));
    assert_eq!(told["click"], json!("https://backup.example.org/runs/42"));
    let got = sent("ntfy://u:pw@ntfy.sh/topic?scheme=http").await;
    assert_eq!(header(&got, "authorization"), "Basic dTpwdw==");
}

#[tokio::test]
async fn gotify_gets_its_token_in_a_header() {
    let got = sent(&format!("gotify://g.example.org/sub/{SECRET}")).await;
    assert_eq!((got.url.path(), header(&got, "x-gotify-key")), ("/sub/message", SECRET));
    assert_eq!(body(&got)["priority"], json!(8));
}

#[tokio::test]
async fn telegram_gets_plain_text_for_one_chat() {
    let got = sent("telegram://12:ABC@telegram?chats=@ops&notification=no").await;
    assert_eq!(got.url.path(), "/bot12:ABC/sendMessage");
    let told = body(&got);
    assert_eq!(
        (&told["chat_id"], &told["disable_notification"]),
        (&json!("@ops"), &json!(true))
    );
    assert!(told["text"].as_str().unwrap().starts_with("❌ Backup FAILED"), "{told}");
}

#[tokio::test]
async fn apprise_gets_title_body_and_type_at_its_key() {
    let got = sent("apprise://u:pw@apprise:8000/key?tag=ops").await;
    assert_eq!(
        (got.url.path(), header(&got, "authorization")),
        ("/notify/key", "Basic dTpwdw==")
    );
    let told = body(&got);
    assert_eq!((&told["type"], &told["tag"]), (&json!("failure"), &json!("ops")));
}

/// The secret of each kind stands in its address; the receiver says it back.
#[tokio::test]
async fn a_refusal_is_told_with_its_status_and_without_the_secret() {
    let refusing = ResponseTemplate::new(401).set_body_string(format!("who is {SECRET}?\nsecond line"));
    let server = answering(refusing).await;
    for address in [
        format!("webhook+https://u:{SECRET}@h/in"),
        format!("webhook+https://h/in#{SECRET}"),
        format!("slack://hook:A-B-{}@webhook", SECRET.replace('-', "")),
        format!("discord://{SECRET}@1"),
        format!("teams+https://h/workflows?sig={SECRET}"),
        format!("ntfy://:{SECRET}@h/topic"),
        format!("ntfy://h/{SECRET}"),
        format!("gotify://h/{SECRET}"),
        format!("telegram://1:{SECRET}@telegram?chats=1"),
        format!("apprise://h/{SECRET}"),
    ] {
        let channel = channel(&address);
        let why = Sender::to(&server.uri()).carry(&channel, &notice()).await.unwrap_err();
        assert!(why.starts_with("it answered 401 Unauthorized: who is"), "{why}");
        assert!(!why.contains("second line"), "{why}");
        if !address.starts_with("slack") {
            assert!(!why.contains(SECRET), "{address}: {why}");
        }
    }
}

#[tokio::test]
async fn what_says_no_with_200_is_a_refusal_too() {
    let server =
        answering(ResponseTemplate::new(200).set_body_json(json!({ "ok": false, "error": "channel_not_found" }))).await;
    let why = Sender::to(&server.uri())
        .carry(&channel("slack://xoxb:1-2-c@C1"), &notice())
        .await;
    assert_eq!(why.unwrap_err(), "Slack refused it: channel_not_found");
    let told = json!({ "ok": false, "description": "chat not found" });
    let server = answering(ResponseTemplate::new(200).set_body_json(told)).await;
    let why = Sender::to(&server.uri())
        .carry(&channel("telegram://1:A@telegram?chats=1"), &notice())
        .await;
    assert_eq!(why.unwrap_err(), "Telegram refused it: chat not found");
}

/// The secrets of a request go to whom they were meant for.
#[tokio::test]
async fn nobody_is_followed_to_another_address() {
    let away = ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/");
    let server = answering(away).await;
    let why = Sender::to(&server.uri())
        .carry(&channel("gotify://h/T"), &notice())
        .await
        .unwrap_err();
    assert!(
        why.starts_with("it answered 302 Found") && why.contains("give the address"),
        "{why}"
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn where_nobody_listens_it_says_so_without_the_address() {
    let channel = channel(&format!("gotify://127.0.0.1:1/{SECRET}?disableTLS=yes"));
    let why = Sender::new().carry(&channel, &notice()).await.unwrap_err();
    assert!(why.starts_with("no connection: ") && !why.contains(SECRET), "{why}");
}

/// Time is virtual: it jumps as soon as nobody can go on.
#[tokio::test(start_paused = true)]
async fn who_takes_it_and_never_answers_is_left_after_ten_seconds() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let channel = channel(&format!("gotify://{address}/{SECRET}?disableTLS=yes"));
    let begun = tokio::time::Instant::now();
    let why = Sender::new().carry(&channel, &notice()).await.unwrap_err();
    assert_eq!(why, "it did not answer within 10 s");
    assert!(
        begun.elapsed() <= std::time::Duration::from_secs(11),
        "{:?}",
        begun.elapsed()
    );
}
