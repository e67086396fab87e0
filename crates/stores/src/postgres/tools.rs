//! The server's own client programs, run in its container so that versions always match.

use stillpoint_core::ports::{Command, Process};
use stillpoint_core::stores::{Cx, StoreError};

use super::PostgresStore;
use super::access::{MAINTENANCE, via};
use super::ext_catalog::NO_ENCODING;
use crate::toolbox::{Doing, collect};

/// The programs that we use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tool {
    Dump,
    DumpAll,
    Restore,
}

/// How dumps are compressed, inside the container: the cheapest that its `pg_dump` was built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Compression {
    /// PostgreSQL 16 and later, where built with it: as fast as none and smaller than gzip.
    Zstd,
    /// What every `pg_dump` has; level 1 costs a third of the default's processor time.
    #[default]
    Gzip,
}

impl Tool {
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Dump => "pg_dump",
            Self::DumpAll => "pg_dumpall",
            Self::Restore => "pg_restore",
        }
    }
}

impl Compression {
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::Zstd => "--compress=zstd:1",
            Self::Gzip => "--compress=1",
        }
    }
}

impl PostgresStore {
    /// Starts one of the server's programs, logged in to `database`.
    pub(super) async fn start(
        &self,
        cx: &Cx,
        tool: Tool,
        database: &str,
        arguments: &[&str],
        input: bool,
    ) -> Result<Process, StoreError> {
        let argv = std::iter::once(tool.program()).chain(arguments.iter().copied());
        let mut command = Command::new(argv);
        // A dump in an archive stays in its database's encoding; globals are text that we read.
        if let Tool::DumpAll = tool {
            command = command.env("PGCLIENTENCODING", "UTF8".into());
        }
        // An archive has a list of what is in it.
        if let (Tool::Restore, true) = (tool, input) {
            command = command.detects_truncated_input();
        }
        self.run(cx, command, database, input).await
    }

    /// The same for a command line that holds such programs.
    pub(super) async fn run(
        &self,
        cx: &Cx,
        command: Command,
        database: &str,
        input: bool,
    ) -> Result<Process, StoreError> {
        let command = self.access.server.logged_in(&via(cx), command, database).await;
        let mut command = command.map_err(|error| self.login_failed(error))?;
        command.input = input;
        Ok(cx.shell.exec(&self.workload, command).await?)
    }

    /// Roles, memberships, their settings and tablespaces.
    pub(super) async fn dump_globals(&self, cx: &Cx) -> Result<String, StoreError> {
        let process = self
            .start(
                cx,
                Tool::DumpAll,
                MAINTENANCE,
                &["--globals-only", "--no-password"],
                false,
            )
            .await?;
        let doing = Doing {
            what: "dumping globals",
            tool: Tool::DumpAll.program(),
        };
        collect(cx, doing, process).await
    }

    /// Finds out, once for each run, what the container's `pg_dump` can do. Also proves that it is
    /// there and can log in.
    pub(super) async fn probe_tools(&self, cx: &Cx) -> Result<Compression, StoreError> {
        if let Some(known) = self.compression.get() {
            return Ok(*known);
        }
        let compression = match self.try_dump(cx, Compression::Zstd).await {
            Ok(()) => Compression::Zstd,
            Err(StoreError::Tool { .. }) => self.try_dump(cx, Compression::Gzip).await.map(|()| Compression::Gzip)?,
            Err(error) => return Err(error),
        };
        Ok(*self.compression.get_or_init(|| compression))
    }

    /// A dump of the definitions in a database that has next to none, to nowhere.
    async fn try_dump(&self, cx: &Cx, compression: Compression) -> Result<(), StoreError> {
        let arguments = [
            "-Fc",
            "--schema-only",
            "--no-password",
            compression.option(),
            "--no-sync",
            "--file=/dev/null",
            &format!("--encoding={NO_ENCODING}"),
        ];
        let process = self.start(cx, Tool::Dump, MAINTENANCE, &arguments, false).await?;
        let doing = Doing {
            what: "trying a dump",
            tool: Tool::Dump.program(),
        };
        collect(cx, doing, process).await.map(|_| ())
    }
}
