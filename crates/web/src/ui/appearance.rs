//! Light or dark, where the reader wants it otherwise than his system says. A cookie remembers it, so that the page is drawn
//! right from its first byte.

use axum::extract::Form;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

use crate::routes::Routes;

const COOKIE: &str = "theme";

/// What can be asked for.
const THEMES: [&str; 2] = ["light", "dark"];

pub(super) fn routes(routes: Routes) -> Routes {
    routes.open(Method::POST, "/appearance", set)
}

/// What the reader has asked for; none: as his system says.
pub(super) fn of(headers: &HeaderMap) -> Option<&'static str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, wanted) = pairs.find(|(name, _)| *name == COOKIE)?;
    THEMES.into_iter().find(|theme| *theme == wanted)
}

#[derive(Deserialize)]
struct Wanted {
    theme: String,
    back: String,
}

async fn set(Form(wanted): Form<Wanted>) -> impl IntoResponse {
    let cookie = match THEMES.into_iter().find(|theme| *theme == wanted.theme) {
        Some(theme) => format!("{COOKIE}={theme}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict"),
        None => format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"),
    };
    let place = [(header::SET_COOKIE, cookie), (header::LOCATION, here(&wanted.back))];
    (StatusCode::SEE_OTHER, place)
}

/// A place of our own: nobody is led elsewhere.
fn here(back: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let is_ours = back.starts_with('/') && !back.starts_with("//") && back.bytes().all(plain);
    if is_ours { back } else { "/" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::here;

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(here("/backups?sort=size"), "/backups?sort=size");
        for foreign in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nb",
            "",
        ] {
            assert_eq!(here(foreign), "/", "{foreign}");
        }
    }
}
