//! A standby of the server: streaming replication over a slot, as a service of the same platform.

use anyhow::Result;

use super::{PASSWORD, SERVICE, SUPERUSER, Server};
use crate::patience::until;
use crate::testbed::containers;

/// The service, and the slot.
const NAME: &str = "follower";

/// A standby is no store unless its operator says so.
const LABEL: &str = "--label=stillpoint.kind=postgres";

/// It copies the server and follows it from then on.
const FOLLOW: &str = "chown postgres \"$PGDATA\"; chmod 700 \"$PGDATA\"; as='setpriv --reuid=postgres --regid=postgres --clear-groups'; \
    $as pg_basebackup -D \"$PGDATA\" -R -C -S follower -X stream -c fast; exec $as postgres -c fsync=off -c max_prepared_transactions=2";

/// The standby.
pub struct Follower<'a> {
    server: &'a Server<'a>,
    container: String,
}

impl<'a> Server<'a> {
    /// Adds a standby, and returns when it follows.
    pub fn followed(&'a self) -> Result<Follower<'a>> {
        let allow = "echo 'host replication all all scram-sha-256' >>\"$PGDATA/pg_hba.conf\"";
        self.exec(&["sh", "-euc", allow])?;
        self.psql("select pg_reload_conf()")?;
        let primary = containers::address(&self.testbed.container(SERVICE)?)?;
        let login = [
            format!("--env=PGHOST={primary}"),
            format!("--env=PGUSER={SUPERUSER}"),
            format!("--env=PGPASSWORD={PASSWORD}"),
            format!("--env=POSTGRES_USER={SUPERUSER}"),
            format!("--env=POSTGRES_PASSWORD={PASSWORD}"),
        ];
        let options: Vec<&str> = login
            .iter()
            .map(String::as_str)
            .chain([LABEL, "--entrypoint=bash"])
            .collect();
        let container = self.testbed.guest(NAME, "POSTGRES", &options, &["-euc", FOLLOW])?;
        let follower = Follower {
            server: self,
            container,
        };
        until("the standby follows", || {
            let follows = "select count(*) from pg_stat_replication where state = 'streaming'";
            Ok(self.psql(follows)? == "1" && follower.psql("select 1").is_ok())
        })?;
        Ok(follower)
    }
}

impl Follower<'_> {
    /// Runs a statement on it as the superuser.
    pub fn psql(&self, statement: &str) -> Result<String> {
        let psql = ["psql", "-XqAt", "-h", "127.0.0.1", "-d", "postgres", "-c", statement];
        self.server
            .testbed
            .docker(&[&["exec", &self.container][..], &psql].concat())
    }

    /// It is gone, and its slot stays.
    pub fn remove(self) -> Result<()> {
        self.server
            .testbed
            .docker(&["rm", "--force", "--volumes", &self.container])
            .map(drop)
    }
}
