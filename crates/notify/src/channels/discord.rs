//! Discord: `discord://TOKEN@ID`, the two ends of a webhook's address.

use reqwest::Url;
use serde_json::json;
use stillpoint_core::ports::notices::{Gravity, Notice};

use super::{Made, Shape, words};
use crate::address::{Parts, Refusal};
use crate::sender::Call;

/// The description of an embed holds 4096 characters.
const MOST: usize = 4000;

struct Discord(Url);

pub(super) fn read(parts: &mut Parts) -> Result<Made, Refusal> {
    let (Some(token), id) = (parts.user(), parts.host()?) else {
        let why = "write `discord://TOKEN@ID` for https://discord.com/api/webhooks/ID/TOKEN";
        return Err(Refusal(why.to_owned()));
    };
    let url = format!("https://discord.com/api/webhooks/{id}/{token}");
    let url = Url::parse(&url).map_err(|why| Refusal(format!("its token is none ({why})")))?;
    Ok(Made::http(
        "discord",
        "discord.com".to_owned(),
        vec![token, id],
        Discord(url),
    ))
}

impl Shape for Discord {
    fn call(&self, notice: &Notice) -> Call {
        let colour = match notice.kind.weight() {
            Gravity::Bad => 0x00d1_242f,
            Gravity::Warning => 0x00bf_8700,
            Gravity::Good => 0x001a_7f37,
        };
        let body = json!({
            "username": "Stillpoint",
            // Nobody is called by a name that stands in an error.
            "allowed_mentions": { "parse": [] },
            "embeds": [{
                "title": words::cut(&words::title(notice), 250),
                "description": words::body(notice, MOST),
                "color": colour,
                "timestamp": notice.at,
            }],
        });
        Call::json(self.0.clone(), &body)
    }
}
