//! Teams: `teams+https://…`, the whole address of a workflow; or `teams://GROUP@TENANT/ID/OWNER?host=…`, as shoutrrr writes
//! that of a connector. Both take an adaptive card.

use reqwest::Url;
use serde_json::json;
use stillpoint_core::ports::notices::{Gravity, Notice};

use super::{Made, Shape, words};
use crate::address::{Parts, Refusal};
use crate::sender::Call;

/// A message of Teams holds 28 KiB.
const MOST: usize = 4000;

struct Teams(Url);

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let url = match parts.over.as_deref() {
        Some("https") => workflow(parts)?,
        Some(_) => return Err(Refusal("it is not `teams+https`".to_owned())),
        None => connector(parts)?,
    };
    let host = url.host_str().unwrap_or_default().to_owned();
    let path = url.path_segments().into_iter().flatten();
    let mut secrets: Vec<String> = path.filter(|part| part.len() >= 8).map(ToOwned::to_owned).collect();
    secrets.extend(
        url.query_pairs()
            .map(|(_, value)| value.into_owned())
            .filter(|value| value.len() >= 8),
    );
    Ok(Made::http("teams", host, secrets, Teams(url)))
}

fn workflow(parts: &mut Parts) -> Result<Url, Refusal> {
    parts.host()?;
    let mut url = parts.at(true, parts.url.path())?;
    url.set_query(parts.url.query());
    // All of it is the receiver's.
    for name in parts.unheeded().to_vec() {
        parts.asked(&[&name]);
    }
    Ok(url)
}

fn connector(parts: &mut Parts) -> Result<Url, Refusal> {
    let host = parts.asked(&["host"]);
    let (group, tenant, path) = (parts.user(), parts.host()?, parts.path());
    let (Some(host), Some(group), [id, owner]) = (host, group, &path[..]) else {
        let why = "write `teams+https://…` with the whole address of a workflow, or `teams://GROUP@TENANT/ID/OWNER?host=HOST`";
        return Err(Refusal(why.to_owned()));
    };
    let url = format!("https://{host}/webhookb2/{group}@{tenant}/IncomingWebhook/{id}/{owner}");
    Url::parse(&url).map_err(|why| Refusal(format!("it leads nowhere ({why})")))
}

impl Shape for Teams {
    fn call(&self, notice: &Notice) -> Call {
        let colour = match notice.kind.weight() {
            Gravity::Bad => "Attention",
            Gravity::Warning => "Warning",
            Gravity::Good => "Good",
        };
        let card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                { "type": "TextBlock", "text": words::title(notice), "weight": "Bolder", "color": colour, "wrap": true },
                { "type": "TextBlock", "text": words::body(notice, MOST), "wrap": true },
            ],
        });
        let body = json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "content": card,
            }],
        });
        Call::json(self.0.clone(), &body)
    }
}
