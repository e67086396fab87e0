//! What keeps a database from being dropped although nobody is connected to it. For databases whose data nobody needs any
//! more.

use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::quote::{ident, literal};
use stillpoint_pg::{PgError, Session};

use super::PostgresStore;
use super::access::server;
use crate::toolbox::BY_SIZE;

impl PostgresStore {
    /// Drops a database, whoever is connected, template or not, with the subscriptions in it. `session` is in another one.
    pub(super) async fn drop_database(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        let failed = |error| server(format!("dropping database `{name}`"), error);
        if is(cx, session, name, "datistemplate").await? {
            let no_template = format!("ALTER DATABASE {} IS_TEMPLATE false", ident(name));
            session.run(cx.idle_limit, &no_template).await.map_err(failed)?;
        }
        self.drop_subscriptions(cx, session, name).await?;
        self.roll_back_prepared(cx, session, name).await?;
        session.run(cx.idle_limit, &end_slots(name)).await.map_err(failed)?;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", ident(name));
        session.run(BY_SIZE, &drop).await.map_err(failed)
    }

    /// A transaction that somebody has prepared goes with its database; only from within can it be ended.
    async fn roll_back_prepared(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        let failed = |error| server(format!("rolling back what was prepared in database `{name}`"), error);
        let prepared = format!("SELECT gid FROM pg_prepared_xacts WHERE database = {}", literal(name));
        let prepared = session.column(cx.idle_limit, &prepared).await.map_err(failed)?;
        if prepared.is_empty() {
            return Ok(());
        }
        let inside = self.open(cx, name).await?;
        let mut done = Ok(());
        for transaction in prepared {
            let back = format!("ROLLBACK PREPARED {}", literal(&transaction));
            done = done.and(inside.run(cx.idle_limit, &back).await);
        }
        inside.close().await;
        done.map_err(failed)
    }

    /// They can be dropped only from within. The publisher is not asked, and its slots stay: those of the same name in the
    /// restored database go on from them.
    async fn drop_subscriptions(&self, cx: &Cx, session: &Session, name: &str) -> Result<(), StoreError> {
        let failed = |error| server(format!("dropping the subscriptions of database `{name}`"), error);
        let subscriptions = format!(
            "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = {}",
            literal(name)
        );
        let subscriptions = session.column(cx.idle_limit, &subscriptions).await.map_err(failed)?;
        if subscriptions.is_empty() {
            return Ok(());
        }
        let open = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", ident(name));
        session.run(cx.idle_limit, &open).await.map_err(failed)?;
        let inside = self.open(cx, name).await?;
        let dropped = drop_each(cx, &inside, &subscriptions).await;
        inside.close().await;
        dropped.map_err(failed)
    }
}

/// `FORCE` ends sessions, and looks at slots before: a subscriber's keeps its database.
fn end_slots(name: &str) -> String {
    format!(
        "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE active AND database = {}",
        literal(name)
    )
}

/// Whether a database is what an interrupted `DROP DATABASE` has left: nobody can connect to it any more, and nothing but
/// another drop is done to it.
pub(super) async fn is_half_dropped(cx: &Cx, session: &Session, name: &str) -> Result<bool, StoreError> {
    is(cx, session, name, "datconnlimit = -2").await
}

async fn is(cx: &Cx, session: &Session, name: &str, what: &str) -> Result<bool, StoreError> {
    let sql = format!("SELECT {what} FROM pg_database WHERE datname = {}", literal(name));
    let answer = session.value(cx.idle_limit, &sql).await;
    answer
        .map(|answer| answer == "t")
        .map_err(|error| server(format!("looking at database `{name}`"), error))
}

async fn drop_each(cx: &Cx, inside: &Session, subscriptions: &[String]) -> Result<(), PgError> {
    for name in subscriptions {
        let name = ident(name);
        for statement in [
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            inside.run(cx.idle_limit, &statement).await?;
        }
    }
    Ok(())
}
