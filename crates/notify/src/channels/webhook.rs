//! Any HTTP server that takes JSON: `webhook+https://host/path`, also `generic+https://…` as shoutrrr writes it. What stands
//! after `#` signs: `X-Stillpoint-Signature` is the HMAC-SHA256, in hexadecimal, of the timestamp in
//! `X-Stillpoint-Timestamp`, a dot, and the body.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;
use stillpoint_core::ports::notices::Notice;

use super::{Made, Shape};
use crate::address::{Parts, Refusal, is_yes};
use crate::hex::hex;
use crate::sender::Call;

struct Webhook {
    url: Url,
    basic: Option<(String, SecretString)>,
    key: Option<SecretString>,
}

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let secure = match parts.over.as_deref() {
        Some("https") | None => !parts.asked(&["disabletls"]).is_some_and(|text| is_yes(&text)),
        Some("http") => false,
        Some(_) => return Err(Refusal("it is neither `+https` nor `+http`".to_owned())),
    };
    let host = parts.host()?;
    let mut url = parts.at(secure, parts.url.path())?;
    // The receiver's own query is the receiver's.
    let names: Vec<String> = parts.unheeded().to_vec();
    let own: Vec<(String, String)> = parts
        .url
        .query_pairs()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("disabletls"))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    for name in &names {
        parts.asked(&[name]);
    }
    if !own.is_empty() {
        url.query_pairs_mut().extend_pairs(&own);
    }
    let mut secrets: Vec<String> = [parts.user(), parts.password(), parts.fragment()]
        .into_iter()
        .flatten()
        .collect();
    secrets.extend(parts.path().into_iter().filter(|part| part.len() >= 12));
    secrets.extend(own.into_iter().map(|(_, value)| value).filter(|value| value.len() >= 8));
    let password = parts.password().unwrap_or_default();
    let shape = Webhook {
        url,
        basic: parts.user().map(|user| (user, SecretString::from(password))),
        key: parts.fragment().map(SecretString::from),
    };
    Ok(Made::http("webhook", host, secrets, shape))
}

impl Shape for Webhook {
    fn call(&self, notice: &Notice) -> Call {
        let body = json!({
            "version": 1,
            "event": notice.kind.name(),
            "title": notice.title,
            "text": notice.text,
            "hint": notice.hint,
            "job": notice.job,
            "run": notice.run,
            "platform": notice.platform,
            "host": notice.host,
            "at": notice.at,
            "link": notice.link,
        });
        let mut call = Call::json(self.url.clone(), &body);
        call.basic.clone_from(&self.basic);
        if let Some(key) = &self.key {
            let at = Timestamp::now().as_second();
            let signature = signature(key, at, &call.body);
            call.headers.push(("x-stillpoint-timestamp", at.to_string().into()));
            call.headers
                .push(("x-stillpoint-signature", format!("sha256={signature}").into()));
        }
        call
    }
}

/// The signature of a body at a second.
pub(crate) fn signature(key: &SecretString, second: i64, body: &str) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{second}.{body}").as_bytes());
    hex(&mac.finalize().into_bytes())
}
