//! Backups: listed, looked at, kept from retention.

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use stillpoint_core::names::BackupId;

use crate::App;
use crate::auth::{Role, Who};
use crate::routes::Routes;
use crate::wire::Problem;
use crate::wire::backups::{BackupsPage, BackupsWanted};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/v1/backups", Role::Viewer, backups)
        .get("/api/v1/backups/{backup}", Role::Viewer, backup)
        .post("/api/v1/backups/{backup}/protect", Role::Operator, protect)
        .post("/api/v1/backups/{backup}/unprotect", Role::Operator, unprotect)
}

async fn backups(State(app): State<App>, Query(wanted): Query<BackupsWanted>) -> Result<Json<BackupsPage>, Problem> {
    let (_, page) = crate::backups::wanted(&app, &wanted).await?;
    Ok(Json(page))
}

async fn backup(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let detail = crate::backups::detail(&app, &id).await?;
    let document = serde_json::to_vec(&detail).unwrap_or_default();
    let tag = tag(&document);
    let has = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut has = has
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','));
    if has.any(|known| matches!(known.trim().trim_start_matches("W/"), known if known == tag || known == "*")) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let kind = "application/json".to_owned();
    Ok(([(header::ETAG, tag), (header::CONTENT_TYPE, kind)], document).into_response())
}

/// The same document has the same tag.
fn tag(document: &[u8]) -> String {
    use std::fmt::Write;
    let digest = Sha256::digest(document);
    let hash = digest.iter().take(16).fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    });
    format!("\"{hash}\"")
}

async fn protect(app: State<App>, id: Path<String>, Extension(who): Extension<Who>) -> Result<StatusCode, Problem> {
    set_protection(&app, &id, true, &who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unprotect(app: State<App>, id: Path<String>, Extension(who): Extension<Who>) -> Result<StatusCode, Problem> {
    set_protection(&app, &id, false, &who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps a backup from retention, or gives it back.
pub(crate) async fn set_protection(app: &App, id: &str, on: bool, who: &Who) -> Result<(), Problem> {
    let id: BackupId = id.parse().map_err(|error| Problem::unknown_backup(&error))?;
    app.platform.protect(id, on, who).await
}
