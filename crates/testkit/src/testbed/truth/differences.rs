//! Two truths side by side, as lines for people. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Facts, Truth};

impl Truth {
    /// What is different in `other`, one readable line each; empty when the two are the same. `self` is what ought to be.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = of_facts("cluster", &self.cluster, &other.cluster);
        lines.extend(of_places("database", &self.databases, &other.databases));
        lines.extend(of_places("place", &self.places, &other.places));
        lines
    }
}

fn of_places(kind: &str, a: &BTreeMap<String, Facts>, b: &BTreeMap<String, Facts>) -> Vec<String> {
    let each = names(a, b)
        .into_iter()
        .flat_map(|name| match (a.get(name), b.get(name)) {
            (Some(x), Some(y)) => of_facts(name, x, y),
            (Some(_), None) => vec![format!("{name}: the {kind} is missing")],
            _ => vec![format!("{name}: a {kind} that ought not to be there")],
        });
    each.collect()
}

fn names<'a, V>(a: &'a BTreeMap<String, V>, b: &'a BTreeMap<String, V>) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}

fn of_facts(place: &str, a: &Facts, b: &Facts) -> Vec<String> {
    let each = names(a, b)
        .into_iter()
        .flat_map(|name| match (a.get(name), b.get(name)) {
            (Some(x), Some(y)) => of_values(name, x, y),
            (Some(_), None) => vec![format!("{name}: missing")],
            _ => vec![format!("{name}: ought not to be there")],
        });
    each.map(|line| format!("{place}: {line}")).collect()
}

/// Descends as far as both sides have the same form, so that a line names the one column that differs.
fn of_values(name: &str, a: &Value, b: &Value) -> Vec<String> {
    match (a, b) {
        _ if a == b => Vec::new(),
        (Value::Object(x), Value::Object(y)) => {
            let keys: BTreeSet<_> = x.keys().chain(y.keys()).collect();
            let at = |side: &serde_json::Map<String, Value>, key: &str| side.get(key).cloned().unwrap_or(Value::Null);
            keys.into_iter()
                .flat_map(|key| of_values(&format!("{name}: {key}"), &at(x, key), &at(y, key)))
                .collect()
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() && x.iter().all(Value::is_object) => {
            let pairs = x.iter().zip(y).enumerate();
            pairs
                .flat_map(|(i, (x, y))| of_values(&format!("{name} {}", label(x, i)), x, y))
                .collect()
        }
        _ => vec![format!("{name}: was {}, is {}", brief(a), brief(b))],
    }
}

/// A whole list of columns would drown the other lines.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 120;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}… ({} characters)", &text[..cut], text.chars().count()),
        None => text,
    }
}

/// A column by its name, anything else by its place.
fn label(element: &Value, index: usize) -> String {
    element
        .get("name")
        .and_then(Value::as_str)
        .map_or_else(|| format!("#{}", index + 1), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn truth(rows: u32, column: &str) -> Truth {
        let facts = Facts::from([
            ("rows public.t".to_owned(), json!({"count": rows, "hash": "1"})),
            (
                "table public.t".to_owned(),
                json!({"owner": "me", "columns": [{"name": "a", "type": column}]}),
            ),
        ]);
        Truth {
            cluster: Facts::from([("role me".to_owned(), json!({"login": true}))]),
            databases: [("db".to_owned(), facts)].into(),
            places: [("valkey/0".to_owned(), Facts::new())].into(),
        }
    }

    #[test]
    fn the_same_truth_has_no_differences() {
        assert_eq!(truth(3, "text").differences(&truth(3, "text")), Vec::<String>::new());
    }

    #[test]
    fn a_line_names_the_place_and_both_values() {
        let lines = truth(3, "text").differences(&truth(2, "bigint"));
        assert_eq!(
            lines,
            [
                "db: rows public.t: count: was 3, is 2",
                "db: table public.t: columns a: type: was \"text\", is \"bigint\""
            ]
        );
    }

    #[test]
    fn missing_and_unexpected_are_told_apart() {
        let ought = truth(3, "text");
        let mut is = ought.clone();
        is.cluster.clear();
        is.cluster.insert("role you".to_owned(), json!({}));
        let facts = is.databases.remove("db").unwrap();
        is.databases.insert("other".to_owned(), facts);
        is.places.clear();
        let expected = [
            "cluster: role me: missing",
            "cluster: role you: ought not to be there",
            "db: the database is missing",
            "other: a database that ought not to be there",
            "valkey/0: the place is missing",
        ];
        assert_eq!(ought.differences(&is), expected);
    }
}
