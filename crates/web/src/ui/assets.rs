//! The files that pages need, in the program itself. Their addresses hold a hash of what they hold: they are kept for ever.

use std::fmt::Write;

use axum::extract::Path;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::routes::Routes;

/// Name, type, content.
const FILES: [(&str, &str, &str); 4] = [
    (
        "stillpoint.css",
        "text/css; charset=utf-8",
        include_str!("../../assets/stillpoint.css"),
    ),
    (
        "runs.css",
        "text/css; charset=utf-8",
        include_str!("../../assets/runs.css"),
    ),
    (
        "stillpoint.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/stillpoint.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

pub(super) fn routes(routes: Routes) -> Routes {
    routes.open(Method::GET, "/assets/{hash}/{name}", asset)
}

/// Where a file is served.
pub(crate) fn address(name: &str) -> String {
    let known = FILES.iter().find(|(file, ..)| *file == name);
    let content = known.map_or("", |(.., content)| content);
    format!("/assets/{}/{name}", hash(content))
}

fn hash(content: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    digest.iter().take(8).fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

async fn asset(Path((wanted, name)): Path<(String, String)>) -> Response {
    let known = FILES.iter().find(|(file, ..)| *file == name);
    match known {
        Some((_, kind, content)) if hash(content) == wanted => {
            let kept = "public, max-age=31536000, immutable";
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, kept)], *content).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
