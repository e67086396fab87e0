//! The ledger's tables, as a list of migrations that only ever grows: `user_version` counts how many
//! of them a file has seen. A file from a newer version is refused, not guessed at.

use rusqlite::Connection;

const MIGRATIONS: [&str; 6] = [
    // 1: the journal. `intent` is the JSON that the claim carries too; `phase` only ever grows.
    "CREATE TABLE journal (
        run      TEXT PRIMARY KEY,
        platform TEXT NOT NULL,
        since    INTEGER NOT NULL,
        intent   TEXT NOT NULL,
        phase    INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX journal_open ON journal (platform, since);",
    // 2: what a restore has loaded, as JSON: a later attempt goes on from there.
    "ALTER TABLE journal ADD COLUMN loaded TEXT",
    // 3: what no run has brought back, as JSON; `address` is its service and number.
    "CREATE TABLE missing (
        platform TEXT NOT NULL,
        address  TEXT NOT NULL,
        missing  TEXT NOT NULL,
        PRIMARY KEY (platform, address)
    ) STRICT;",
    // 4: the history. `record` is the whole run as JSON, beside what is looked for; no number is given twice.
    "CREATE TABLE runs (
        number   INTEGER PRIMARY KEY AUTOINCREMENT,
        run      TEXT NOT NULL UNIQUE,
        asked_at INTEGER NOT NULL,
        is_over  INTEGER NOT NULL,
        record   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX runs_open ON runs (number) WHERE is_over = 0;
    CREATE TABLE facts (
        number INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
        seq    INTEGER NOT NULL,
        event  TEXT NOT NULL,
        PRIMARY KEY (number, seq)
    ) STRICT, WITHOUT ROWID;",
    // 5: the jobs that come by themselves. Whoever switches one and whoever handles it write columns of their own.
    "CREATE TABLE schedules (
        job         TEXT PRIMARY KEY,
        is_on       INTEGER NOT NULL DEFAULT 1,
        switched_by TEXT,
        switched_at INTEGER,
        known_since INTEGER,
        handled     INTEGER
    ) STRICT;",
    // 6: what runs are looked for by, read from their record; each index ends with the number, by which they are in order.
    "ALTER TABLE runs ADD COLUMN job TEXT GENERATED ALWAYS AS (record ->> '$.job') VIRTUAL;
    ALTER TABLE runs ADD COLUMN state TEXT GENERATED ALWAYS AS (record ->> '$.state') VIRTUAL;
    CREATE INDEX runs_of_job ON runs (job, number);
    CREATE INDEX runs_in_state ON runs (state, number);
    CREATE INDEX runs_of_job_in_state ON runs (job, state, number);
    CREATE INDEX facts_that_mark ON facts (number, seq) WHERE event ->> '$.event' <> 'artifact_done';",
];

/// Brings a file up to date, all or nothing.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (version, newest) = (version as usize, MIGRATIONS.len());
    if version > newest {
        return Err(rusqlite::Error::ToSqlConversionFailure(
            format!("it was written by a newer version (its schema is {version}, this one knows {newest})").into(),
        ));
    }
    for migration in &MIGRATIONS[version..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", u32::try_from(newest).unwrap_or(u32::MAX))?;
    transaction.commit()
}
