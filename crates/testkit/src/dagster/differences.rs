//! In which places two answers differ. Members of a list are told apart by what they are about, so that one that is gone is not taken
//! for a change of all that follow it.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a member of a list is about.
const NAMES: [&str; 6] = ["assetKey", "key", "runId", "name", "id", "stepKey"];

/// A line for each place, with its path.
pub(super) fn differences(path: &str, was: &Value, is: &Value) -> Vec<String> {
    match (was, is) {
        _ if was == is => Vec::new(),
        (Value::Object(before), Value::Object(after)) => {
            let both = |name: &String| {
                let of = |members: &serde_json::Map<String, Value>| members.get(name).cloned().unwrap_or_default();
                differences(&format!("{path}/{name}"), &of(before), &of(after))
            };
            let only_after = after.keys().filter(|name| !before.contains_key(*name));
            before.keys().chain(only_after).flat_map(both).collect()
        }
        (Value::Array(before), Value::Array(after)) => of_lists(path, before, after),
        _ => vec![format!("{path}: {was} became {is}")],
    }
}

fn of_lists(path: &str, before: &[Value], after: &[Value]) -> Vec<String> {
    let (was, is) = (named(before), named(after));
    let mut found: Vec<String> = was
        .iter()
        .flat_map(|(name, value)| differences(&format!("{path}/{name}"), value, is.get(name).unwrap_or(&&Value::Null)))
        .collect();
    let new = is.iter().filter(|(name, _)| !was.contains_key(*name));
    found.extend(new.map(|(name, value)| format!("{path}/{name}: new: {value}")));
    if found.is_empty() {
        found.push(format!("{path}: in another order"));
    }
    found
}

/// By name; by number where a member has no name, or one that another has too.
fn named(list: &[Value]) -> BTreeMap<String, &Value> {
    let names: Vec<Option<String>> = list.iter().map(name).collect();
    let name_of = |place: usize| {
        let name = names[place].clone()?;
        let is_alone = names.iter().filter(|other| other.as_deref() == Some(&name)).count() == 1;
        is_alone.then_some(name)
    };
    let entry = |(place, value)| (name_of(place).unwrap_or_else(|| place.to_string()), value);
    list.iter().enumerate().map(entry).collect()
}

fn name(member: &Value) -> Option<String> {
    let value = NAMES.iter().find_map(|name| member.get(name))?;
    let path = value["path"].as_array().into_iter().flatten();
    let path: Vec<&str> = path.filter_map(Value::as_str).collect();
    Some(value.as_str().map_or_else(|| path.join("."), str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_named_by_its_path() {
        let one = |key: &str, run: Value| json!({"assetKey": {"path": [key]}, "latestRun": run});
        let was = json!({"infos": [one("a", json!({"runId": "r"})), one("b", Value::Null)]});
        let is = json!({"infos": [one("a", Value::Null), one("b", Value::Null)]});
        assert_eq!(differences("latest", &was, &was), Vec::<String>::new());
        let found = differences("latest", &was, &is);
        assert_eq!(found, ["latest/infos/a/latestRun: {\"runId\":\"r\"} became null"]);
    }

    #[test]
    fn a_member_that_is_gone_new_or_moved_is_found() {
        let (was, is) = (json!(["x", "y"]), json!(["x"]));
        assert_eq!(differences("l", &was, &is), ["l/1: \"y\" became null"]);
        assert_eq!(differences("l", &is, &was), ["l/1: new: \"y\""]);
        let (was, is) = (
            json!([{"name": "a"}, {"name": "b"}]),
            json!([{"name": "b"}, {"name": "a"}]),
        );
        assert_eq!(differences("l", &was, &is), ["l: in another order"]);
    }
}
