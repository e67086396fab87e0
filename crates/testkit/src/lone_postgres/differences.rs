//! Comparing what a server holds with what it held, line by line and in order, but for the differences that are known.
//! `docs/stores/postgres.md` names each of them and its reason.

use super::Facts;

/// A difference that is known: this line of a section becomes that one; no line is none.
pub struct Known {
    /// The words of the page by which it is named.
    pub named: &'static str,
    /// Where it stands.
    pub section: &'static str,
    /// What the line was; empty: there was none.
    pub was: &'static str,
    /// What it is; empty: it is gone.
    pub is: &'static str,
}

/// What differs beyond what is known, and what is known and does not differ.
pub fn differences<'a>(before: &Facts, after: &Facts, known: impl IntoIterator<Item = &'a Known>) -> Vec<String> {
    let mut expected = before.clone();
    let mut found = Vec::new();
    for Known { section, was, is, .. } in known {
        let lines = expected.entry((*section).to_owned()).or_default();
        match lines.iter().position(|line| line == was) {
            Some(at) if is.is_empty() => drop(lines.remove(at)),
            Some(at) => (*is).clone_into(&mut lines[at]),
            None if was.is_empty() => lines.push((*is).to_owned()),
            None => found.push(format!("{section}: known, but not there: {was}")),
        }
    }
    for section in expected
        .keys()
        .chain(after.keys().filter(|name| !expected.contains_key(*name)))
    {
        let none = Vec::new();
        let (was, is) = (
            expected.get(section).unwrap_or(&none),
            after.get(section).unwrap_or(&none),
        );
        found.extend(lines(was, is).into_iter().map(|line| format!("{section}: {line}")));
    }
    found
}

/// Who was granted something first is of no consequence.
const UNORDERED: [&str; 3] = ["GRANT ", "REVOKE ", "ALTER DEFAULT PRIVILEGES "];

/// The lines that only one of two texts has; where both have the same, the first that stands elsewhere.
fn lines(was: &[String], is: &[String]) -> Vec<String> {
    let only = |sign: &'static str, of: &[String], other: &[String]| {
        let mut rest = other.to_vec();
        let mut only = Vec::new();
        for line in of {
            match rest.iter().position(|there| there == line) {
                Some(at) => drop(rest.remove(at)),
                None => only.push(format!("{sign}{line}")),
            }
        }
        only
    };
    let mut found = only("-", was, is);
    found.extend(only("+", is, was));
    if found.is_empty() {
        let ordered = |line: &&String| !UNORDERED.iter().any(|words| line.starts_with(words));
        let mut pairs = was.iter().filter(ordered).zip(is.iter().filter(ordered));
        let moved = pairs.find(|(was, is)| was != is);
        found.extend(moved.map(|(was, _)| format!("elsewhere: {was}")));
    }
    found
}
