//! The API's own description, as `OpenAPI` 3.1. It is written by hand in `docs/openapi.json`: a test fails when a route is
//! missing from it or is none, another when an answer is not as it says.

use axum::http::header;
use axum::response::IntoResponse;

use crate::auth::Role;
use crate::routes::Routes;

const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/api/v1/openapi.json", Role::Viewer, document)
}

async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_lists_every_route_of_the_api_with_its_role_and_nothing_else() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut written = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let role = operation["x-least-role"].as_str().unwrap_or("everybody");
                written.insert(format!("{} {path} {role}", method.to_uppercase()));
            }
        }
        let routes = crate::all();
        let of_api = routes.list().iter().filter(|route| route.path.starts_with("/api/"));
        let served: BTreeSet<String> = of_api
            .map(|route| {
                let role = route.least.map_or("everybody".to_owned(), |role| role.to_string());
                format!("{} {} {role}", route.method, route.path)
            })
            .collect();
        let missing: Vec<_> = served.difference(&written).collect();
        let invented: Vec<_> = written.difference(&served).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "docs/openapi.json lacks {missing:#?} and invents {invented:#?}"
        );
    }
}
