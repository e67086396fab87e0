//! Where streams that copy from others go on after a restore. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::archive::origin;
use super::streams::Stream;

/// Tells a stream's sources from where to go on, and returns it in words. Servers since 2.15 know an origin by when
/// it was made: they take a restored one for another, and would copy it from its beginning once more.
pub(super) fn go_on(stream: &mut Stream, copied: &BTreeMap<String, u64>) -> Vec<String> {
    let sources = stream.config.get_mut("sources").and_then(Value::as_array_mut);
    let mut told = Vec::new();
    for source in sources.into_iter().flatten().filter_map(Value::as_object_mut) {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
        let taken = |value: &Value| match text(value.get("src")) {
            all if all.is_empty() => ">".to_owned(),
            some => some,
        };
        let transforms = source
            .get("subject_transforms")
            .and_then(Value::as_array)
            .filter(|all| !all.is_empty());
        let filter = match transforms {
            Some(transforms) => transforms.iter().map(taken).collect::<Vec<_>>().join("\u{c}"),
            None => taken(&json!({"src": source.get("filter_subject")})),
        };
        let name = text(source.get("name"));
        let Some(last) = copied
            .get(&origin(&name, &filter))
            .filter(|_| !source.contains_key("consumer"))
        else {
            continue;
        };
        source.remove("opt_start_time");
        source.insert("opt_start_seq".to_owned(), json!(last + 1));
        told.push(format!("{name} at {}", last + 1));
    }
    told
}
