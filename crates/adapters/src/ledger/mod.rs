//! The ledger: one SQLite file of this host in WAL mode. The journal is one of its tables, written with `synchronous =
//! FULL`, so that a commit is on disk when it returns (SQLite documentation, "PRAGMA synchronous"). A file that is no ledger
//! is set aside by the journal, never deleted and never in the way.
//!
//! The history is the other part, over a connection of its own: what goes wrong with it must not reach the journal. It
//! waits less for others, does not wait for the disk, and sets nothing aside. So are the accounts, which wait for the disk: what
//! was revoked stays revoked. So is the outbox, which is used like the history.

mod accounts;
mod history;
mod journal;
mod outbox;
mod schema;

pub use accounts::LedgerAccounts;
pub use history::LedgerHistory;
pub use outbox::LedgerOutbox;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use stillpoint_core::ports::journal::JournalError;

/// How a part of the ledger is used.
#[derive(Clone, Copy)]
struct Manner {
    /// SQLite's `synchronous`.
    synchronous: &'static str,
    /// How long a writer waits for another.
    busy: Duration,
    /// A file that is no ledger is set aside.
    sets_aside: bool,
}

const JOURNAL: Manner = Manner {
    synchronous: "full",
    busy: Duration::from_secs(10),
    sets_aside: true,
};

const HISTORY: Manner = Manner {
    synchronous: "normal",
    busy: Duration::from_secs(3),
    sets_aside: false,
};

const ACCOUNTS: Manner = Manner {
    synchronous: "full",
    busy: Duration::from_secs(3),
    sets_aside: false,
};

const FILE: &str = "ledger.sqlite";

/// The ledger of a state directory. Opened at the first use: a command that only looks makes no file.
#[derive(Clone)]
pub struct Ledger {
    folder: PathBuf,
    manner: Manner,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Ledger {
    /// The ledger in this directory.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self::used(folder.into(), JOURNAL)
    }

    fn used(folder: PathBuf, manner: Manner) -> Self {
        Self {
            folder,
            manner,
            connection: Arc::default(),
        }
    }

    /// The ledger's file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Does something with the open ledger, away from the threads that serve everything else.
    async fn with<T: Send + 'static>(
        &self,
        doing: &'static str,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, JournalError> {
        let ledger = self.clone();
        let path = self.path().display().to_string();
        let failed = move |cause: String| JournalError { path, doing, cause };
        let done = tokio::task::spawn_blocking(move || ledger.with_blocking(act)).await;
        match done {
            Ok(outcome) => outcome.map_err(failed),
            Err(died) => Err(failed(died.to_string())),
        }
    }

    fn with_blocking<T>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match slot.take() {
            Some(connection) => connection,
            None => open(&self.folder, self.manner)?,
        };
        let outcome = act(&connection).map_err(|error| error.to_string());
        *slot = Some(connection);
        outcome
    }
}

fn open(folder: &Path, manner: Manner) -> Result<Connection, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let path = folder.join(FILE);
    match connect(&path, manner) {
        Err(error) if manner.sets_aside && is_no_ledger(&error) => {
            set_aside(&path).map_err(|error| error.to_string())?;
            connect(&path, manner).map_err(|error| error.to_string())
        }
        opened => opened.map_err(|error| error.to_string()),
    }
}

fn connect(path: &Path, manner: Manner) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(manner.busy)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", manner.synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn is_no_ledger(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Keeps what is damaged for whoever wants to look; the newest one is enough.
fn set_aside(path: &Path) -> std::io::Result<()> {
    for suffix in ["-wal", "-shm", ""] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let mut to = path.as_os_str().to_owned();
        to.push(format!(".damaged{suffix}"));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
