//! Telling a store by what runs: its processes as the engine sees them, what its container was told to start, the
//! files of its data folder; image, ports and variables only where those do not tell. A tool of the same image, and a
//! client that only knows where its server is, run no server.
//!
//! What the operator says (label, configuration) settles the matter before anybody comes here.

use stillpoint_core::engine::keep::image_name;
use stillpoint_core::stores::{Greeting, Recognition};
use stillpoint_core::workload::{CommandLine, State, Workload};

/// What a kind of store is told by.
pub(crate) struct Fingerprint {
    /// The programs that serve its data.
    pub(crate) servers: &'static [&'static str],
    /// The classes that serve its data where Java runs them.
    pub(crate) classes: &'static [&'static str],
    /// Words on the command line of such a program that serves none.
    pub(crate) not_with: &'static [&'static str],
    /// How a server answers.
    pub(crate) greeting: Greeting,
    /// Variables that images of it set for their server.
    pub(crate) variables: &'static [&'static str],
    /// What the names of its images begin with, as their makers and repackagers call them.
    pub(crate) images: &'static [&'static str],
    /// What names of images have in them that only belong to it: exporters, consoles, poolers.
    pub(crate) no_images: &'static [&'static str],
    /// Its data files, by their paths below a mounted folder.
    pub(crate) files: &'static [&'static str],
}

/// What may run beside a server and serves nothing: an init, supervisors, what a shell waits with.
const COMPANIONS: [&str; 12] = [
    "cat",
    "cron",
    "crond",
    "runsv",
    "runsvdir",
    "s6-supervise",
    "s6-svscan",
    "sleep",
    "socat",
    "supervise",
    "svscan",
    "tail",
];

/// The program whose arguments say what it is.
const JAVA: &str = "java";

/// What a command line starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Starts {
    /// A server of this kind.
    Server,
    /// Something else.
    Other,
    /// It does not say.
    Unknown,
}

impl Fingerprint {
    /// Whether the workload is such a store.
    pub(crate) fn recognise(&self, workload: &Workload) -> Recognition {
        let told = self.starts(&workload.command);
        // A server that is only just being set up is none of its processes yet.
        if told == Starts::Server {
            return Recognition::Store;
        }
        match &workload.contents.processes {
            Some(processes) => self.by_processes(workload, processes),
            None if told == Starts::Other => Recognition::No,
            None if workload.state == State::Running && self.is_hinted(workload) => Recognition::Ask(self.greeting),
            None if workload.state.is_up() => Recognition::No,
            None => self.by_files(workload),
        }
    }

    fn by_processes(&self, workload: &Workload, processes: &[CommandLine]) -> Recognition {
        let serves = |process: &&CommandLine| self.starts(process) == Starts::Server;
        if !processes.iter().any(|process| serves(&process)) {
            return Recognition::No;
        }
        let others = processes.iter().filter(|process| !serves(process));
        let mut others = others.flat_map(CommandLine::programs);
        let is_alone = others.all(|program| is_companion(&program) || ending(&program) == Some("sh"));
        if is_alone || self.is_hinted(workload) {
            Recognition::Store
        } else {
            Recognition::Ask(self.greeting)
        }
    }

    /// What does not run is known by its data, or by all of its names.
    fn by_files(&self, workload: &Workload) -> Recognition {
        let has_data = self.files.iter().any(|file| workload.contents.files.contains(*file));
        if self.is_hinted(workload) && (has_data || self.is_of_image(workload)) {
            Recognition::Store
        } else {
            Recognition::No
        }
    }

    fn starts(&self, line: &CommandLine) -> Starts {
        let programs = line.programs();
        if programs.iter().any(|program| program == JAVA) && line.words().any(|word| self.classes.contains(&word)) {
            return Starts::Server;
        }
        let mut words = line.words().flat_map(str::split_whitespace);
        let is_no_server = words.any(|word| self.not_with.iter().any(|other| word.ends_with(other)));
        let is_server = |program: &String| self.servers.contains(&program.as_str());
        let serves = programs.iter().any(is_server) && !is_no_server;
        if serves
            && programs
                .iter()
                .all(|program| is_server(program) || is_companion(program))
        {
            Starts::Server
        } else if serves || programs.is_empty() || programs.iter().any(|program| is_script(program)) {
            Starts::Unknown
        } else {
            Starts::Other
        }
    }

    /// Its names say that it might be one.
    fn is_hinted(&self, workload: &Workload) -> bool {
        let is_set = |name: &&str| workload.environment.get(name).is_some();
        let names = workload.ports.contains(&self.greeting.port)
            || self.variables.iter().any(is_set)
            || self.is_of_image(workload);
        names && !self.is_of_no_image(workload)
    }

