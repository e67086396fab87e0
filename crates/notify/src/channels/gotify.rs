//! Gotify: `gotify://HOST[:PORT][/PATH]/TOKEN`; `?disableTLS=yes` without TLS.

use reqwest::Url;
use secrecy::SecretString;
use serde_json::json;
use stillpoint_core::ports::notices::{Gravity, Notice};

use super::{Made, Shape, words};
use crate::address::{Parts, Refusal, is_yes};
use crate::sender::Call;

const MOST: usize = 4000;

struct Gotify {
    url: Url,
    token: SecretString,
}

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let insecure = parts.asked(&["disabletls"]).is_some_and(|text| is_yes(&text))
        || parts.asked(&["scheme"]).is_some_and(|scheme| scheme == "http");
    let host = parts.host()?;
    let mut path = parts.path();
    let Some(token) = path.pop() else {
        return Err(Refusal(
            "write the token of an application after the host: `gotify://HOST/TOKEN`".to_owned(),
        ));
    };
    path.push("message".to_owned());
    let url = parts.at(!insecure, &format!("/{}", path.join("/")))?;
    let shape = Gotify {
        url,
        token: SecretString::from(token.clone()),
    };
    Ok(Made::http("gotify", host, vec![token], shape))
}

impl Shape for Gotify {
    fn call(&self, notice: &Notice) -> Call {
        let priority = match notice.kind.weight() {
            Gravity::Bad => 8,
            Gravity::Warning => 6,
            Gravity::Good => 4,
        };
        let body = json!({
            "title": notice.title,
            "message": words::body(notice, MOST),
            "priority": priority,
        });
        let mut call = Call::json(self.url.clone(), &body);
        call.headers.push(("x-gotify-key", self.token.clone()));
        call
    }
}
