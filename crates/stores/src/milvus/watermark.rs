//! The mark of client writes: of each collection the newest segment that was not made of others and the newest delete, and what users
//! have made. All of it is read from the metadata, after the server has stored what it was sent. Compactions, index builds and loading
//! move none of it.
//!
//! Not the number of rows: while a server takes over what it has just stored it counts some of it twice, or not at all.

use std::collections::BTreeMap;

use stillpoint_core::manifest::Watermark;
use stillpoint_core::stores::{Cx, StoreError};

use super::MilvusStore;
use super::config::Config;
use super::metadata::Metadata;

/// Between a collection's name and what is marked of it.
const OF: &str = " · ";
const SEGMENT: &str = "newest segment";
const DELETE: &str = "newest delete";

/// What users have made.
const STRUCTURE: &str = "collections, indexes, users and rights";

/// Numbers that a JSON of any reader can hold.
const MASK: u64 = (1 << 53) - 1;

impl MilvusStore {
    /// Whatever was sent to it is stored first: until then the metadata does not show it.
    pub(super) async fn mark(&self, cx: &Cx, config: &Config) -> Result<Watermark, StoreError> {
        let session = self.open(cx, config).await?;
        let collections = session.collections().await;
        let collections = collections.map_err(|trouble| self.failed("listing its collections", trouble))?;
        let names: BTreeMap<i64, String> = collections.iter().map(|of| (of.id, of.told())).collect();
        let snapshot = self.metadata(cx, config).await?;
        Ok(marked(&Metadata::of(&snapshot.pairs, config), &names))
    }
}

fn marked(metadata: &Metadata<'_>, names: &BTreeMap<i64, String>) -> Watermark {
    let mut marks = BTreeMap::from([(STRUCTURE.to_owned(), metadata.structure())]);
    let mut raise = |collection: i64, what: &str, to: u64| {
        if let Some(name) = names.get(&collection) {
            let mark = marks.entry(format!("{name}{OF}{what}")).or_default();
            *mark = (*mark).max(to & MASK);
        }
    };
    for segment in metadata.segments().iter().filter(|segment| !segment.is_compacted) {
        raise(
            segment.collection,
            SEGMENT,
            u64::try_from(segment.id).unwrap_or_default(),
        );
    }
    for (collection, at) in metadata.newest_deletes() {
        raise(collection, DELETE, at);
    }
    Watermark(marks)
}

/// What was written between two marks, in words. What was the newest and is gone was removed by the server itself.
pub(super) fn moved(before: &Watermark, after: &Watermark) -> Vec<String> {
    let told = before
        .differences(after)
        .filter_map(|(mark, was, is)| match mark.rsplit_once(OF) {
            None => Some(format!("{mark} were changed")),
            Some((of, SEGMENT)) if is > was => Some(format!("collection {of}: rows were inserted")),
            Some((of, DELETE)) if is > was => Some(format!("collection {of}: rows were deleted")),
            Some(_) => None,
        });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(before: &[(&str, u64)], after: &[(&str, u64)]) -> String {
        let marks = |marks: &[(&str, u64)]| {
            let named = marks.iter().map(|(mark, at)| (mark.replace(" | ", OF), *at));
            Watermark(named.collect())
        };
        moved(&marks(before), &marks(after)).join("; ")
    }

    #[test]
    fn every_write_is_told() {
        let before = [("d.c | newest segment", 5), ("d.c | newest delete", 9), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &before), "");
        let inserted = [("d.c | newest segment", 6), ("d.c | newest delete", 9), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &inserted), "collection d.c: rows were inserted");
        let deleted = [("d.c | newest segment", 5), ("d.c | newest delete", 10), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &deleted), "collection d.c: rows were deleted");
        let first = [("d.c | newest segment", 5), (STRUCTURE, 1)];
        assert_eq!(changed(&first, &before), "collection d.c: rows were deleted");
        let made = [("d.c | newest segment", 5), ("d.c | newest delete", 9), (STRUCTURE, 2)];
        assert!(changed(&before, &made).contains("were changed"));
    }

    #[test]
    fn the_servers_own_work_is_no_write() {
        let before = [("d.c | newest segment", 5), ("d.c | newest delete", 9), (STRUCTURE, 1)];
        let removed = [("d.c | newest segment", 3), ("d.c | newest delete", 7), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &removed), "");
        assert_eq!(changed(&before, &[(STRUCTURE, 1)]), "");
    }

    #[test]
    fn a_later_segment_has_a_larger_mark() {
        let large = 470_813_531_832_320_044_u64;
        assert!((large & MASK) < (large + 1) & MASK);
    }
}
