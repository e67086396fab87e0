//! An Apprise server, which passes on to a hundred others: `apprise://HOST[:PORT]/KEY`, over TLS `apprises://…`.

use reqwest::Url;
use secrecy::SecretString;
use serde_json::json;
use stillpoint_core::ports::notices::{Gravity, Notice};

use super::{Made, Shape, words};
use crate::address::{Parts, Refusal};
use crate::sender::Call;

const MOST: usize = 4000;

struct Apprise {
    url: Url,
    basic: Option<(String, SecretString)>,
    tags: Option<String>,
}

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let secure = parts.scheme == "apprises";
    let tags = parts.asked(&["tag", "tags"]);
    let host = parts.host()?;
    let mut path = parts.path();
    let Some(key) = path.pop() else {
        return Err(Refusal(
            "write the key of its configuration after the host: `apprise://HOST/KEY`".to_owned(),
        ));
    };
    path.extend(["notify".to_owned(), key.clone()]);
    let password = parts.password();
    let shape = Apprise {
        url: parts.at(secure, &format!("/{}", path.join("/")))?,
        basic: parts
            .user()
            .map(|user| (user, SecretString::from(password.clone().unwrap_or_default()))),
        tags,
    };
    let secrets = [Some(key), password].into_iter().flatten().collect();
    Ok(Made::http("apprise", host, secrets, shape))
}

impl Shape for Apprise {
    fn call(&self, notice: &Notice) -> Call {
        let kind = match notice.kind.weight() {
            Gravity::Bad => "failure",
            Gravity::Warning => "warning",
            Gravity::Good => "success",
        };
        let mut body = json!({
            "title": notice.title,
            "body": words::body(notice, MOST),
            "type": kind,
            "format": "text",
        });
        if let Some(tags) = &self.tags {
            body["tag"] = json!(tags);
        }
        let mut call = Call::json(self.url.clone(), &body);
        call.basic.clone_from(&self.basic);
        call
    }
}
