//! ntfy: `ntfy://[USER:PASSWORD@]HOST[:PORT]/TOPIC`; `ntfy://:TOKEN@…` for an access token; `?scheme=http` without TLS.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use stillpoint_core::ports::notices::{Gravity, Notice};

use super::{Made, Shape, words};
use crate::address::{Parts, Refusal};
use crate::sender::Call;

/// ntfy makes a file of what is longer than 4096 bytes.
const MOST: usize = 2000;

struct Ntfy {
    url: Url,
    topic: String,
    user: Option<String>,
    password: Option<SecretString>,
}

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let secure = parts.asked(&["scheme"]).is_none_or(|scheme| scheme != "http");
    let host = parts.host()?;
    let [topic] = &parts.path()[..] else {
        return Err(Refusal(
            "write one topic after the host: `ntfy://HOST/TOPIC`".to_owned(),
        ));
    };
    let (user, password) = (parts.user(), parts.password());
    // Whoever knows a topic reads it.
    let secrets = [Some(topic.clone()), password.clone()].into_iter().flatten().collect();
    let shape = Ntfy {
        url: parts.at(secure, "/")?,
        topic: topic.clone(),
        user,
        password: password.map(SecretString::from),
    };
    Ok(Made::http("ntfy", host, secrets, shape))
}

impl Shape for Ntfy {
    fn call(&self, notice: &Notice) -> Call {
        let (priority, tag) = match notice.kind.weight() {
            Gravity::Bad => (5, "rotating_light"),
            Gravity::Warning => (4, "warning"),
            Gravity::Good => (3, "white_check_mark"),
        };
        let mut body = json!({
            "topic": self.topic,
            "title": notice.title,
            "message": words::body(notice, MOST),
            "priority": priority,
            "tags": [tag],
        });
        if let Some(link) = &notice.link {
            body["click"] = json!(link);
        }
        let mut call = Call::json(self.url.clone(), &body);
        match (&self.user, &self.password) {
            (Some(user), Some(password)) => call.basic = Some((user.clone(), password.clone())),
            (None, Some(token)) => {
                let bearer = format!("Bearer {}", token.expose_secret());
                call.headers.push(("authorization", bearer.into()));
            }
            _ => {}
        }
        call
    }
}
