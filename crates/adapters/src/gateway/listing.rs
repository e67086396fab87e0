//! Pages of a listing (Amazon's manual, `ListObjectsV2`): in the order of the names' bytes, names that share what comes before
//! the delimiter rolled up to one entry.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Entries that a page has at most.
const MOST: usize = 1000;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Query<'q> {
    pub(super) prefix: &'q str,
    /// Empty for none.
    pub(super) delimiter: &'q str,
    /// Entries come after this one; empty for all.
    pub(super) after: &'q str,
    pub(super) most: Option<i32>,
}

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<O> {
    pub(super) objects: Vec<(String, O)>,
    pub(super) prefixes: Vec<String>,
    /// The last entry, if there are more.
    pub(super) next: Option<String>,
}

impl Query<'_> {
    /// Entries that a page may have.
    pub(super) fn most(&self) -> usize {
        let most = self.most.map_or(MOST, |most| usize::try_from(most).unwrap_or_default());
        most.min(MOST)
    }

    /// The page of all `objects` that was asked for.
    pub(super) fn page<O: Clone>(&self, objects: &BTreeMap<String, O>) -> Page<O> {
        let mut page = Page {
            objects: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        };
        let mut last = None;
        for (name, object) in self.candidates(objects) {
            let rolled = self.rolled_up(name);
            if rolled == Some(self.after) || rolled.is_some() && rolled == page.prefixes.last().map(String::as_str) {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == self.most() {
                page.next = last;
                return page;
            }
            match rolled {
                Some(prefix) => page.prefixes.push(prefix.to_owned()),
                None => page.objects.push((name.clone(), object.clone())),
            }
            last = Some(rolled.unwrap_or(name).to_owned());
        }
        page
    }

    fn candidates<'o, O>(&self, objects: &'o BTreeMap<String, O>) -> impl Iterator<Item = (&'o String, &'o O)> {
        let start = match self.after.cmp(self.prefix) {
            std::cmp::Ordering::Less => Bound::Included(self.prefix),
            _ if self.after.is_empty() => Bound::Unbounded,
            _ => Bound::Excluded(self.after),
        };
        let all = objects.range::<str, _>((start, Bound::Unbounded));
        all.take_while(|(name, _)| name.starts_with(self.prefix))
    }

    /// What a name is rolled up to.
    fn rolled_up<'n>(&self, name: &'n str) -> Option<&'n str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let at = name.get(self.prefix.len()..)?.find(self.delimiter)?;
        name.get(..self.prefix.len() + at + self.delimiter.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects() -> BTreeMap<String, u8> {
        let names = ["a/1", "a/2", "a/b/1", "a/b/2", "a/c/d/1", "a/d", "a0", "b/1"];
        names.iter().map(|name| ((*name).to_owned(), 0)).collect()
    }

    /// All entries, page by page.
    fn all(prefix: &str, delimiter: &str, most: i32) -> Vec<Vec<String>> {
        let (objects, mut after, mut pages) = (objects(), String::new(), Vec::new());
        loop {
            let query = Query {
                prefix,
                delimiter,
                after: &after,
                most: Some(most),
            };
            let page = query.page(&objects);
            let names = page.objects.into_iter().map(|(name, _)| name);
            pages.push(names.chain(page.prefixes).collect());
            match page.next {
                Some(next) => after = next,
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_of_any_size_hold_the_same_entries() {
        for (prefix, delimiter, entries) in [
            (
                "",
                "",
                &["a/1", "a/2", "a/b/1", "a/b/2", "a/c/d/1", "a/d", "a0", "b/1"][..],
            ),
            ("", "/", &["a/", "a0", "b/"]),
            ("a/", "/", &["a/1", "a/2", "a/b/", "a/c/", "a/d"]),
            ("a/b", "", &["a/b/1", "a/b/2"]),
            ("a", "/", &["a/", "a0"]),
            ("c", "/", &[]),
        ] {
            for most in 1..10 {
                let pages = all(prefix, delimiter, most);
                let mut found: Vec<String> = pages.concat();
                found.sort();
                assert_eq!(found, entries, "{prefix} by {most}");
                let full = usize::try_from(most).unwrap();
                assert_eq!(pages.len(), entries.len().div_ceil(full).max(1), "{prefix} by {most}");
            }
        }
    }

    #[test]
    fn a_page_has_a_thousand_entries_at_most() {
        let objects: BTreeMap<String, u8> = (0..1500).map(|number| (format!("{number:04}"), 0)).collect();
        for most in [None, Some(5000)] {
            let query = Query {
                most,
                ..Query::default()
            };
            let page = query.page(&objects);
            assert_eq!((page.objects.len(), page.next.as_deref()), (1000, Some("0999")));
        }
        let none = Query {
            most: Some(0),
            ..Query::default()
        };
        assert_eq!(none.page(&objects).objects, []);
    }
}
