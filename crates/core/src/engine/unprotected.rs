//! Telling an operator what a backup will **not** hold: a container that looks like a database and
//! that no kind of store recognises. Pure, and only ever a warning: the name of an image proves nothing.

use super::keep::image_name;
use crate::workload::Workload;

/// Names of images that keep data of their own, as their makers call them.
const DATABASES: [&str; 24] = [
    "arangodb",
    "cassandra",
    "clickhouse",
    "clickhouse-server",
    "cockroach",
    "couchdb",
    "dragonfly",
    "elasticsearch",
    "influxdb",
    "keydb",
    "mariadb",
    "milvus",
    "mongo",
    "mysql",
    "nats",
    "neo4j",
    "opensearch",
    "postgres-documentdb",
    "qdrant",
    "rabbitmq",
    "redis",
    "valkey",
    "victoria-metrics",
    "weaviate",
];

/// Why the operator should know about this workload; none if it looks like no database.
pub fn warning(workload: &Workload) -> Option<String> {
    let image = image_name(&workload.image);
    DATABASES.contains(&image).then(|| {
        format!(
            "{} ({image}) looks like a database, is stopped like a client, and is NOT in the backup",
            workload.address
        )
    })
}
