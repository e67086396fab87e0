//! The stock client programs beside a store's container: in a throwaway container that shares its network, for stores whose own image
//! has no client, and for what is too long for one exec. Never a container of the platform: the product does not see it.

use super::docker::{Docker, LONG};
use super::{owner, places, stores};
use anyhow::Result;

/// A call that runs the shell script that it is fed, with the arguments `$1`, `$2`, …; `store` is a container, seen at 127.0.0.1. Without
/// further words `nats` is the user `app`, `valkey-cli` Valkey's default user, and `cypher` the user `neo4j`.
pub(super) fn call(store: &str, owner: &str, arguments: &[String]) -> Result<Docker> {
    Ok(Docker::new(["run", "--rm", "-i", "--log-driver=none"])
        .args([
            format!("--network=container:{store}"),
            format!("--label={}={owner}", owner::LABEL),
        ])
        .args(variables("127.0.0.1", "127.0.0.1"))
        .args([places::image("CLIENTS")?])
        .args(["bash", "-s", "--"])
        .args(arguments.iter().cloned())
        .limit(LONG))
}

/// The options of `docker run` that set the stock clients' variables; `nats` and `neo4j` are the hosts of these two.
pub(super) fn variables(nats: &str, neo4j: &str) -> Vec<String> {
    let [postgres, valkey, app, other, graph] = [
        stores::POSTGRES,
        stores::VALKEY,
        stores::NATS_APP,
        stores::NATS_OTHER,
        stores::NEO4J,
    ]
    .map(|(_, password)| password);
    let variables = [
        format!("PGPASSWORD={postgres}"),
        format!("REDISCLI_AUTH={valkey}"),
        format!("NATS_URL=nats://{nats}:4222"),
        "NATS_USER=app".to_owned(),
        format!("NATS_PASSWORD={app}"),
        format!("NATS_OTHER_PASSWORD={other}"),
        format!("NEO4J_HTTP=http://{neo4j}:7474"),
        "NEO4J_USER=neo4j".to_owned(),
        format!("NEO4J_PASSWORD={graph}"),
    ];
    variables
        .into_iter()
        .flat_map(|variable| ["-e".to_owned(), variable])
        .collect()
}
