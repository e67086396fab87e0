//! The restore: what is there is set aside, the tables are made and kept from merging, their data is loaded, and every part is checked.
//! The server reads from an endpoint of ours that serves what was verified before, and nothing else.
//!
//! Never here: appending to a table that has rows. The tables are new, and the server itself refuses others.

use async_trait::async_trait;
use stillpoint_core::names::ArtifactName;
use stillpoint_core::ports::gateway::Serving;
use stillpoint_core::stores::{Cx, Footing, Reasons, Source, Staged, StoreError};

use super::ClickhouseStore;
use super::check::must_hold_a_backup;
use super::facts::Facts;
use super::job::{Job, Watch, What};
use super::session::{Session, cell};
use super::sql::{elements, of_database};
use super::tables::{Family, Table, held};
use super::versions;
use crate::toolbox::BY_SIZE;

/// Engines of tables in files, which the server can check as well.
const CHECKED: [&str; 3] = ["Log", "StripeLog", "TinyLog"];

/// A restore of one server.
pub(super) struct Restore {
    store: ClickhouseStore,
    source: Source,
    /// It was looked whether the server takes it.
    is_examined: bool,
}

impl Restore {
    pub(super) fn of(store: &ClickhouseStore, source: Source, is_examined: bool) -> Self {
        Self {
            store: store.clone(),
            source,
            is_examined,
        }
    }
}

#[async_trait]
impl Staged for Restore {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Running]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        let store = &self.store;
        if !self.is_examined {
            store.fits(cx, &self.source).await?;
        }
        let facts = store.facts_of(&self.source)?;
        let session = store.open(cx).await?;
        store.make_room(&session, &facts.databases).await?;
        if facts.databases.is_empty() && facts.system_tables.is_empty() {
            return store.replace_functions(&session, &facts.functions).await;
        }
        let Source { artifacts, objects, .. } = &self.source;
        let serving = artifacts
            .serve(&*cx.gateway, &store.workload, &facts.prefix, objects.clone())
            .await?;
        let loaded = store.load(&session, &facts, &*serving).await;
        serving.stop().await;
        loaded?;
        store.check_tables(&session, &facts.databases).await
    }
}

impl ClickhouseStore {
    pub(super) fn facts_of(&self, source: &Source) -> Result<Facts, StoreError> {
        let facts = Facts::of(&source.record);
        facts
            .ok_or_else(|| self.unfit("the backup does not say what it holds: its facts are not those of a ClickHouse"))
    }

    /// Whether the source can be put in the place of this server's data.
    pub(super) async fn fits(&self, cx: &Cx, source: &Source) -> Result<(), StoreError> {
        let facts = self.facts_of(source)?;
        let session = self.open(cx).await?;
        let version = self.must_be_supported(&session).await?;
        let mut reasons = Reasons::default();
        if let Some(why) = versions::refuses(&version, &source.record.version) {
            reasons.note(Err(self.unfit(&why)))?;
        }
        let lists = source.record.artifacts.iter().filter_map(|artifact| artifact.lists);
        let bytes = lists.map(|lists| lists.bytes).sum();
        reasons.note(self.must_be_allowed(&session, !facts.functions.is_empty()).await)?;
        reasons.note(self.must_take(&session, &facts.databases, bytes).await)?;
        reasons.note(self.must_reach_us(&session).await)?;
        reasons.into_result()?;
        must_hold_a_backup(&source.record, &source.objects)
    }

    async fn load(&self, session: &Session<'_>, facts: &Facts, serving: &dyn Serving) -> Result<(), StoreError> {
        self.load_system_tables(session, facts, serving).await?;
        self.replace_functions(session, &facts.functions).await?;
        let databases = elements(&facts.databases, &[]);
        if databases.is_empty() {
            return Ok(());
        }
        self.restore(session, serving, &databases, ", structure_only = 1")
            .await?;
        // Counts stay what they are until they were compared.
        for table in self.tables(session, &facts.databases).await? {
            self.still(session, &table, "STOP").await?;
        }
        self.restore(session, serving, &databases, "").await
    }

