//! A dump that queues behind a client. A client that asks for an exclusive lock on a table (`ALTER TABLE`, `TRUNCATE`)
//! waits for the holder, and whoever asks for that table after it waits behind it, a dump too: the client waits for the
//! holder, the holder for the dump, the dump for the client. The server does not see that circle, because the holder asks
//! it for nothing. So the holder asks for something that the dump has, for a moment, and the server's deadlock check does
//! what it does with such a circle: it lets the dump go before the client (`src/backend/storage/lmgr/README`, "soft
//! edges"). The client goes on waiting, and nothing of it is cancelled.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use stillpoint_core::stores::Cx;
use stillpoint_pg::{PgError, Session};
use tokio_util::sync::CancellationToken;

use super::pin::STATEMENT;

/// How often a dump is looked at until its first bytes come.
const EVERY: Duration = Duration::from_millis(200);

/// Backend states are read once for each transaction, unless they are thrown away.
const LOOK_ANEW: &str = "SELECT pg_stat_clear_snapshot()";

/// Whether a dump of this database, or what copies beside it, waits for a lock.
const WAITS: &str = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name IN ('pg_dump', 'stillpoint') AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'";

/// The first thing that a dump reads, and next to nobody else. The lock is never had: the dump keeps its own.
const ASK: [&str; 3] = [
    "SAVEPOINT ask",
    "SET LOCAL deadlock_timeout = '10ms'; SET LOCAL lock_timeout = '100ms'",
    "LOCK TABLE pg_catalog.pg_extension IN ACCESS EXCLUSIVE MODE",
];

/// Lets a dump go before whoever waits for the holder, until `begun`. The holder is usable afterwards.
pub(super) async fn let_pass(cx: &Cx, holder: &Session, begun: &CancellationToken) {
    loop {
        if let Either::Left(_) = select(pin!(begun.cancelled()), pin!(cx.clock.sleep(EVERY))).await {
            return;
        }
        // A holder that is gone is noticed where it is asked for something that matters.
        if matches!(waits(holder).await, Ok(true)) {
            ask(holder).await;
        }
    }
}

async fn waits(holder: &Session) -> Result<bool, PgError> {
    holder.run(STATEMENT, LOOK_ANEW).await?;
    Ok(holder.value(STATEMENT, WAITS).await? == "t")
}

async fn ask(holder: &Session) {
    for statement in ASK {
        if holder.run(STATEMENT, statement).await.is_err() {
            break;
        }
    }
    // The request has failed, as it must, and with it everything until the savepoint.
    drop(holder.run(STATEMENT, "ROLLBACK TO SAVEPOINT ask").await);
}
