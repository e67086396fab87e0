//! Slack: `slack://hook:A-B-C@webhook` (an incoming webhook), `slack://A/B/C` (the same, as it was written once), or
//! `slack://xoxb:TOKEN@CHANNEL` (a bot).

use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};
use stillpoint_core::ports::notices::Notice;

use super::{Made, Shape, words};
use crate::address::{Parts, Refusal};
use crate::sender::Call;

/// Slack takes more; nobody reads more.
const MOST: usize = 3000;

enum Slack {
    Hook(Url),
    Bot { token: SecretString, channel: String },
}

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let host = parts.host()?;
    let password = parts.password().unwrap_or_default();
    match parts.user().as_deref() {
        Some(kind @ ("xoxb" | "xoxp")) => {
            let token = format!("{kind}-{}", password.trim_start_matches('-'));
            let shape = Slack::Bot {
                token: SecretString::from(token.clone()),
                channel: host,
            };
            Ok(Made::http(
                "slack",
                "slack.com".to_owned(),
                vec![token, password],
                shape,
            ))
        }
        Some("hook") => hook(password.split('-').map(ToOwned::to_owned).collect()),
        _ => hook([vec![host], parts.path()].concat()),
    }
}

fn hook(tokens: Vec<String>) -> Result<Made, Refusal> {
    if tokens.len() != 3 || tokens.iter().any(String::is_empty) {
        let why =
            "a webhook of Slack has three tokens: `slack://hook:A-B-C@webhook`; a bot: `slack://xoxb:TOKEN@CHANNEL`";
        return Err(Refusal(why.to_owned()));
    }
    let url = format!("https://hooks.slack.com/services/{}", tokens.join("/"));
    let url = Url::parse(&url).map_err(|why| Refusal(format!("its tokens are none ({why})")))?;
    Ok(Made::http(
        "slack",
        "hooks.slack.com".to_owned(),
        tokens,
        Slack::Hook(url),
    ))
}

impl Shape for Slack {
    fn call(&self, notice: &Notice) -> Call {
        let text = escaped(&words::whole(notice, MOST));
        match self {
            Self::Hook(url) => Call::json(url.clone(), &json!({ "text": text })),
            Self::Bot { token, channel } => {
                let body = json!({ "channel": channel, "text": text });
                let mut call = Call::json(post_message(), &body);
                let bearer = secrecy::ExposeSecret::expose_secret(token);
                call.headers.push(("authorization", format!("Bearer {bearer}").into()));
                call
            }
        }
    }

    /// Slack answers 200 to what it refuses.
    fn check(&self, answer: &str) -> Result<(), String> {
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        match answer.get("ok") {
            Some(Value::Bool(false)) => {
                let error = answer["error"].as_str().unwrap_or("no reason");
                Err(format!("Slack refused it: {error}"))
            }
            _ => Ok(()),
        }
    }
}

#[expect(clippy::expect_used, reason = "a fixed address is one")]
fn post_message() -> Url {
    Url::parse("https://slack.com/api/chat.postMessage").expect("a fixed address")
}

/// The three characters that mean something else in a message.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
