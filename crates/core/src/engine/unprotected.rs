//! Telling an operator what a backup will **not** hold: databases of kinds that are not supported, and the volumes and
//! folders of everything that is no store. Pure, and only ever told: what a program is called proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::keep::image_name;
use crate::manifest::{DataKind, LeftOut, Manifest, WorkloadRecord};
use crate::names::Address;
use crate::workload::{MountSource, Workload};

/// A sort of server that keeps data of its own.
struct Database {
    name: &'static str,
    /// What its programs are called, or what stands on the command line of the one that runs it.
    programs: &'static [&'static str],
    /// What the names of its images begin with.
    images: &'static [&'static str],
}

const fn database(name: &'static str, programs: &'static [&'static str], images: &'static [&'static str]) -> Database {
    Database { name, programs, images }
}

/// What is looked for, as its makers call it.
const DATABASES: [Database; 46] = [
    database("ArangoDB", &["arangod"], &["arangodb"]),
    database(
        "Cassandra",
        &["org.apache.cassandra.service.CassandraDaemon"],
        &["cassandra"],
    ),
    database("Chroma", &["chroma"], &["chroma"]),
    database("ClickHouse", &["clickhouse", "clickhouse-server"], &["clickhouse"]),
    database("CockroachDB", &["cockroach"], &["cockroach"]),
    database("Consul", &["consul"], &["consul"]),
    database("CouchDB", &["couchdb"], &["couchdb"]),
    database("Db2", &["db2sysc"], &["db2"]),
    database("Dragonfly", &["dragonfly"], &["dragonfly"]),
    database(
        "Elasticsearch",
        &[
            "elasticsearch",
            "org.elasticsearch.bootstrap.Elasticsearch",
            "org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch",
        ],
        &["elasticsearch"],
    ),
    database("etcd", &["etcd"], &["etcd"]),
    database(
        "EventStoreDB",
        &["EventStore.ClusterNode", "eventstored"],
        &["eventstore"],
    ),
    database("Firebird", &["firebird"], &["firebird"]),
    database("Garnet", &["GarnetServer"], &["garnet"]),
    database("InfluxDB", &["influxd", "influxdb3"], &["influxdb"]),
    database(
        "Kafka",
        &["kafka.Kafka", "kafka.docker.KafkaDockerWrapper"],
        &["kafka", "cp-kafka"],
    ),
    database("KeyDB", &["keydb-server"], &["keydb"]),
    database("Kvrocks", &["kvrocks"], &["kvrocks"]),
    database("Loki", &["loki"], &["loki"]),
    database("MariaDB", &["mariadbd"], &["mariadb"]),
    database("Meilisearch", &["meilisearch"], &["meilisearch"]),
    database("Milvus", &["milvus"], &["milvus"]),
    database("MinIO", &["minio"], &["minio"]),
    database("MongoDB", &["mongod"], &["mongo"]),
    database("MySQL", &["mysqld"], &["mysql", "percona"]),
    database("NATS Streaming", &["nats-streaming-server"], &["nats-streaming"]),
    database(
        "Neo4j",
        &[
            "com.neo4j.server.enterprise.Neo4jEnterprise",
            "org.neo4j.server.CommunityEntryPoint",
            "com.neo4j.server.enterprise.EnterpriseEntryPoint",
            "neo4j",
        ],
        &["neo4j"],
    ),
    database("OpenLDAP", &["slapd"], &["openldap"]),
    database("OpenSearch", &["org.opensearch.bootstrap.OpenSearch"], &["opensearch"]),
    database(
        "OrientDB",
        &["com.orientechnologies.orient.server.OServerMain"],
        &["orientdb"],
    ),
    database("Prometheus", &["prometheus"], &["prometheus"]),
    database("Pulsar", &["org.apache.pulsar.PulsarStandaloneStarter"], &["pulsar"]),
    database("Qdrant", &["qdrant"], &["qdrant"]),
    database("QuestDB", &["io.questdb.ServerMain"], &["questdb"]),
    database("RabbitMQ", &["rabbitmq-server", "rabbit"], &["rabbitmq"]),
    database("Redpanda", &["redpanda"], &["redpanda"]),
    database("RethinkDB", &["rethinkdb"], &["rethinkdb"]),
    database("ScyllaDB", &["scylla"], &["scylla"]),
    database("Solr", &["solr"], &["solr"]),
    database("SQL Server", &["sqlservr"], &["mssql"]),
    database("SurrealDB", &["surreal"], &["surrealdb"]),
    database("Typesense", &["typesense-server"], &["typesense"]),
    database("Vault", &["vault"], &["vault"]),
    database(
        "VictoriaMetrics",
        &["victoria-metrics", "victoria-metrics-prod"],
        &["victoria-metrics"],
    ),
    database("Weaviate", &["weaviate"], &["weaviate"]),
    database(
        "ZooKeeper",
        &["org.apache.zookeeper.server.quorum.QuorumPeerMain"],
        &["zookeeper"],
    ),
];

/// What names of images have in them that belong to such a server and are none.
const NO_SERVERS: [&str; 14] = [
    "admin",
    "agent",
    "attu",
    "backup",
    "commander",
    "dashboard",
    "exporter",
    "express",
    "keeper",
    "kibana",
    "operator",
    "proxy",
    "ui",
    "webui",
];

/// Programs that run others under a class or script of theirs.
const RUNTIMES: [&str; 3] = ["java", "beam.smp", "mono"];

/// So many digits has the name that the engine gives to a volume without one.
const UNNAMED: usize = 64;

/// Folders of a host that hold no data of a platform.
const SYSTEM: [&str; 9] = [
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/run",
    "/sys",
    "/usr",
    "/var/lib/docker",
    "/var/run",
];

/// What a workload that is no store keeps. `embedded` is the server of a known kind that runs in it for itself;
/// `covered` are the volumes and folders of stores.
pub(super) fn left_out(
    workload: &Workload,
    embedded: Option<&'static str>,
    covered: &BTreeSet<&MountSource>,
) -> Vec<LeftOut> {
    let embedded = embedded.map(|program| format!("{program}, run for itself"));
    let databases = known(workload).map(ToOwned::to_owned).or(embedded).map(|name| LeftOut {
        what: DataKind::Database,
        name,
        at: None,
        bytes: None,
    });
    let mounts = workload
        .mounts
        .iter()
        .filter(|mount| mount.writable && !covered.contains(&mount.source));
    let mounts = mounts.filter_map(|mount| {
        let (what, name) = match &mount.source {
            MountSource::Volume(name) => (DataKind::Volume, name),
            MountSource::Host(path) if !is_of_system(path) => (DataKind::Folder, path),
            MountSource::Host(_) | MountSource::Device(_) | MountSource::Memory => return None,
        };
        Some(LeftOut {
            what,
            name: name.clone(),
            at: Some(mount.at.clone()),
            bytes: None,
        })
    });
    databases.into_iter().chain(mounts).collect()
}

/// The kind of database that it looks like: by what runs in it; by its names where that does not tell.
fn known(workload: &Workload) -> Option<&'static str> {
    let lines = match &workload.contents.processes {
        Some(processes) => processes.iter().collect(),
        None => vec![&workload.command],
    };
    let programs: BTreeSet<String> = lines
        .into_iter()
        .flat_map(|line| {
            let programs = line.programs();
            let is_runtime = programs.iter().any(|program| RUNTIMES.contains(&program.as_str()));
            let words = line.words().filter(|_| is_runtime).map(ToOwned::to_owned);
            programs.into_iter().chain(words.collect::<Vec<_>>())
        })
        .collect();
    let runs = |one: &&Database| one.programs.iter().any(|program| programs.contains(*program));
    let image = image_name(&workload.image);
    let is_called = |one: &&Database| {
        one.images.iter().any(|name| image.starts_with(name)) && !NO_SERVERS.iter().any(|word| image.contains(word))
    };
    let found = DATABASES.iter().find(runs).or_else(|| DATABASES.iter().find(is_called));
    found.map(|one| one.name)
}

fn is_of_system(path: &str) -> bool {
    let is_below = |folder: &&str| {
        path.strip_prefix(*folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    SYSTEM.iter().any(is_below) || path.rsplit('.').next() == Some("sock")
}

/// What an operator has to know of a database that no kind of store is for.
pub(super) fn warning(address: &Address, left_out: &LeftOut) -> Option<String> {
    (left_out.what == DataKind::Database).then(|| {
        format!(
            "{address} looks like a database ({}), is stopped like a client, and is NOT in the backup; if it is one of a \
             kind that is supported, its label stillpoint.kind says so, and `none` that it is no store",
            left_out.name
        )
    })
}

/// Notes the sizes of volumes.
pub(super) fn measure<'a>(all: impl Iterator<Item = &'a mut LeftOut>, sizes: &BTreeMap<String, u64>) {
    for one in all.filter(|one| one.what == DataKind::Volume) {
        one.bytes = sizes.get(&one.name).copied();
    }
}

/// The sizes of volumes that were noted.
pub(super) fn sizes(records: &[WorkloadRecord]) -> BTreeMap<String, u64> {
    let volumes = all_of(records).filter(|(_, one)| one.what == DataKind::Volume);
    volumes
        .filter_map(|(_, one)| Some((one.name.clone(), one.bytes?)))
        .collect()
}

/// What the platform keeps outside its backups and did not keep when `last` was made. Nothing if nobody looked then.
pub(super) fn new_since<'a>(last: &Manifest, now: &'a [WorkloadRecord]) -> Vec<(&'a Address, &'a LeftOut)> {
    if last.workloads.iter().all(|record| record.left_out.is_none()) {
        return Vec::new();
    }
    let known: BTreeSet<(DataKind, String)> = all_of(&last.workloads)
        .map(|(address, one)| identity(address, one))
        .collect();
    all_of(now)
        .filter(|(address, one)| !known.contains(&identity(address, one)))
        .collect()
}

fn all_of(records: &[WorkloadRecord]) -> impl Iterator<Item = (&Address, &LeftOut)> {
    records.iter().flat_map(|record| {
        let left_out = record.left_out.iter().flatten();
        left_out.map(move |one| (&record.address, one))
    })
}

/// A volume without a name has another one in each container of its service.
fn identity(address: &Address, one: &LeftOut) -> (DataKind, String) {
    let has_no_name = one.name.len() == UNNAMED && one.name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match &one.at {
        Some(at) if one.what == DataKind::Volume && has_no_name => format!("{address} {at}"),
        _ => one.name.clone(),
    };
    (one.what, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_once_each() {
        let names: Vec<String> = DATABASES.iter().map(|one| one.name.to_lowercase()).collect();
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn a_hosts_own_folders_are_no_data() {
        for path in ["/var/run/docker.sock", "/srv/app/x.sock", "/etc", "/proc/1"] {
            assert!(is_of_system(path), "{path}");
        }
        for path in ["/srv/etc", "/etcetera", "/var/lib/app", "/home/me/runs"] {
            assert!(!is_of_system(path), "{path}");
        }
    }
}
