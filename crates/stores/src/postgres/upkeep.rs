//! Upkeep of the databases of Dagster that a server holds: done by a crate of its own, with this store's way in.

use async_trait::async_trait;
use stillpoint_core::maintenance::{CleanedDatabase, CleanupWish, DatabaseStatus, Found, RepackedDatabase, Rules};
use stillpoint_core::stores::{Cx, StoreError, Upkeep};
use stillpoint_maintenance::{Dagster, Failed};

use super::PostgresStore;
use super::access::server;

impl PostgresStore {
    fn dagster(&self) -> Dagster {
        let access = &self.access;
        Dagster::new(
            self.name.clone(),
            &access.server,
            access.dagster.clone(),
            access.dagster_is_named,
        )
    }

    fn upkeep_failed(&self, failed: Failed) -> StoreError {
        match failed {
            Failed::Login(error) => self.login_failed(error),
            Failed::Server { doing, cause } => server(doing, cause),
            Failed::Unfit(why) => StoreError::Unfit(why),
            Failed::Engine(error) => StoreError::Engine(error),
            Failed::Cancelled => StoreError::Cancelled,
        }
    }
}

#[async_trait]
impl Upkeep for PostgresStore {
    async fn databases(&self, cx: &Cx) -> Result<Found, StoreError> {
        let found = self.dagster().databases(cx).await;
        found.map_err(|failed| self.upkeep_failed(failed))
    }

    async fn count(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<CleanedDatabase, StoreError> {
        let counted = self.dagster().count(cx, database, rules).await;
        counted.map_err(|failed| self.upkeep_failed(failed))
    }

    async fn clean(
        &self,
        cx: &Cx,
        database: &str,
        rules: &Rules,
        wish: CleanupWish,
    ) -> Result<CleanedDatabase, StoreError> {
        let cleaned = self.dagster().clean(cx, database, rules, wish).await;
        cleaned.map_err(|failed| self.upkeep_failed(failed))
    }

    async fn repack(&self, cx: &Cx, database: &str, dry_run: bool) -> Result<RepackedDatabase, StoreError> {
        let repacked = self.dagster().repack(cx, database, dry_run).await;
        repacked.map_err(|failed| self.upkeep_failed(failed))
    }

    async fn status(&self, cx: &Cx, database: &str, rules: &Rules) -> Result<DatabaseStatus, StoreError> {
        let status = self.dagster().status(cx, database, rules).await;
        status.map_err(|failed| self.upkeep_failed(failed))
    }
}
