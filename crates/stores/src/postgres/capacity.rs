//! Whether all databases can be pinned at once: each needs a connection until its dump has begun. Counted while the
//! platform runs; where it cannot work, nothing is stopped.

use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::Session;

use super::PostgresStore;
use super::access::server;
use super::pin::databases;

const LIMIT: &str = "SELECT current_setting('max_connections')";

impl PostgresStore {
    /// Refuses where not all databases can be held at once, whoever else is connected.
    pub(super) async fn must_have_capacity(&self, cx: &Cx, session: &Session) -> Result<(), StoreError> {
        let limit = session.value(cx.idle_limit, LIMIT).await;
        let limit = limit.map_err(|error| server("looking", error))?;
        let databases = databases(session).await?.len();
        match limit.parse() {
            Ok(limit) => connections(databases, databases.min(cx.processors), limit)
                .map_err(|what| StoreError::Unfit(format!("{}: {what}", self.name))),
            // A server that says it otherwise is none to be refused for that.
            Err(_) => Ok(()),
        }
    }
}

/// Whether the server could ever give so many connections. A superuser may take those that are kept free, too.
fn connections(databases: usize, dumps: usize, limit: usize) -> Result<(), String> {
    let needed = databases + dumps;
    if needed <= limit {
        return Ok(());
    }
    Err(format!(
        "a backup needs {needed} connections at once, one for each of {databases} databases and {dumps} for their dumps, and \
         `max_connections` is {limit}: set it to more, with room for the clients"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_can_never_have_so_many_is_refused_with_the_numbers() {
        assert_eq!(connections(98, 2, 100), Ok(()));
        let refused = connections(105, 2, 100).unwrap_err();
        assert!(refused.starts_with("a backup needs 107 connections"), "{refused}");
        assert!(
            refused.contains("105 databases") && refused.contains("is 100"),
            "{refused}"
        );
    }
}
