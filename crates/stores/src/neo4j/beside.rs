//! A container beside the store's: its image and its volumes, no network, and none of its entry point, which prints
//! warnings in front of what a command writes. Here files are copied, dumps are made and loaded, and a server runs for a
//! moment on data that is not the store's own.

use std::fmt::Write as _;

use secrecy::SecretString;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Command, Process};
use stillpoint_core::stores::{Cx, StoreError};

use super::layout::{self, Layout};
use crate::toolbox::{Doing, collect, finished};

/// The tool of the server.
pub(super) const ADMIN: &str = "neo4j-admin";

/// Where we keep what belongs to the container alone.
const ROOM: &str = "/tmp/stillpoint";

/// What Java may have for a tool: a dump needs no more, however large the data is.
const TOOL_HEAP: &str = "256m";

/// Makes room for a configuration, and gives the container a name that it can resolve: without one a server ends at its
/// start. Arguments: room, configuration, owner.
const FURNISH: &str = r#"mkdir -p "$1/conf" "$1/logs" "$1/run" "$1/import"
printf '%s' "$2" >"$1/conf/neo4j.conf"
chown -R "$3" "$1"
read -r name </proc/sys/kernel/hostname
grep -qw -- "$name" /etc/hosts || printf '127.0.0.1 %s\n' "$name" >>/etc/hosts"#;

/// How containers beside a store are called.
pub(super) const DUMP: &str = "neo4j-dump";
pub(super) const RESTORE: &str = "neo4j-restore";

/// A container beside the store's. It must be ended.
pub(super) struct Beside {
    pub(super) id: WorkloadId,
    owner: String,
}

/// Data that is worked on beside the store's own.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The folder of `databases`.
    pub(super) data: String,
    /// The folder of transaction logs.
    pub(super) logs: String,
}

impl Place {
    /// Both in one folder.
    pub(super) fn of(folder: &str) -> Self {
        Self {
            data: folder.to_owned(),
            logs: format!("{folder}/transactions"),
        }
    }
}

impl Beside {
    /// Makes one.
    pub(super) async fn begin(cx: &Cx, of: &WorkloadId, called: &str) -> Result<Self, StoreError> {
        Ok(Self {
            id: cx.shell.sibling(of, &cx.owner, called).await?,
            owner: String::new(),
        })
    }

    /// Has the server's programs work on this data, as its owner, from now on.
    pub(super) async fn furnish(&mut self, cx: &Cx, layout: &Layout, place: &Place) -> Result<(), StoreError> {
        self.owner.clone_from(&layout.owner);
        let configuration = configuration(layout, place);
        let arguments = [ROOM, &configuration, &layout.owner];
        self.run(cx, "making room for the server's tools", FURNISH, &arguments)
            .await
            .map(drop)
    }

    /// Runs a script by the user root, and returns what it says.
    pub(super) async fn run(
        &self,
        cx: &Cx,
        what: &str,
        script: &str,
        arguments: &[&str],
    ) -> Result<String, StoreError> {
        layout::run(cx, &self.id, what, script, arguments).await
    }

    /// Runs a script by the user root that says nothing, however long it works.
    pub(super) async fn work(&self, cx: &Cx, what: &str, script: &str, arguments: &[&str]) -> Result<(), StoreError> {
        let words = ["sh", "-euc", script, "sh"]
            .into_iter()
            .chain(arguments.iter().copied());
        let process = cx.shell.exec(&self.id, Command::new(words)).await?;
        finished(cx, Doing { what, tool: "sh" }, process).await
    }

    /// A command of the data's owner.
    pub(super) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        Command::new(words)
            .user(Some(&self.owner))
            .env("NEO4J_CONF", SecretString::from(format!("{ROOM}/conf")))
            .env("HEAP_SIZE", SecretString::from(TOOL_HEAP))
    }

    /// Starts the server's tool.
    pub(super) async fn admin(&self, cx: &Cx, words: &[&str]) -> Result<Process, StoreError> {
        let words = [ADMIN].into_iter().chain(words.iter().copied());
        Ok(cx.shell.exec(&self.id, self.command(words)).await?)
    }

    /// The version of the server in the image.
    pub(super) async fn version(&self, cx: &Cx) -> Result<String, StoreError> {
        let process = self.admin(cx, &["--version"]).await?;
        let what = "asking for the server's version";
        let said = collect(cx, Doing { what, tool: ADMIN }, process).await?;
        Ok(said.trim().trim_start_matches("neo4j ").to_owned())
    }

    /// Every database of the data is whole, as a server leaves it that was stopped; an error says which is not.
    pub(super) async fn must_be_clean(&self, cx: &Cx, databases: &[&str]) -> Result<(), StoreError> {
        let what = "asking whether the data needs a recovery";
        let process = self.admin(cx, &["database", "info", "--format=json"]).await?;
        let said = collect(cx, Doing { what, tool: ADMIN }, process).await?;
        match unclean(&said, databases) {
            None => Ok(()),
            Some(cause) => Err(StoreError::Server {
                doing: what.to_owned(),
                cause: cause.into(),
            }),
        }
    }

    /// Ends it, whatever came of the work. What failed first is told.
    pub(super) async fn end<T>(self, cx: &Cx, worked: Result<T, StoreError>) -> Result<T, StoreError> {
        let ended = cx.shell.end_sibling(&self.id).await;
        let worked = worked?;
        ended?;
        Ok(worked)
    }
}

