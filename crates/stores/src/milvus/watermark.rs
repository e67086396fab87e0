//! The mark of client writes: the newest segment of each collection that was not made of others, its rows where it is loaded, and what
//! users have made. Compactions, index builds and loading move none of it. What was sent is stored before the first mark, so that
//! whatever is inserted afterwards begins a new segment.

use std::collections::BTreeMap;

use stillpoint_core::manifest::Watermark;
use stillpoint_core::stores::{Cx, StoreError};

use super::MilvusStore;
use super::config::Config;
use super::metadata::Metadata;
use super::session::{Session, Trouble};

/// Between a collection's name and what is marked of it.
const OF: &str = " · ";
const NEWEST: &str = "newest segment";
const ROWS: &str = "rows";

/// What users have made.
const STRUCTURE: &str = "collections, indexes, users and rights";

/// Numbers that a JSON of any reader can hold.
const MASK: u64 = (1 << 53) - 1;

impl MilvusStore {
    pub(super) async fn mark(&self, cx: &Cx, config: &Config) -> Result<Watermark, StoreError> {
        let session = self.open(cx, config).await?;
        let mut marks = BTreeMap::new();
        let counted = self.mark_rows(&session, &mut marks).await;
        let names = counted.map_err(|trouble| self.failed("marking what was written", trouble))?;
        let snapshot = self.metadata(cx, config).await?;
        let metadata = Metadata::of(&snapshot.pairs, config);
        marks.insert(STRUCTURE.to_owned(), metadata.structure());
        for segment in metadata.segments().iter().filter(|segment| !segment.is_compacted) {
            if let (Some(name), Ok(id)) = (names.get(&segment.collection), u64::try_from(segment.id)) {
                let newest = marks.entry(format!("{name}{OF}{NEWEST}")).or_default();
                *newest = (*newest).max(id & MASK);
            }
        }
        Ok(Watermark(marks))
    }

    /// Returns what the collections are called.
    async fn mark_rows(
        &self,
        session: &Session<'_>,
        marks: &mut BTreeMap<String, u64>,
    ) -> Result<BTreeMap<i64, String>, Trouble> {
        let mut names = BTreeMap::new();
        for (collection, rows) in session.rows_of_all().await? {
            if let Some(rows) = rows {
                marks.insert(format!("{}{OF}{ROWS}", collection.told()), rows);
            }
            names.insert(collection.id, collection.told());
        }
        Ok(names)
    }
}

/// What was written between two marks, in words. A segment that was the newest and is gone was removed by the server itself.
pub(super) fn moved(before: &Watermark, after: &Watermark) -> Vec<String> {
    let mut inserted = Vec::new();
    let mut told = Vec::new();
    for (mark, was, is) in before.differences(after) {
        match mark.rsplit_once(OF) {
            None => told.push(format!("{mark} were changed")),
            Some((of, NEWEST)) if is > was => inserted.push(of),
            Some((of, ROWS)) if before.0.contains_key(mark) && after.0.contains_key(mark) => {
                told.push(format!("collection {of}: {was} rows, and {is} now"));
            }
            // It was loaded, released, made or dropped: that is no row, or stands in what users have made.
            Some(_) => {}
        }
    }
    let more = inserted
        .iter()
        .filter(|of| !told.iter().any(|told| told.starts_with(&format!("collection {of}:"))));
    let more: Vec<String> = more.map(|of| format!("collection {of}: rows were written")).collect();
    told.extend(more);
    told
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
    fn every_write_is_told_once() {
        let before = [("d.c | newest segment", 5), ("d.c | rows", 9), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &before), "");
        let inserted = [("d.c | newest segment", 6), ("d.c | rows", 10), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &inserted), "collection d.c: 9 rows, and 10 now");
        let replaced = [("d.c | newest segment", 6), ("d.c | rows", 9), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &replaced), "collection d.c: rows were written");
        let made = [("d.c | newest segment", 5), ("d.c | rows", 9), (STRUCTURE, 2)];
        assert!(changed(&before, &made).contains("were changed"));
    }

    #[test]
    fn the_servers_own_work_is_no_write() {
        let before = [("d.c | newest segment", 5), ("d.c | rows", 9), (STRUCTURE, 1)];
        let removed = [("d.c | newest segment", 3), ("d.c | rows", 9), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &removed), "");
        let released = [("d.c | newest segment", 5), (STRUCTURE, 1)];
        assert_eq!(changed(&before, &released), "");
    }
}
