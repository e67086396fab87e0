//! Where the server keeps its data, and what its one database is called: from its configuration, because it is needed
//! where the server does not run. Variables of the container are above the file, as in the official image.
//! While the server runs it is asked whether that is so: what is only believed is never copied.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::json;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Environment;

use super::Neo4jStore;
use super::session::{SYSTEM, Session, texts};
use crate::toolbox::{Doing, collect};

const DATA: &str = "server.directories.data";
const LOGS: &str = "server.directories.transaction.logs.root";
const DATABASE: &str = "initial.dbms.default_database";
/// What it was called before version 5, and is understood still.
const OLD_DATABASE: &str = "dbms.default_database";
const JVM: &str = "server.jvm.additional";

/// Says where the program lives and how it is configured. A mounted `/conf` takes the place of its own.
const READ: &str = r#"home=${NEO4J_HOME:-/var/lib/neo4j}
printf '%s\n' "$home"
for file in ${NEO4J_CONF:+"$NEO4J_CONF/neo4j.conf"} /conf/neo4j.conf "$home/conf/neo4j.conf"; do
  if [ -r "$file" ]; then exec cat "$file"; fi
done"#;

/// Says where two folders really are, and whose the first is.
const RESOLVE: &str = r#"readlink -f -- "$1"
readlink -f -- "$2"
stat -c %u:%g -- "$1/databases" 2>/dev/null || stat -c %u:%g -- "$1""#;

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The folder of `databases`, without links.
    pub(super) data: String,
    /// The folder of transaction logs, without links.
    pub(super) logs: String,
    /// The one database beside `system`.
    pub(super) database: String,
    /// Whose the files are: user and group, as numbers.
    pub(super) owner: String,
    /// What Java has to open for this version of the server.
    pub(super) jvm: Vec<String>,
}

impl Layout {
    /// The folder of databases.
    pub(super) fn databases(&self) -> String {
        format!("{}/databases", self.data)
    }
}

/// Settings by name, the last of each; of those that stand there many times all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    home: String,
    single: BTreeMap<String, String>,
    jvm: Vec<String>,
}

impl Settings {
    /// Reads what [`READ`] says; `environment` is above it.
    fn of(said: &str, environment: &Environment) -> Self {
        let (home, file) = said.split_once('\n').unwrap_or((said, ""));
        let mut settings = Self {
            home: home.trim_end_matches('/').to_owned(),
            ..Self::default()
        };
        for line in file.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some((name, value)) = line.split_once('=') {
                settings.set(name.trim(), value.trim());
            }
        }
        for (variable, value) in environment.iter() {
            if let Some(name) = setting_of(variable) {
                settings.set(&name, value.expose_secret().trim());
            }
        }
        settings
    }

    fn set(&mut self, name: &str, value: &str) {
        if name == JVM {
            self.jvm.push(value.to_owned());
        } else if !value.is_empty() {
            self.single.insert(name.to_owned(), value.to_owned());
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.single.get(name).map(String::as_str)
    }

    fn data(&self) -> String {
        below(&self.home, self.text(DATA).unwrap_or("data"))
    }

    fn logs(&self) -> String {
        below(&self.data(), self.text(LOGS).unwrap_or("transactions"))
    }

    /// Names of databases are without case.
    fn database(&self) -> String {
        let named = self.text(DATABASE).or_else(|| self.text(OLD_DATABASE));
        named.unwrap_or("neo4j").to_lowercase()
    }

    /// Of what Java is told, what it has to open. Agents, ports and sizes are the server's own.
    fn opened(&self) -> Vec<String> {
        let opens = [
            "--add-opens",
            "--add-modules",
            "--add-exports",
            "--enable-native-access",
        ];
        let opened = self
            .jvm
            .iter()
            .filter(|it| opens.iter().any(|option| it.starts_with(option)));
        opened.cloned().collect()
    }
}

/// The setting that a variable of the container is: `NEO4J_server_memory_heap_max__size`.
fn setting_of(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("NEO4J_")?;
    Some(name.replace('_', ".").replace("..", "_"))
}

/// A path that may be relative.
fn below(folder: &str, path: &str) -> String {
    let path = path.trim_end_matches('/');
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    }
}

impl Neo4jStore {
    /// Learns it from the container's files. `place` is the store's container, or one beside it.
    pub(super) async fn learn(&self, cx: &Cx, place: &WorkloadId) -> Result<Layout, StoreError> {
        let said = run(cx, place, "reading the server's configuration", READ, &[]).await?;
        let settings = Settings::of(&said, &self.environment);
        let (data, logs) = (settings.data(), settings.logs());
        let resolved = run(cx, place, "looking for the server's data", RESOLVE, &[&data, &logs]).await?;
        match &resolved.lines().collect::<Vec<_>>()[..] {
            [data, logs, owner] => Ok(Layout {
                data: (*data).to_owned(),
                logs: (*logs).to_owned(),
                database: settings.database(),
                owner: (*owner).to_owned(),
                jvm: settings.opened(),
            }),
            _ => Err(self.unfit(&format!("its data is not where it is to be: {data}, {logs}"))),
        }
    }

