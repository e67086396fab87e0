//! Whether all databases can be pinned at once: each needs a connection until its dump has begun, and everything in it a
//! place in the server's table of locks. Counted while the platform runs; where it cannot work, nothing is stopped.

use stillpoint_core::ports::{Cx, StoreError};
use stillpoint_pg::Session;

use super::PostgresStore;
use super::access::server;
use super::pin::databases;

/// Sessions of ours beside holders and dumps: the watch, a mark, one for looking.
const BESIDE: u64 = 3;

/// What the server's table of locks takes, in bytes: what is locked, and who has locked it
/// (`sizeof(LOCK)` and `sizeof(PROCLOCK)` with their links).
const LOCK: u64 = 168;
const LOCKER: u64 = 80;

/// The server makes room for two lockers of each lock (`LockShmemSize`), a tenth more, and has 100 kB for everything.
const SLOT: u64 = LOCK + 2 * LOCKER;
const SPARE: u64 = 100_000;

/// Connections: all that there are, those kept free, those in use by others. A superuser may take what is kept free and
/// is bound by no limit of a role or a database, but then clients would find the door shut.
const CONNECTIONS: &str = "SELECT current_setting('max_connections'), \
    current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int, \
    count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'stillpoint'";

/// What may hold locks: connections, the server's own processes, prepared transactions.
const LOCKERS: &str = "SELECT current_setting('max_locks_per_transaction'), \
    current_setting('max_connections')::int + current_setting('autovacuum_max_workers')::int + 1 \
    + current_setting('max_worker_processes')::int + current_setting('max_wal_senders')::int \
    + current_setting('max_prepared_transactions')::int, (SELECT count(*) FROM pg_locks)";

/// What the holder of a database locks, and what its dump locks: sequences of columns too, while it reads them.
const RELATIONS: &str = "SELECT count(*) FILTER (WHERE relkind <> 'S'), count(*) FILTER (WHERE relkind = 'S') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// A prepared transaction that has a table for itself: nobody ends it by being stopped.
const PREPARED: &str = "SELECT DISTINCT format('`%s` of `%s` in database `%s`', p.gid, p.owner, p.database) \
    FROM pg_prepared_xacts p JOIN pg_locks l ON l.virtualtransaction = '-1/' || p.transaction::text \
    WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock' ORDER BY 1";

/// What the relations of one database are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Relations {
    others: u64,
    sequences: u64,
}

impl PostgresStore {
    /// Refuses where not all databases can be held at once.
    pub(super) async fn must_have_capacity(&self, cx: &Cx, session: &Session) -> Result<(), StoreError> {
        let unfit = |what: String| StoreError::Unfit(format!("{}: {what}", self.name));
        let prepared = session.column(cx.idle_limit, PREPARED).await;
        let prepared = prepared.map_err(|error| server("looking", error))?;
        if let Some(prepared) = prepared.first() {
            return Err(unfit(format!(
                "the prepared transaction {prepared} has locked a table: commit it or roll it back first"
            )));
        }
        let names = databases(session).await?;
        let (held, dumps) = (names.len() as u64, names.len().min(cx.processors) as u64);
        let [max, kept, used] = numbers(cx, session, CONNECTIONS).await?;
        connections(held + dumps + BESIDE, max, kept, used).map_err(unfit)?;
        let mut relations = Vec::with_capacity(names.len());
        for name in &names {
            let inside = self.open(cx, name).await?;
            let counted = numbers(cx, &inside, RELATIONS).await;
            inside.close().await;
            let [others, sequences] = counted?;
            relations.push(Relations { others, sequences });
        }
        let [each, lockers, used] = numbers(cx, session, LOCKERS).await?;
        locks(&relations, cx.processors, each, lockers, used).map_err(unfit)
    }
}

/// Whether so many connections can be had.
fn connections(needed: u64, max: u64, kept: u64, used: u64) -> Result<(), String> {
    let free = max.saturating_sub(kept + used);
    if needed <= free {
        return Ok(());
    }
    Err(format!(
        "a backup needs {needed} connections at once (one for each database, and its tools), {free} are free: of \
         `max_connections` = {max} the others use {used}, and {kept} are kept free; set it to at least {}",
        needed + kept + used
    ))
}

/// Whether everything can be locked at once: all databases by their holders, and again by as many dumps as run at a time,
/// of the largest.
fn locks(databases: &[Relations], at_once: usize, each: u64, lockers: u64, used: u64) -> Result<(), String> {
    let mut largest = databases.to_vec();
    largest.sort_by_key(|one| std::cmp::Reverse(one.others + one.sequences));
    let held: u64 = databases.iter().map(|one| one.others).sum();
    let dumped = largest.iter().take(at_once);
    let (others, sequences) = dumped.fold((0, 0), |(others, sequences), one| {
        (others + one.others, sequences + one.sequences)
    });
    let needed = (held + sequences + used) * LOCK + (held + others + sequences + used) * LOCKER;
    let there = |each: u64| each * lockers * SLOT * 11 / 10 + SPARE;
    if needed <= there(each) {
        return Ok(());
    }
    let enough = needed.saturating_sub(SPARE).div_ceil((lockers * SLOT * 11 / 10).max(1));
    Err(format!(
        "a backup locks {held} tables and views of {} databases at once, and its dumps {} relations of theirs: that is more \
         than `max_locks_per_transaction` = {each} makes room for; set it to at least {enough}",
        databases.len(),
        others + sequences
    ))
}

async fn numbers<const N: usize>(cx: &Cx, session: &Session, sql: &str) -> Result<[u64; N], StoreError> {
    let rows = session.rows(cx.idle_limit, sql).await;
    let rows = rows.map_err(|error| server("looking", error))?;
    let row = rows.into_iter().next().unwrap_or_default();
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let numbers: Option<Vec<u64>> = row.into_iter().map(number).collect();
    let numbers = numbers.and_then(|numbers| <[u64; N]>::try_from(numbers).ok());
    numbers.ok_or_else(|| StoreError::Server {
        doing: "looking".to_owned(),
        cause: "the server counts in words".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_refused_with_the_numbers_and_the_setting() {
        assert_eq!(connections(80, 100, 3, 17), Ok(()));
        let refused = connections(110, 100, 3, 17).unwrap_err();
        assert!(
            refused.contains("110 connections") && refused.contains("80 are free"),
            "{refused}"
        );
        assert!(refused.ends_with("set it to at least 130"), "{refused}");
    }

    #[test]
    fn locks_are_refused_with_the_numbers_and_the_setting() {
        let tables = |others| Relations {
            others,
            sequences: others,
        };
        assert_eq!(locks(&[tables(5000)], 2, 64, 122, 20), Ok(()));
        let many = [tables(5000), tables(5000), tables(5000)];
        let refused = locks(&many, 2, 64, 122, 20).unwrap_err();
        assert!(
            refused.contains("locks 15000 tables and views of 3 databases"),
            "{refused}"
        );
        let enough: u64 = refused.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(locks(&many, 2, enough, 122, 20), Ok(()));
        assert!(locks(&many, 2, enough - 1, 122, 20).is_err());
    }
}
