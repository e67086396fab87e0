//! A Dagster as its users run it, on a PostgreSQL of its own: web server, daemon and code location in a container each. It is filled by
//! real runs ([`Dagster::fill`]), and what its pages show is asked for as its pages do ([`Dagster::snapshot`]): what is done to its
//! database is judged by that, and by whether its runs still go on.

mod differences;
mod fill;
mod graphql;
mod runs;
mod snapshot;

use anyhow::{Context, Result};
use serde_json::json;

pub use self::fill::Filled;
use self::graphql::Web;
pub use self::snapshot::{Line, Snapshot};
use crate::lone_postgres::Server;
use crate::patience::until;
use crate::testbed::containers;

/// Its database, and the role that owns it.
const NAME: &str = "dagster";
const PASSWORD: &str = "dagster-secret";

/// Its tables as far as upkeep reads them, as a script of psql: for tests that need rows, and no Dagster.
pub const TABLES: &str = include_str!("tables.sql");

const ACTS: &str = include_str!("acts.graphql");

/// What of a location's answer says that it is loaded.
const LOADED: &str = "Repository";

/// The three containers. They go with the server's platform.
pub struct Dagster<'a> {
    server: &'a Server<'a>,
    code: String,
    daemon: String,
    web: Web,
}

impl<'a> Dagster<'a> {
    /// Starts it with an empty database on the server, and returns when its code location is loaded.
    pub fn start(server: &'a Server<'a>) -> Result<Self> {
        server.psql(&format!(
            "create role {NAME} login password '{PASSWORD}';\ncreate database {NAME} owner {NAME};"
        ))?;
        let part = |name: &str, options: &[&str], command: &[&str]| {
            let login = login(server)?;
            let login = login.iter().map(String::as_str);
            let all: Vec<&str> = options.iter().copied().chain(["--init"]).chain(login).collect();
            let id = server.testbed.guest(name, "DAGSTER", &all, command)?;
            let address = containers::address(&id)?;
            anyhow::Ok((id, address))
        };
        let grpc = [
            "dagster",
            "api",
            "grpc",
            "-h",
            "0.0.0.0",
            "-p",
            "4000",
            "-f",
            "location.py",
        ];
        let (code, address) = part("dagster-code", &[], &grpc)?;
        let location = format!("--env=DAGSTER_CODE_HOST={address}");
        let daemon = ["dagster-daemon", "run", "-w", "workspace.yaml"];
        let web = ["dagster-webserver", "-h", "0.0.0.0", "-w", "workspace.yaml"];
        let (_, address) = part("dagster-web", &[&location], &web)?;
        let web = Web::at(&address);
        until("Dagster's web server has loaded the code location", || {
            let answer = web.asked(ACTS, "standing", &json!({}));
            Ok(answer.is_ok_and(|answer| answer["repositoryOrError"]["__typename"] == LOADED))
        })?;
        // After the web server: both would make the tables of an empty database at once. What hangs on time it finds out soon.
        let often = "--env=FRESHNESS_DAEMON_INTERVAL_SECONDS=5";
        let (daemon, _) = part("dagster-daemon", &[&location, often], &daemon)?;
        Ok(Self {
            server,
            code,
            daemon,
            web,
        })
    }

    /// Runs SQL in its database as the superuser.
    pub fn sql(&self, script: &str) -> Result<String> {
        let superuser = crate::lone_postgres::SUPERUSER;
        let words = [
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            superuser,
            "-d",
            NAME,
            "-c",
            script,
        ];
        self.server.exec(&words)
    }

    /// Makes all that it remembers so many days older.
    pub fn age(&self, days: u32) -> Result<()> {
        self.sql(&format!("{}\ncall pg_temp.age({days})", include_str!("age.sql")))
            .map(drop)
    }

    /// Copies its tables, for [`Dagster::bring_back`].
    pub fn keep(&self) -> Result<()> {
        self.sql(include_str!("keep.sql")).map(drop)
    }

    /// Its tables are as they were when they were copied.
    pub fn bring_back(&self) -> Result<()> {
        self.sql(include_str!("bring_back.sql")).map(drop)
    }

    /// Drops the copy: whoever looks into the database finds what Dagster has made and nothing else.
    pub fn drop_kept(&self) -> Result<()> {
        self.sql("drop schema kept cascade").map(drop)
    }

    /// Dagster forgets what it has worked out of its events: the next page works it out again, as after a change of the partitions.
    pub fn forget_caches(&self) -> Result<()> {
        self.sql("update asset_keys set cached_status_data = null").map(drop)
    }

    /// What its pages show.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::of(&self.web)
    }

    /// What failed in the location's jobs can succeed from now on.
    pub fn mend(&self) -> Result<()> {
        self.touch("/tmp/mended")
    }

    /// Nothing of it works by itself until [`Dagster::resume`]: no run begins, and nothing that is gone is found out anew.
    pub fn pause(&self) -> Result<()> {
        self.server.testbed.docker(&["pause", &self.daemon]).map(drop)
    }

    /// It works by itself again.
    pub fn resume(&self) -> Result<()> {
        self.server.testbed.docker(&["unpause", &self.daemon]).map(drop)
    }

    /// The run that is held goes on.
    pub fn let_go(&self) -> Result<()> {
        self.touch("/tmp/go-on")
    }

    /// Its own code writes a line into the log of a run; `NUL` in the message is that character.
    pub fn log_line(&self, run: &str, message: &str) -> Result<()> {
        let script = include_str!("log_line.py");
        self.in_code(&["python3", "-c", script, run, message]).map(drop)
    }

    fn touch(&self, file: &str) -> Result<()> {
        self.in_code(&["touch", file]).map(drop)
    }

    fn in_code(&self, command: &[&str]) -> Result<String> {
        let all: Vec<&str> = ["exec", &self.code]
            .into_iter()
            .chain(command.iter().copied())
            .collect();
        self.server.testbed.docker(&all)
    }

    fn act(&self, operation: &str, variables: &serde_json::Value) -> Result<serde_json::Value> {
        self.web.asked(ACTS, operation, variables)
    }
}

/// The options of `docker run` by which each part finds the database.
fn login(server: &Server) -> Result<[String; 4]> {
    let address = containers::address(&server.testbed.container("db")?).context("PostgreSQL for Dagster")?;
    Ok([
        format!("--env=DAGSTER_POSTGRES_HOST={address}"),
        format!("--env=DAGSTER_POSTGRES_USER={NAME}"),
        format!("--env=DAGSTER_POSTGRES_PASSWORD={PASSWORD}"),
        format!("--env=DAGSTER_POSTGRES_DB={NAME}"),
    ])
}
