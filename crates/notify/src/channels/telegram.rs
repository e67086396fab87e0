//! Telegram: `telegram://TOKEN@telegram?chats=@channel,123`. Each chat is a channel of its own: one that failed must not have
//! the others told twice.

use reqwest::Url;
use serde_json::{Value, json};
use stillpoint_core::ports::notices::Notice;

use super::{Made, Shape, words};
use crate::address::{Parts, Refusal, is_yes};
use crate::sender::Call;

/// A message holds 4096 characters.
const MOST: usize = 4000;

struct Telegram {
    url: Url,
    chat: String,
    quiet: bool,
}

pub(super) fn read(parts: &mut Parts) -> Result<Vec<Made>, Refusal> {
    let chats = parts.asked(&["chats", "channels"]).unwrap_or_default();
    let quiet = parts.asked(&["notification"]).is_some_and(|text| !is_yes(&text));
    let chats: Vec<&str> = chats
        .split(',')
        .map(str::trim)
        .filter(|chat| !chat.is_empty())
        .collect();
    let (Some(bot), Some(secret)) = (parts.user(), parts.password()) else {
        return Err(Refusal(
            "write the token of a bot: `telegram://123:ABC@telegram?chats=CHAT`".to_owned(),
        ));
    };
    if chats.is_empty() {
        return Err(Refusal("it names no chat: add `?chats=CHAT`".to_owned()));
    }
    let url = format!("https://api.telegram.org/bot{bot}:{secret}/sendMessage");
    let url = Url::parse(&url).map_err(|why| Refusal(format!("its token is none ({why})")))?;
    let made = chats.into_iter().map(|chat| {
        let shape = Telegram {
            url: url.clone(),
            chat: chat.to_owned(),
            quiet,
        };
        let secrets = vec![secret.clone()];
        Made::http("telegram", "api.telegram.org".to_owned(), secrets, shape)
    });
    Ok(made.collect())
}

impl Shape for Telegram {
    fn call(&self, notice: &Notice) -> Call {
        let body = json!({
            "chat_id": self.chat,
            "text": words::whole(notice, MOST),
            "disable_notification": self.quiet,
            "link_preview_options": { "is_disabled": true },
        });
        Call::json(self.url.clone(), &body)
    }

    fn check(&self, answer: &str) -> Result<(), String> {
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        match answer.get("ok") {
            Some(Value::Bool(false)) => {
                let why = answer["description"].as_str().unwrap_or("no reason");
                Err(format!("Telegram refused it: {why}"))
            }
            _ => Ok(()),
        }
    }
}
