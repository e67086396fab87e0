//! A store's mark of client writes: unchanged over the standstill, nothing was written in it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Marks by name: `openwebui: next transaction` → 8,123. Only the store that took it knows what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Watermark(pub BTreeMap<String, u64>);

/// The marks around a store's pin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watermarks {
    /// Before the first store was pinned.
    pub before: Watermark,
    /// After the last byte was read.
    pub after: Watermark,
}

impl Watermark {
    /// The marks that differ, in order of name: name, before, after. One that only one of them has counts
    /// as 0 in the other.
    pub fn differences<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = (&'a str, u64, u64)> {
        let names: std::collections::BTreeSet<&str> = self.0.keys().chain(after.0.keys()).map(String::as_str).collect();
        let mark = |marks: &Self, name: &str| marks.0.get(name).copied().unwrap_or(0);
        names.into_iter().filter_map(move |name| {
            let (was, is) = (mark(self, name), mark(after, name));
            (was != is).then_some((name, was, is))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_appeared_or_vanished_is_named() {
        let marks =
            |marks: &[(&str, u64)]| Watermark(marks.iter().map(|(name, mark)| ((*name).into(), *mark)).collect());
        let (before, after) = (
            marks(&[("a", 1), ("b", 2), ("c", 3)]),
            marks(&[("a", 1), ("b", 5), ("d", 4)]),
        );
        let moved: Vec<_> = before.differences(&after).collect();
        assert_eq!(moved, [("b", 2, 5), ("c", 3, 0), ("d", 0, 4)]);
    }
}