    /// Those that this server has; who and what is there stays as it is.
    async fn load_system_tables(
        &self,
        session: &Session<'_>,
        facts: &Facts,
        serving: &dyn Serving,
    ) -> Result<(), StoreError> {
        // Functions have a way of their own.
        let held: Vec<String> = facts
            .system_tables
            .iter()
            .filter(|table| *table != "functions")
            .cloned()
            .collect();
        if held.is_empty() {
            return Ok(());
        }
        let here = self.extras(session).await?.backed;
        let (known, unknown): (Vec<String>, Vec<String>) = held.into_iter().partition(|table| here.contains(table));
        if !unknown.is_empty() {
            session.cx.report.warn(format!(
                "{}: this server has no {}: they stay in the backup",
                self.name,
                unknown.join(", ").replace('_', " ")
            ));
        }
        let elements = elements(&[], &known);
        if elements.is_empty() {
            return Ok(());
        }
        self.restore(session, serving, &elements, "").await
    }

    async fn restore(
        &self,
        session: &Session<'_>,
        serving: &dyn Serving,
        elements: &str,
        more: &str,
    ) -> Result<(), StoreError> {
        let job = Job::begin(self, session, What::Restore, elements, serving.access(), more).await?;
        let done = self.await_restore(session, serving, &job).await;
        if done.is_err() {
            job.end(self, session.cx).await;
        }
        done
    }

    async fn await_restore(&self, session: &Session<'_>, serving: &dyn Serving, job: &Job) -> Result<(), StoreError> {
        let cx = session.cx;
        let before = serving.served();
        let mut watch = Watch::new(cx);
        let artifact = ArtifactName::of(&[self.name.as_str()]);
        let mut meter = cx.report.meter(self.name.clone(), artifact, None);
        loop {
            let state = job.state(self, session).await?;
            let served = serving.served().saturating_sub(before);
            let more = served.saturating_sub(meter.bytes());
            if more > 0 {
                meter.add(usize::try_from(more).unwrap_or(usize::MAX));
            }
            if state.is_done() {
                return Ok(());
            }
            let what = format!("the RESTORE of {}", self.name);
            watch.must_move(cx, &what, served.saturating_add(state.moved))?;
            Job::wait(cx).await?;
        }
    }

    /// A load notices no byte that is another than it was: the server's own check does.
    async fn check_tables(&self, session: &Session<'_>, databases: &[String]) -> Result<(), StoreError> {
        for table in self.tables(session, databases).await? {
            if table.family() != Family::Parts && !CHECKED.contains(&table.engine.as_str()) {
                continue;
            }
            let check = format!(
                "CHECK TABLE {} SETTINGS check_query_single_value_result = 0",
                of_database(&table.database, &table.name)
            );
            let rows = session.ask_within(BY_SIZE, &check).await;
            let rows = rows.map_err(|trouble| self.failed(&format!("checking table {}", table.told()), trouble))?;
            if let Some(part) = rows.iter().find(|row| !is_sound(row)) {
                return Err(StoreError::Damaged(format!(
                    "{}: table {} was loaded, and its part {} is damaged: {}",
                    self.name,
                    table.told(),
                    cell(part, 0),
                    super::http::words(cell(part, 2))
                )));
            }
        }
        Ok(())
    }

    /// Stops or starts what a table does by itself: merges, mutations, TTL, refreshes.
    async fn still(&self, session: &Session<'_>, table: &Table, verb: &str) -> Result<(), StoreError> {
        let what = match table.family() {
            Family::Parts => "MERGES",
            Family::MaterializedView if table.refreshes => "VIEW",
            _ => return Ok(()),
        };
        let statement = format!("SYSTEM {verb} {what} {}", of_database(&table.database, &table.name));
        let doing = format!("{} of {}", statement_of(verb), table.told());
        self.asked(session, &doing, &statement).await.map(drop)
    }

    /// Merges go on in every table: a restore has stopped them.
    pub(super) async fn go_on(&self, cx: &Cx) -> Result<(), StoreError> {
        let session = self.open(cx).await?;
        let databases = held(&self.databases(&session).await?);
        for table in self.tables(&session, &databases).await? {
            self.still(&session, &table, "START").await?;
        }
        Ok(())
    }
}

fn statement_of(verb: &str) -> &'static str {
    if verb == "STOP" {
        "stopping merges"
    } else {
        "letting go on merges"
    }
}

/// Of a row: the part, whether it is sound, what is wrong.
fn is_sound(row: &[String]) -> bool {
    matches!(cell(row, 1), "1" | "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_sound_where_the_server_says_so() {
        let row = |said: &str| ["all_1_1_0", said, ""].map(ToOwned::to_owned);
        assert!(is_sound(&row("1")) && is_sound(&row("true")));
        assert!(!is_sound(&row("0")) && !is_sound(&row("")));
    }
}
