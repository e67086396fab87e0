//! The stock client programs beside a store's container: in a throwaway container that shares its network, for stores whose own image
//! has no client, and for what is too long for one exec. Never a container of the platform: the product does not see it.

use anyhow::Result;

use super::docker::{Docker, LONG};
use super::{clickhouse, owner, places, stores};
use crate::seaweed;

/// A call that runs the shell script that it is fed, with the arguments `$1`, `$2`, …; `store` is a container, seen at 127.0.0.1. Without
/// further words `nats` is the user `app`, `valkey-cli` Valkey's default user, `cypher` the user `neo4j`, and
/// `clickhouse-sql` the user `clickhouse`, and Python's module `milvus` the user `root`.
pub(super) fn call(store: &str, owner: &str, arguments: &[String]) -> Result<Docker> {
    program(store, owner, &["bash", "-s", "--"], arguments)
}

/// The same for a script of Python.
pub(super) fn python(store: &str, owner: &str, arguments: &[String]) -> Result<Docker> {
    program(store, owner, &["python3", "-"], arguments)
}

fn program(store: &str, owner: &str, program: &[&str], arguments: &[String]) -> Result<Docker> {
    Ok(Docker::new(["run", "--rm", "-i", "--log-driver=none"])
        .args([
            format!("--network=container:{store}"),
            format!("--label={}={owner}", owner::LABEL),
        ])
        .args(variables(|_| "127.0.0.1"))
        .args([places::image("CLIENTS")?])
        .args(program.iter().copied())
        .args(arguments.iter().cloned())
        .limit(LONG))
}

/// The options of `docker run` that set the stock clients' variables; `host` of a service's name.
pub(super) fn variables(host: impl Fn(&'static str) -> &'static str) -> Vec<String> {
    let [postgres, valkey, app, other, graph, columns, vectors] = [
        stores::POSTGRES,
        stores::VALKEY,
        stores::NATS_APP,
        stores::NATS_OTHER,
        stores::NEO4J,
        stores::CLICKHOUSE,
        stores::MILVUS,
    ]
    .map(|(_, password)| password);
    let variables = [
        format!("PGPASSWORD={postgres}"),
        format!("REDISCLI_AUTH={valkey}"),
        format!("NATS_URL=nats://{}:4222", host("nats")),
        "NATS_USER=app".to_owned(),
        format!("NATS_PASSWORD={app}"),
        format!("NATS_OTHER_PASSWORD={other}"),
        format!("NEO4J_HTTP=http://{}:7474", host("neo4j")),
        "NEO4J_USER=neo4j".to_owned(),
        format!("NEO4J_PASSWORD={graph}"),
        format!("CLICKHOUSE_HTTP=http://{}:8123", host("clickhouse")),
        format!("CLICKHOUSE_USER={}", clickhouse::USER),
        format!("CLICKHOUSE_PASSWORD={columns}"),
        format!("MILVUS_ADDRESS={}:19530", host("milvus")),
        "MILVUS_USER=root".to_owned(),
        format!("MILVUS_PASSWORD={vectors}"),
        // Beside Milvus these are other services, by their own names.
        "ETCD_HTTP=http://etcd:2379".to_owned(),
        "S3_HTTP=http://seaweedfs-s3:8333".to_owned(),
        format!("S3_USER={}:{}", seaweed::ADMIN.id, seaweed::ADMIN.secret),
    ];
    variables
        .into_iter()
        .flat_map(|variable| ["-e".to_owned(), variable])
        .collect()
}
