//! What the API answers is what its description says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use common::{Fake, Scenario};
use serde_json::{Value, json};
use tower::ServiceExt;

/// A schema of the document, with what it refers to.
fn schema(document: &Value, of: &Value) -> Value {
    let mut schema = of.clone();
    schema["components"] = document["components"].clone();
    schema
}

fn wrong(document: &Value, of: &Value, answer: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(&schema(document, of)).unwrap();
    let errors = validator.iter_errors(answer);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

async fn answer(scenario: Scenario, place: &str) -> (StatusCode, Value) {
    let router = stillpoint_web::local(Fake::new(scenario));
    let request = Request::get(place).body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn answers_are_as_the_document_says_in_every_scenario() {
    let (_, document) = answer(Scenario::Protected, "/api/v1/openapi.json").await;
    let (mut as_said, mut refused) = (0, 0);
    for (name, scenario) in Scenario::ALL {
        for (path, operations) in document["paths"].as_object().unwrap() {
            let answers = &operations["get"]["responses"];
            let of = &answers["200"]["content"]["application/json"]["schema"];
            if of.is_null() || path.contains("{plan}") {
                continue;
            }
            let place = path.replace("{run}", "53").replace("{backup}", "2026-03-13_00-00-00");
            let (status, told) = answer(scenario, &place).await;
            let of = if status.is_success() {
                as_said += 1;
                of
            } else {
                refused += 1;
                &answers["default"]["content"]["application/problem+json"]["schema"]
            };
            let wrong = wrong(&document, of, &told);
            assert!(wrong.is_empty(), "{name} {place}: {wrong:#?}");
        }
    }
    assert!(as_said > 100 && refused > 3, "{as_said} answers, {refused} refusals");
}

#[tokio::test]
async fn the_document_s_orders_are_those_that_are_taken() {
    let (_, document) = answer(Scenario::Protected, "/api/v1/openapi.json").await;
    let of = json!({ "$ref": "#/components/schemas/Order" });
    let id = "2026-03-14_00-00-00";
    let orders = [
        json!({ "order": "backup" }),
        json!({ "order": "backup", "mode": "hold" }),
        json!({ "order": "restore", "backup": id, "selection": { "stores": ["nats"] }, "terms": {} }),
        json!({ "order": "resume_restore", "discard_old": true }),
        json!({ "order": "undo_restore" }),
        json!({ "order": "discard_old" }),
        json!({ "order": "verify", "scope": "all" }),
        json!({ "order": "verify", "scope": { "one": id } }),
        json!({ "order": "verify", "scope": { "within": 7 } }),
        json!({ "order": "prune" }),
    ];
    for order in orders {
        assert_eq!(wrong(&document, &of, &order), Vec::<String>::new(), "{order}");
        serde_json::from_value::<stillpoint_core::operations::Order>(order).unwrap();
    }
    for none in [json!({ "order": "explode" }), json!({}), json!({ "order": "verify" })] {
        assert!(!wrong(&document, &of, &none).is_empty(), "{none}");
        serde_json::from_value::<stillpoint_core::operations::Order>(none).unwrap_err();
    }
}
