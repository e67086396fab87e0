//! The ledger's tables, as a list of migrations that only ever grows: `user_version` counts how many
//! of them a file has seen. A file from a newer version is refused, not guessed at.

use rusqlite::Connection;

const MIGRATIONS: [&str; 8] = [
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
    // 7: accounts. Of secrets there are hashes alone; entries of the audit are added and never changed.
    "CREATE TABLE users (
        name         TEXT PRIMARY KEY COLLATE NOCASE,
        role         TEXT NOT NULL,
        password     TEXT NOT NULL,
        made_at      INTEGER NOT NULL,
        made_by      TEXT NOT NULL,
        signed_in_at INTEGER
    ) STRICT;
    CREATE TABLE sessions (
        id      TEXT PRIMARY KEY,
        user    TEXT NOT NULL COLLATE NOCASE REFERENCES users (name) ON DELETE CASCADE,
        since   INTEGER NOT NULL,
        used_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX sessions_of ON sessions (user);
    CREATE TABLE tokens (
        name       TEXT PRIMARY KEY COLLATE NOCASE,
        secret     TEXT NOT NULL UNIQUE,
        role       TEXT NOT NULL,
        made_at    INTEGER NOT NULL,
        made_by    TEXT NOT NULL,
        expires_at INTEGER,
        used_at    INTEGER
    ) STRICT;
    CREATE TABLE audit (
        number  INTEGER PRIMARY KEY AUTOINCREMENT,
        at      INTEGER NOT NULL,
        who     TEXT NOT NULL,
        origin  TEXT NOT NULL,
        what    TEXT NOT NULL,
        outcome TEXT NOT NULL,
        detail  TEXT
    ) STRICT;",
    // 8: notices. `notice` is the whole as JSON; a delivery with a time `again` is to be attempted then, one without is over.
    "CREATE TABLE notices (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key    TEXT NOT NULL UNIQUE,
        at     INTEGER NOT NULL,
        job    TEXT,
        kind   TEXT NOT NULL,
        notice TEXT NOT NULL
    ) STRICT;
    CREATE INDEX notices_of_job ON notices (job, number);
    CREATE TABLE deliveries (
        number       INTEGER NOT NULL REFERENCES notices (number) ON DELETE CASCADE,
        channel      TEXT NOT NULL,
        tries        INTEGER NOT NULL DEFAULT 0,
        again        INTEGER,
        delivered_at INTEGER,
        error        TEXT,
        PRIMARY KEY (number, channel)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deliveries_waiting ON deliveries (again) WHERE again IS NOT NULL;
    CREATE TABLE channels (
        channel      TEXT PRIMARY KEY,
        delivered    INTEGER NOT NULL DEFAULT 0,
        failed       INTEGER NOT NULL DEFAULT 0,
        delivered_at INTEGER,
        failed_at    INTEGER,
        error        TEXT
    ) STRICT;",
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
