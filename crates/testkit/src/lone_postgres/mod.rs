//! A PostgreSQL server of its own beside a client that has nothing to do, and what can be told of it: its definitions, a hash of
//! every table, and what no dump tells.

mod differences;
mod follower;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

pub use self::differences::{Known, differences};
pub use self::follower::Follower;
use crate::patience::until;
use crate::product::Product;
use crate::testbed::{Shape, Testbed};

const SERVICE: &str = "db";
/// No server has a role `postgres` here.
pub const SUPERUSER: &str = "boss";
const PASSWORD: &str = "s3 'cret";

/// What a server holds, by section (`rows of every`), line by line.
pub type Facts = BTreeMap<String, Vec<String>>;

/// A platform of one server and one client.
pub struct Server<'a> {
    /// Where it runs.
    pub testbed: &'a Testbed,
    /// What backs it up.
    pub product: Product,
}

/// Runs a test on a platform with an empty server of this image.
pub fn on_server(program: &str, name: &str, image: &str, test: impl FnOnce(&Server) -> Result<()>) -> Result<()> {
    on_server_with(program, name, image, &[], test)
}

/// The same; its container is run with further options.
pub fn on_server_with(
    program: &str,
    name: &str,
    image: &str,
    options: &[&str],
    test: impl FnOnce(&Server) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test(name, Shape::Mini)?.examined(|testbed| {
        testbed.guest("app", "IDLE", &[], &["term"])?;
        let server = Server::of(program, testbed, folder.path());
        server.start_as(image, SUPERUSER, options)?;
        test(&server)
    })
}

impl<'a> Server<'a> {
    fn of(program: &str, testbed: &'a Testbed, folder: &Path) -> Self {
        let product = Product::of(program, folder, testbed);
        Self { testbed, product }
    }

    fn start(&self, image: &str) -> Result<()> {
        self.start_as(image, SUPERUSER, &[])
    }

    fn start_as(&self, image: &str, superuser: &str, more: &[&str]) -> Result<()> {
        let login = [
            format!("POSTGRES_USER={superuser}"),
            format!("POSTGRES_PASSWORD={PASSWORD}"),
        ];
        let options = [
            &["--restart=unless-stopped", "-e", &login[0], "-e", &login[1]][..],
            more,
        ]
        .concat();
        self.testbed.guest(
            SERVICE,
            image,
            &options,
            &["postgres", "-c", "fsync=off", "-c", "max_prepared_transactions=2"],
        )?;
        self.await_server()
    }

    fn await_server(&self) -> Result<()> {
        // Over TCP: the private server of the first start does not listen there.
        until("the server takes connections", || {
            Ok(self.exec(&["pg_isready", "-q", "-h", "127.0.0.1"]).is_ok())
        })?;
        Ok(())
    }

    /// The folder of the tablespace in `every_class.sql`: an operator brings it too.
    pub fn make_folder(&self) -> Result<()> {
        self.exec(&["install", "-d", "-o", "postgres", "/srv/fast disk"])
            .map(drop)
    }

    /// The server is lost with its data; an empty one of another image takes its place.
    pub fn replace_by(&self, image: &str) -> Result<()> {
        self.lose()?;
        self.start(image)
    }

    /// The same; the superuser of its first hour has another name.
    pub fn replace_by_one_of(&self, superuser: &str, image: &str) -> Result<()> {
        self.lose()?;
        self.start_as(image, superuser, &[])?;
        let role = format!(
            "create role {SUPERUSER} superuser login password '{}'",
            PASSWORD.replace('\'', "''")
        );
        let login = [format!("PGUSER={superuser}"), format!("PGPASSWORD={PASSWORD}")];
        let id = self.testbed.container(SERVICE)?;
        let psql = ["psql", "-h", "127.0.0.1", "-d", "postgres", "-c", &role];
        let command = [&["exec", "-e", &login[0], "-e", &login[1], &id][..], &psql].concat();
        self.testbed.docker(&command).map(drop)
    }

    fn lose(&self) -> Result<()> {
        let lost = self.testbed.container(SERVICE)?;
        self.testbed.docker(&["rm", "--force", "--volumes", &lost]).map(drop)
    }

    /// Changes settings that count from the server's start on.
    pub fn restart_with(&self, settings: &[&str]) -> Result<()> {
        for setting in settings {
            self.psql(&format!("alter system set {setting}"))?;
        }
        self.testbed.docker(&["restart", &self.testbed.container(SERVICE)?])?;
        self.await_server()
    }

    /// From now on the server lets in its own system user by its socket, and nobody over the network.
    pub fn let_in_peers_only(&self) -> Result<()> {
        let shut = "local all all peer map=own\nhost all all all reject";
        self.write("pg_ident.conf", &format!("own postgres {SUPERUSER}"))?;
        self.write("pg_hba.conf", shut)?;
        until("nobody is let in over the network", || {
            Ok(self.psql("select 1").is_err())
        })
    }

    /// Passwords count again.
    pub fn let_in_by_password(&self) -> Result<()> {
        self.write("pg_hba.conf", "local all all trust\nhost all all all scram-sha-256")?;
        until("passwords count again", || Ok(self.psql("select 1").is_ok()))
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let script = format!(
            "printf '%s\\n' \"$1\" >\"$PGDATA/{file}\" && exec setpriv --reuid=postgres --clear-groups pg_ctl reload"
        );
        self.exec(&["sh", "-euc", &script, "sh", text]).map(drop)
    }

    /// Runs a command in the server's container.
    pub fn exec(&self, command: &[&str]) -> Result<String> {
        let id = self.testbed.container(SERVICE)?;
        let all: Vec<&str> = ["exec", &id].into_iter().chain(command.iter().copied()).collect();
        self.testbed.docker(&all)
    }

    /// Runs a script of psql as the superuser.
    pub fn psql(&self, script: &str) -> Result<String> {
        self.beside(&format!(
            "exec psql -XqAt -h 127.0.0.1 -d postgres <<'END OF SCRIPT'\n{script}\nEND OF SCRIPT\n"
        ))
    }

    /// Runs a script beside the server, with its tools and the superuser's login.
    pub fn beside(&self, script: &str) -> Result<String> {
        let login = format!("export PGUSER={SUPERUSER} PGPASSWORD=\"{PASSWORD}\" LC_ALL=C.UTF-8\n");
        self.testbed.beside(SERVICE, &format!("{login}{script}"))
    }

    /// What it holds.
    pub fn facts(&self) -> Result<Facts> {
        let said = self.beside(&format!("set -e\n{}", include_str!("facts.sh")))?;
        let mut facts = Facts::new();
        let mut section = None;
        for line in said.lines() {
            if let Some(name) = line.strip_prefix("== ") {
                section = Some(facts.entry(name.to_owned()).or_default());
            } else {
                section
                    .as_mut()
                    .context("a fact before every section")?
                    .push(line.to_owned());
            }
        }
        Ok(facts)
    }
}