    /// Whether the server that runs keeps its data where its configuration says, under that name.
    pub(super) async fn must_be_so(&self, cx: &Cx, session: &Session<'_>, layout: &Layout) -> Result<(), StoreError> {
        let failed = |trouble| self.failed("asking for the server's settings", trouble);
        let statement = "SHOW SETTINGS YIELD name, value WHERE name = $name RETURN value";
        let ask = async |name: &str| {
            let asked = session.ask(&layout.database, statement, json!({"name": name})).await;
            let value = texts(&asked.map_err(failed)?).into_iter().next();
            value.ok_or_else(|| self.unfit(&format!("it does not tell its setting {name}")))
        };
        let (data, logs) = (ask(DATA).await?, ask(LOGS).await?);
        let what = "looking for the server's data";
        let resolved = run(cx, &self.workload, what, RESOLVE, &[&data, &logs]).await?;
        let found: Vec<&str> = resolved.lines().take(2).collect();
        if found != [&layout.data, &layout.logs] {
            return Err(self.unfit(&format!(
                "it keeps its data in {data} and {logs}, and its configuration says {} and {}: set both by variables of \
                 its container (NEO4J_server_directories_data, …)",
                layout.data, layout.logs
            )));
        }
        let databases = session.ask(
            SYSTEM,
            "SHOW DATABASES YIELD name, default WHERE default RETURN name",
            json!({}),
        );
        let databases = databases
            .await
            .map_err(|trouble| self.failed("asking for its databases", trouble))?;
        match &texts(&databases)[..] {
            [name] if *name == layout.database => Ok(()),
            names => Err(self.unfit(&format!(
                "its database is called {}, and its configuration says {}: set NEO4J_initial_dbms_default__database",
                names.join(", "),
                layout.database
            ))),
        }
    }
}

/// Runs a script in a container of the store's image, and returns what it says.
pub(super) async fn run(
    cx: &Cx,
    place: &WorkloadId,
    what: &str,
    script: &str,
    arguments: &[&str],
) -> Result<String, StoreError> {
    let words = ["sh", "-euc", script, "sh"]
        .into_iter()
        .chain(arguments.iter().copied());
    let process = cx.shell.exec(place, Command::new(words)).await?;
    collect(cx, Doing { what, tool: "sh" }, process).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(said: &str, variables: &[&str]) -> Settings {
        Settings::of(said, &Environment::parse(variables.iter().map(|one| (*one).to_owned())))
    }

    #[test]
    fn where_nothing_is_said_the_image_says_it() {
        let plain = settings("/var/lib/neo4j\n# server.directories.data=/elsewhere\n", &[]);
        assert_eq!(plain.data(), "/var/lib/neo4j/data");
        assert_eq!(plain.logs(), "/var/lib/neo4j/data/transactions");
        assert_eq!(plain.database(), "neo4j");
        assert_eq!(settings("/opt/neo4j/", &[]).data(), "/opt/neo4j/data");
    }

    #[test]
    fn the_file_is_read_and_variables_are_above_it() {
        let file = "/var/lib/neo4j\n server.directories.data = /graph/ \r\nserver.directories.transaction.logs.root=/logs/tx\n\
                    initial.dbms.default_database=Films\nserver.directories.data=/graph2\n";
        let read = settings(file, &[]);
        assert_eq!((read.data().as_str(), read.logs().as_str()), ("/graph2", "/logs/tx"));
        assert_eq!(read.database(), "films");
        let above = settings(
            file,
            &[
                "NEO4J_server_directories_data=/data",
                "NEO4J_server_directories_transaction_logs_root=tx",
                "NEO4J_initial_dbms_default__database=books",
                "PATH=/bin",
            ],
        );
        assert_eq!((above.data().as_str(), above.logs().as_str()), ("/data", "/data/tx"));
        assert_eq!(above.database(), "books");
        assert_eq!(settings("/x\ndbms.default_database=old\n", &[]).database(), "old");
    }

    #[test]
    fn of_what_java_is_told_only_what_it_has_to_open_is_taken() {
        let file = "/x\nserver.jvm.additional=-XX:+UseG1GC\nserver.jvm.additional=--add-opens=java.base/java.nio=ALL-UNNAMED\n\
                    server.jvm.additional=-javaagent:/spy.jar=9404\nserver.jvm.additional=--add-modules=jdk.incubator.vector\n";
        let opened = settings(file, &[]).opened();
        assert_eq!(
            opened,
            [
                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                "--add-modules=jdk.incubator.vector"
            ]
        );
    }

    #[test]
    fn variables_are_settings_as_the_official_image_reads_them() {
        assert_eq!(
            setting_of("NEO4J_server_memory_heap_max__size").as_deref(),
            Some("server.memory.heap.max_size")
        );
        assert_eq!(setting_of("HOME"), None);
    }
}
