//! Old databases are set aside under a name that follows from their own, so that whoever comes after
//! a death at any point can tell what is what: if the aside of `x` exists, a present `x` is the
//! unfinished load that was to replace it.

use stillpoint_core::ports::{Cx, StoreError};
use stillpoint_pg::Session;
use stillpoint_pg::quote::{ident, literal};

use super::PostgresStore;
use super::access::{MAINTENANCE, server};
use super::holders::is_half_dropped;
use crate::toolbox::{is_short_name, short_name};

/// The databases that are set aside now.
pub(super) async fn present(cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
    Ok(names(cx, session)
        .await?
        .into_iter()
        .filter(|name| is_short_name(name))
        .collect())
}

async fn names(cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
    let names = session
        .column(cx.idle_limit, "SELECT datname FROM pg_database ORDER BY 1")
        .await;
    names.map_err(|error| server("listing databases", error))
}

/// Makes room for database `name`: the old one is set aside, or, where an unfinished load did that
/// before, what that load left is dropped.
pub(super) async fn make_room(store: &PostgresStore, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
    let names = names(cx, session).await?;
    let is_there = |wanted: &str| names.iter().any(|name| name == wanted);
    let aside = short_name(name);
    match (is_there(name), is_there(&aside)) {
        (false, _) => Ok(()),
        (true, _) if is_half_dropped(cx, session, name).await? => store.drop_database(cx, session, name).await,
        (true, true) => store.drop_database(cx, session, name).await,
        (true, false) => set_aside(cx, session, name, &aside).await,
    }
}

async fn set_aside(cx: &Cx, session: &Session, name: &str, aside: &str) -> Result<(), StoreError> {
    // Else a subscription's worker is back at once, and goes on writing into what was set aside.
    let close = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", ident(name));
    let end = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {}",
        literal(name)
    );
    let rename = format!("ALTER DATABASE {} RENAME TO {}", ident(name), ident(aside));
    let failed = |error| server(format!("setting database `{name}` aside"), error);
    session.run(cx.idle_limit, &close).await.map_err(failed)?;
    session.run(cx.idle_limit, &end).await.map_err(failed)?;
    session.run(cx.idle_limit, &rename).await.map_err(failed)
}

impl PostgresStore {
    /// Drops what was set aside, where its replacement is there.
    pub(super) async fn drop_aside(&self, cx: &Cx) -> Result<(), StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let dropped = drop_replaced(self, cx, &session).await;
        session.close().await;
        dropped
    }
}

async fn drop_replaced(store: &PostgresStore, cx: &Cx, session: &Session) -> Result<(), StoreError> {
    let names = names(cx, session).await?;
    for old in names.iter().filter(|name| is_short_name(name)) {
        if names.iter().any(|name| short_name(name) == *old) {
            store.drop_database(cx, session, old).await?;
        }
    }
    Ok(())
}