/// Why not all of these databases are clean; none if they are. Every value is a text.
fn unclean(said: &str, databases: &[&str]) -> Option<String> {
    let Ok(found) = serde_json::from_str::<Vec<serde_json::Value>>(said) else {
        return Some(format!("{ADMIN} database info says: {said}"));
    };
    databases.iter().find_map(|name| {
        let info = found.iter().find(|info| info["databaseName"] == **name);
        let text = |key: &str| info.and_then(|info| info[key].as_str()).unwrap_or("unknown");
        match (info, text("recoveryRequired"), text("inUse")) {
            (None, ..) => Some(format!("there is no database {name}")),
            (_, "false", "false") => None,
            (_, _, "true") => Some(format!("database {name} is in use")),
            (_, state, _) => Some(format!("database {name}: recovery required: {state}")),
        }
    })
}

/// What a server and the tools are told. Nothing of the store's own configuration that is about memory, networks, agents or
/// security holds here; a server listens to its own container alone. It stops within a second because it waits for no
/// client of Bolt: there is none. Java's second compiler stays out: it takes half of the
/// processor time of whatever runs for half a minute only, beside clients that work.
fn configuration(layout: &Layout, place: &Place) -> String {
    let mut text = format!(
        "server.directories.data={}\n\
         server.directories.transaction.logs.root={}\n\
         server.directories.logs={ROOM}/logs\n\
         server.directories.run={ROOM}/run\n\
         server.directories.import={ROOM}/import\n\
         initial.dbms.default_database={}\n",
        place.data, place.logs, layout.database
    );
    text.push_str(
        "server.config.strict_validation.enabled=false\n\
         server.memory.heap.initial_size=128m\n\
         server.memory.heap.max_size=1g\n\
         server.memory.pagecache.size=128m\n\
         server.default_listen_address=127.0.0.1\n\
         server.default_advertised_address=localhost\n\
         server.http.enabled=true\n\
         server.http.listen_address=127.0.0.1:7474\n\
         server.https.enabled=false\n\
         server.bolt.enabled=true\n\
         server.bolt.listen_address=127.0.0.1:7687\n\
         internal.server.bolt.thread_pool_shutdown_wait_time=100ms\n\
         internal.server.bolt.connection_shutdown_wait_time=100ms\n\
         internal.dbms.bolt.netty_server_shutdown_quiet_period=0\n\
         internal.dbms.bolt.netty_server_shutdown_timeout=1s\n\
         dbms.security.auth_enabled=false\n\
         dbms.security.auth_minimum_password_length=1\n\
         dbms.usage_report.enabled=false\n\
         db.tx_log.preallocate=false\n\
         server.jvm.additional=-XX:+UseSerialGC\n\
         server.jvm.additional=-XX:TieredStopAtLevel=1\n\
         server.jvm.additional=-Dlog4j2.disable.jmx=true\n\
         server.jvm.additional=--add-opens=java.base/java.nio=ALL-UNNAMED\n\
         server.jvm.additional=--add-opens=java.base/java.io=ALL-UNNAMED\n\
         server.jvm.additional=--add-opens=java.base/sun.nio.ch=ALL-UNNAMED\n",
    );
    for option in &layout.jvm {
        if !text.contains(option.as_str()) {
            // Writing to a text does not fail.
            let _ = writeln!(text, "server.jvm.additional={option}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_server_has_left_in_order_is_clean() {
        let info = |name: &str, in_use: &str, recovery: &str| {
            format!(r#"{{"databaseName":"{name}","inUse":"{in_use}","recoveryRequired":"{recovery}"}}"#)
        };
        let (good, system) = (info("neo4j", "false", "false"), info("system", "false", "false"));
        let both = ["neo4j", "system"];
        assert_eq!(unclean(&format!("[{good},{system}]"), &both), None);
        for (found, word) in [
            (format!("[{good}]"), "no database system"),
            (
                format!("[{},{system}]", info("neo4j", "false", "true")),
                "recovery required: true",
            ),
            (format!("[{},{system}]", info("neo4j", "true", "false")), "in use"),
            (
                format!("[{},{system}]", info("neo4j", "false", "UNDEFINED")),
                "UNDEFINED",
            ),
            ("Warning".to_owned(), "Warning"),
        ] {
            let told = unclean(&found, &both).unwrap();
            assert!(told.contains(word), "{told}");
        }
    }

    #[test]
    fn what_java_has_to_open_is_told_once() {
        let layout = Layout {
            data: "/data".into(),
            logs: "/data/transactions".into(),
            database: "neo4j".into(),
            owner: "7474:7474".into(),
            jvm: vec![
                "--add-opens=java.base/java.nio=ALL-UNNAMED".into(),
                "--add-modules=jdk.incubator.vector".into(),
            ],
        };
        let text = configuration(&layout, &Place::of("/data/x"));
        assert_eq!(text.matches("java.base/java.nio").count(), 1);
        assert!(text.contains("server.jvm.additional=--add-modules=jdk.incubator.vector\n"));
        assert!(text.contains("server.directories.transaction.logs.root=/data/x/transactions\n"));
    }
}
