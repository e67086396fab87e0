//! A database of Dagster in a simulated store, as far as upkeep goes: rows that go in batches, an index that is built in two steps, and
//! a repack with a trigger. Before each step the server is asked, so that each can fail, and each can be the last.

use async_trait::async_trait;
use stillpoint_core::maintenance::{
    CleanedDatabase, CleanupWish, DatabaseStatus, Found, Handled, Handler, IndexStatus, RepackedDatabase,
    RepackedTable, Rules, ticks,
};
use stillpoint_core::stores::{Cx, StoreError, Upkeep};

use super::FakeStore;

/// The name of the database.
const DATABASE: &str = "dagster";
const INDEX: &str = "stillpoint_logs";
/// So many rows go at once.
const BATCH: u64 = 10;

/// What a store holds of a Dagster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Debug logs past their window.
    pub old: u64,
    /// Rows that stay.
    pub stays: u64,
    /// How far the index is that a cleanup needs.
    pub index: Index,
    /// A repack is at work, or was killed: every write costs double.
    pub trigger: bool,
    /// Bytes that a repack would give back.
    pub bloat: u64,
}

/// How far an index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Index {
    /// It is not there.
    #[default]
    Missing,
    /// Every write pays for it, and no query uses it.
    Unfinished,
    /// It can be used.
    Built,
}

impl FakeStore {
    fn kept<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> Result<T, StoreError> {
        let done = self.data(|data| data.dagster.as_mut().map(act))?;
        done.ok_or_else(|| StoreError::Unfit("it has no database of Dagster".into()))
    }

    /// One statement: it begins with its transaction, and what it does is done when the server has answered.
    async fn step<T>(&self, cx: &Cx, act: impl FnOnce(&mut Kept) -> T) -> Result<T, StoreError> {
        self.ask(cx).await?;
        self.kept(act)
    }

    async fn ensure_index(&self, cx: &Cx) -> Result<(), StoreError> {
        let found = self.step(cx, |kept| kept.index).await?;
        if found == Index::Built {
            return Ok(());
        }
        if found == Index::Unfinished {
            self.step(cx, |kept| kept.index = Index::Missing).await?;
        }
        self.step(cx, |kept| kept.index = Index::Unfinished).await?;
        self.step(cx, |kept| kept.index = Index::Built).await
    }

    async fn delete(&self, cx: &Cx, rules: &Rules, tally: &mut Handled) -> Result<(), StoreError> {
        loop {
            let most = rules.limit.saturating_sub(tally.rows).min(BATCH);
            let rows = self.step(cx, |kept| {
                let rows = kept.old.min(most);
                kept.old -= rows;
                rows
            });
            let rows = rows.await?;
            tally.rows += rows;
            tally.batches += u64::from(rows > 0);
            if rows < most || most == 0 {
                break;
            }
        }
        let left = self.step(cx, |kept| kept.old).await?;
        tally.left = Some(left);
        tally.ticks_to_drained = Some(ticks(left, rules.limit));
        Ok(())
    }

    fn cleaned(&self, handlers: Vec<Handled>) -> CleanedDatabase {
        CleanedDatabase {
            store: self.name.clone(),
            database: DATABASE.to_owned(),
            schema: "public".to_owned(),
            version: String::new(),
            notes: Vec::new(),
            failed: Vec::new(),
            bytes: None,
            handlers,
        }
    }
}

#[async_trait]
impl Upkeep for FakeStore {
    async fn databases(&self, cx: &Cx) -> Result<Found, StoreError> {
        self.step(cx, |_| Found {
            there: vec![DATABASE.to_owned()],
            ..Found::default()
        })
        .await
    }

    async fn count(&self, cx: &Cx, _database: &str, rules: &Rules) -> Result<CleanedDatabase, StoreError> {
        let mut tally = Handled::new(Handler::DebugLogs, rules.debug_days);
        tally.rows = self.step(cx, |kept| kept.old).await?;
        Ok(self.cleaned(vec![tally]))
    }

    async fn clean(
        &self,
        cx: &Cx,
        _database: &str,
        rules: &Rules,
        _wish: CleanupWish,
    ) -> Result<CleanedDatabase, StoreError> {
        let mut cleaned = self.cleaned(Vec::new());
        match self.ensure_index(cx).await {
            Err(StoreError::Cancelled) => return Err(StoreError::Cancelled),
            outcome => cleaned.failed.extend(outcome.err().map(|error| error.to_string())),
        }
        let mut tally = Handled::new(Handler::DebugLogs, rules.debug_days);
        match self.delete(cx, rules, &mut tally).await {
            Err(StoreError::Cancelled) => return Err(StoreError::Cancelled),
            outcome => tally.failed = outcome.err().map(|error| error.to_string()),
        }
        cleaned.handlers.push(tally);
        Ok(cleaned)
    }

    async fn repack(&self, cx: &Cx, _database: &str, dry_run: bool) -> Result<RepackedDatabase, StoreError> {
        let mut repacked = RepackedDatabase {
            store: self.name.clone(),
            database: DATABASE.to_owned(),
            skipped: None,
            notes: Vec::new(),
            failed: Vec::new(),
            tables: Vec::new(),
        };
        let before = self.step(cx, |kept| kept.bloat).await?;
        if dry_run {
            return Ok(repacked);
        }
        if self.step(cx, |kept| kept.trigger).await? {
            self.step(cx, |kept| kept.trigger = false).await?;
        }
        self.step(cx, |kept| kept.trigger = true).await?;
        let swap = |kept: &mut Kept| {
            kept.bloat = 0;
            kept.trigger = false;
        };
        self.step(cx, swap).await?;
        repacked.tables.push(RepackedTable {
            table: "event_logs".to_owned(),
            before,
            after: Some(0),
            millis: 0,
            failed: None,
        });
        Ok(repacked)
    }

    async fn status(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<DatabaseStatus, StoreError> {
        let usable = self.step(cx, |kept| kept.index == Index::Built).await?;
        Ok(DatabaseStatus {
            counted: self.count(cx, database, rules).await?,
            tables: Vec::new(),
            indexes: vec![IndexStatus {
                index: INDEX.to_owned(),
                usable,
            }],
            pg_repack: None,
        })
    }
}