    fn is_of_image(&self, workload: &Workload) -> bool {
        let (image, path) = (image_name(&workload.image), &workload.image);
        let is_it = |name: &&str| image.starts_with(*name) || name.contains('/') && path.contains(*name);
        self.images.iter().any(is_it) && !self.is_of_no_image(workload)
    }

    fn is_of_no_image(&self, workload: &Workload) -> bool {
        let image = image_name(&workload.image);
        self.no_images.iter().any(|word| image.contains(word))
    }
}

fn is_companion(program: &str) -> bool {
    COMPANIONS.contains(&program)
}

/// A script may start anything.
fn is_script(program: &str) -> bool {
    let names = ["init", "launch", "python", "python3", "run", "start"];
    matches!(ending(program), Some("py" | "sh")) || names.contains(&program)
}

fn ending(program: &str) -> Option<&str> {
    program.rsplit_once('.').map(|(_, ending)| ending)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stillpoint_core::stores::Kind;
    use stillpoint_core::workload::Environment;

    use super::*;
    use crate::settings::tests::{configured, container};

    /// A container that runs, of this image, that was told to start this.
    fn running(image: &str, command: &str) -> Workload {
        Workload {
            image: image.to_owned(),
            command: line(command),
            ..container(&[], &[])
        }
    }

    fn line(text: &str) -> CommandLine {
        CommandLine::new(text.split(' ').filter(|word| !word.is_empty()).map(ToOwned::to_owned))
    }

    fn seen(mut workload: Workload, processes: &[&str]) -> Workload {
        workload.contents.processes = Some(processes.iter().map(|process| line(process)).collect());
        workload
    }

    fn stopped(mut workload: Workload, files: &[&str]) -> Workload {
        workload.state = State::Exited;
        workload.contents.files = files.iter().map(|file| (*file).to_owned()).collect();
        workload
    }

    /// The kinds that take it for a store of theirs, with a question mark where they would ask.
    fn kinds(workload: &Workload) -> Vec<String> {
        let kinds: Vec<Arc<dyn Kind>> = crate::registry(&configured(&[]), None);
        let told = kinds.iter().filter_map(|kind| match kind.recognises(workload) {
            Recognition::Store => Some(kind.kind().to_string()),
            Recognition::Ask(_) => Some(format!("{}?", kind.kind())),
            Recognition::No => None,
        });
        told.collect()
    }

    #[test]
    fn a_server_is_known_by_its_processes_whatever_its_image_is_called() {
        let title = ["postgres -D /data", "postgres: checkpointer", "postgres: walwriter"];
        for (image, command, processes, kind) in [
            ("acme-db:1", "/start.sh", &title[..], "postgres"),
            (
                "registry.example/spilo-17:4.0",
                "/bin/sh /launch.sh init",
                &[
                    "/usr/bin/dumb-init /launch.sh",
                    "python3 /usr/local/bin/patroni",
                    "postgres -D /home/postgres",
                ],
                "postgres",
            ),
            (
                "timescale/timescaledb-ha:pg17",
                "/docker-entrypoint.sh postgres",
                &title,
                "postgres",
            ),
            (
                "bitnami/postgresql:17",
                "/opt/bitnami/scripts/postgresql/entrypoint.sh run.sh",
                &title,
                "postgres",
            ),
            (
                "acme-db:1",
                "/start.sh",
                &["postgres -D /data", "postgres: documentdb_bg_worker_leader"],
                "documentdb",
            ),
            ("acme-valkey:1", "/run.sh", &["valkey-server *:6379"], "valkey"),
            (
                "bitnami/redis:7",
                "/opt/bitnami/scripts/redis/entrypoint.sh",
                &["redis-server *:6379"],
                "valkey",
            ),
            (
                "acme-bus:1",
                "/run.sh",
                &["tini -- /run.sh", "/usr/bin/nats-server -js"],
                "nats",
            ),
            (
                "acme-graph:1",
                "/run.sh",
                &[
                    "tini -- /run.sh",
                    "java -cp /opt/neo4j/lib/* org.neo4j.server.CommunityEntryPoint --home-dir=/opt/neo4j",
                ],
                "neo4j",
            ),
            (
                "acme-columns:1",
                "/entrypoint.sh",
                &["/usr/bin/clickhouse-server --config-file=/etc/clickhouse-server/config.xml"],
                "clickhouse",
            ),
            (
                "acme-columns:1",
                "/run.sh",
                &["clickhouse-watchdog", "clickhouse server"],
                "clickhouse",
            ),
        ] {
            assert_eq!(kinds(&seen(running(image, command), processes)), [kind], "{image}");
        }
    }

    #[test]
    fn a_server_is_known_by_what_it_was_told_to_start() {
        for (image, command, kind) in [
            ("postgres:17", "docker-entrypoint.sh postgres -c fsync=off", "postgres"),
            ("postgis/postgis:17-3.5", "docker-entrypoint.sh postgres", "postgres"),
            (
                "supabase/postgres:17",
                "docker-entrypoint.sh postgres -D /etc/postgresql",
                "postgres",
            ),
            ("acme:1", "/usr/lib/postgresql/17/bin/postgres -D /data", "postgres"),
            (
                "ghcr.io/ferretdb/postgres-documentdb:17-0.108.0",
                "docker-entrypoint.sh postgres",
                "documentdb",
            ),
            (
                "acme-db:1",
                "postgres -c shared_preload_libraries=pg_cron,pg_documentdb_core,pg_documentdb",
                "documentdb",
            ),
            ("acme:1", "sh -c exec redis-server --requirepass $PASS", "valkey"),
            ("nats:2.11", "/nats-server -c /etc/nats.conf", "nats"),
            ("neo4j:5", "tini -g -- /startup/docker-entrypoint.sh neo4j", "neo4j"),
            ("acme:1", "clickhouse server --config-file=/etc/x.xml", "clickhouse"),
        ] {
            assert_eq!(kinds(&running(image, command)), [kind], "{image} {command}");
            assert_eq!(
                kinds(&stopped(running(image, command), &[])),
                [kind],
                "{image} {command}, stopped"
            );
        }
    }

    #[test]
    fn a_client_a_tool_and_a_console_are_no_stores() {
        for (image, command, processes, port, variables) in [
            (
                "acme-api:1",
                "node server.js",
                "node server.js",
                3000,
                &["PGHOST=db", "POSTGRES_PASSWORD=x"][..],
            ),
            (
                "acme-api:1",
                "node server.js",
                "node server.js",
                3000,
                &["REDIS_URL=redis://cache"],
            ),
            (
                "ghcr.io/ferretdb/ferretdb:2",
                "/ferretdb",
                "/ferretdb --postgresql-url=postgres://documentdb@postgres-documentdb/postgres",
                27017,
                &["FERRETDB_POSTGRESQL_URL=postgres://documentdb@postgres-documentdb/postgres"],
            ),
            (
                "bitnami/pgbouncer:1",
                "pgbouncer /etc/pgbouncer.ini",
                "pgbouncer /etc/pgbouncer.ini",
                5432,
                &[],
            ),
            (
                "edoburu/pgbouncer:1",
                "/entrypoint.sh",
                "/usr/bin/pgbouncer /etc/x.ini",
                5432,
                &["POSTGRES_PASSWORD=x"],
            ),
            (
                "prometheuscommunity/postgres-exporter:1",
                "/bin/postgres_exporter",
                "/bin/postgres_exporter",
                9187,
                &[],
            ),
            (
                "rediscommander/redis-commander:1",
                "/start.sh",
                "node ./bin/redis-commander",
                8081,
                &[],
            ),
            (
                "oliver006/redis_exporter:1",
                "/redis_exporter",
                "/redis_exporter",
                9121,
                &[],
            ),
            ("natsio/nats-box:1", "/entrypoint.sh sh", "sh", 0, &[]),
            (
                "postgres:17",
                "docker-entrypoint.sh sh -c while :; do pg_dump -h db -U postgres; sleep 86400; done",
                "sh -c while :; do pg_dump -h db -U postgres; sleep 86400; done",
                5432,
                &["PGDATA=/var/lib/postgresql/data", "POSTGRES_PASSWORD=x", "PGHOST=db"],
            ),
            (
                "postgres:17",
                "/backup.sh",
                "crond -f",
                5432,
                &["PGDATA=/var/lib/postgresql/data"],
            ),
            (
                "redis:7",
                "docker-entrypoint.sh redis-sentinel /etc/s.conf",
                "redis-sentinel *:26379 [sentinel]",
                6379,
                &[],
            ),
            (
                "redis:7",
                "redis-server /etc/s.conf --sentinel",
                "redis-server *:26379 [sentinel]",
                6379,
                &[],
            ),
            (
                "neo4j:5",
                "tini -g -- /startup/docker-entrypoint.sh neo4j-admin database info",
                "java -cp /var/lib/neo4j/lib/* org.neo4j.server.startup.Neo4jAdminCommand database info",
                7687,
                &["NEO4J_AUTH=neo4j/x"],
            ),
            (
                "acme-graph-api:1",
                "java -jar api.jar",
                "java -jar api.jar --neo4j=bolt://graph:7687",
                8080,
                &["NEO4J_AUTH=neo4j/x"],
            ),
            (
                "redis:7",
                "redis-cli -h cache monitor",
                "redis-cli -h cache monitor",
                6379,
                &[],
            ),
        ] {
            assert_eq!(
                tool(image, command, processes, port, variables),
                [""; 0],
                "{image} {command}"
            );
        }
    }

    /// The kinds that take it for a store that runs this, has this port, and these variables.
    fn tool(image: &str, command: &str, processes: &str, port: u16, variables: &[&str]) -> Vec<String> {
        let mut workload = running(image, command);
        workload.ports.insert(port);
        workload.environment = Environment::parse(variables.iter().map(|one| (*one).to_owned()));
        kinds(&seen(workload, &[processes]))
    }

    #[test]
    fn what_only_speaks_to_a_clickhouse_or_keeps_its_lists_is_none() {
        for (image, command, processes, port, variables) in [
            (
                "langfuse/langfuse-worker:3",
                "./worker/entrypoint.sh node worker/dist/index.js",
                "node worker/dist/index.js",
                3030,
                &["CLICKHOUSE_URL=http://clickhouse:8123", "CLICKHOUSE_PASSWORD=x"][..],
            ),
            (
                "clickhouse/clickhouse-keeper:25.8",
                "/entrypoint.sh",
                "/usr/bin/clickhouse-keeper --config-file=/etc/clickhouse-keeper/keeper_config.xml",
                9181,
                &[],
            ),
            (
                "clickhouse/clickhouse-server:25.8",
                "clickhouse client --host clickhouse",
                "clickhouse client --host clickhouse",
                8123,
                &["CLICKHOUSE_CONFIG=/etc/clickhouse-server/config.xml"],
            ),
        ] {
            assert_eq!(
                tool(image, command, processes, port, variables),
                [""; 0],
                "{image} {command}"
            );
        }
    }

    #[test]
    fn a_server_inside_an_application_is_asked_whether_it_serves_others() {
        let inside = ["python3 app.py", "redis-server 127.0.0.1:6379"];
        assert_eq!(kinds(&seen(running("acme-app:1", "/start.sh"), &inside)), ["valkey?"]);
        let mut named = seen(running("acme-app:1", "/start.sh"), &inside);
        named.ports.insert(6379);
        assert_eq!(kinds(&named), ["valkey"]);
    }

    #[test]
    fn where_the_engine_tells_no_processes_a_hint_is_asked_about() {
        let mut hinted = running("acme:1", "/start.sh");
        assert_eq!(kinds(&hinted), [""; 0]);
        hinted.ports.insert(5432);
        assert_eq!(kinds(&hinted), ["postgres?"]);
    }

    #[test]
    fn what_does_not_run_is_known_by_its_data_and_a_name() {
        let image = running("bitnami/postgresql:17", "/opt/bitnami/entrypoint.sh /run.sh");
        assert_eq!(kinds(&stopped(image, &[])), ["postgres"]);
        let mut own = running("acme-db:1", "/start.sh");
        own.ports.insert(5432);
        assert_eq!(kinds(&stopped(own.clone(), &["PG_VERSION"])), ["postgres"]);
        assert_eq!(kinds(&stopped(own, &[])), [""; 0]);
        // An entry point that is given options alone starts its image's server.
        let options = running(
            "valkey/valkey:8",
            "docker-entrypoint.sh --requirepass secret --save 3600 1",
        );
        assert_eq!(kinds(&stopped(options.clone(), &[])), ["valkey"]);
        assert_eq!(kinds(&seen(options, &["valkey-server *:6379"])), ["valkey"]);
        // It puts the folder's owner right and ends.
        let helper = running("alpine:3", "sh -c chown -R 999 /var/lib/postgresql/data");
        assert_eq!(kinds(&stopped(helper, &["PG_VERSION"])), [""; 0]);
        let helper = running(
            "postgres:17",
            "docker-entrypoint.sh chown -R 999 /var/lib/postgresql/data",
        );
        assert_eq!(kinds(&stopped(helper, &["PG_VERSION"])), [""; 0]);
    }

    #[test]
    fn what_the_operator_says_settles_it() {
        let mut said = running("acme/cache:1", "/start.sh");
        said.labels.insert("stillpoint.kind".into(), "valkey".into());
        assert_eq!(kinds(&said), ["valkey"]);
        let mut none = running("redis:7", "redis-server");
        none.labels.insert("stillpoint.kind".into(), "none".into());
        assert_eq!(kinds(&none), [""; 0]);
    }
}
