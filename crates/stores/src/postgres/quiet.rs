//! What no session and no tool of ours takes over from the role and the database that it logs in to, where anything can be
//! set (`ALTER DATABASE … SET`, `ALTER ROLE … SET`), and which triggers stay silent. Given with the login: it stands
//! above both, and a login trigger has run before the first statement.

use stillpoint_core::stores::{Cx, StoreError};

use super::PostgresStore;
use super::access::{MAINTENANCE, server};

impl PostgresStore {
    /// The options of every login. They follow from the server's version, which the first one asks for in a database that
    /// nobody keeps anything in.
    pub(super) async fn options(&self, cx: &Cx) -> Result<String, StoreError> {
        if let Some(known) = self.options.get() {
            return Ok(known.clone());
        }
        let session = self.log_in(cx, MAINTENANCE, String::new()).await?;
        let version = session.value(cx.idle_limit, "SHOW server_version_num").await;
        session.close().await;
        let version = version.map_err(|error| server("asking for the version", error))?;
        let options = options(version.parse().unwrap_or(0));
        Ok(self.options.get_or_init(|| options).clone())
    }
}

/// An event trigger that notes logins would write while we back up, and one on definitions would note or refuse the
/// refresh of materialised views, with which a load ends. Before 17 they can be silenced only as a replica does, but for
/// those that are `ENABLE ALWAYS`.
fn options(version: u32) -> String {
    // `role`: who logs in as a superuser is to stay one. `synchronous_commit`: what we write waits for no standby, of
    // which there may be none left.
    let mut settings = vec![
        "default_transaction_isolation=read\\ committed",
        "default_transaction_read_only=off",
        "idle_in_transaction_session_timeout=0",
        "role=none",
        "statement_timeout=0",
        "synchronous_commit=local",
    ];
    if version >= 140_000 {
        // A server goes on computing for a client that has left, unless it looks.
        settings.extend(["idle_session_timeout=0", "client_connection_check_interval=5s"]);
    }
    if version >= 170_000 {
        settings.extend(["transaction_timeout=0", "event_triggers=off"]);
    } else {
        settings.push("session_replication_role=replica");
    }
    let options: Vec<String> = settings.into_iter().map(|setting| format!("-c {setting}")).collect();
    options.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_server_is_given_what_it_does_not_know() {
        assert_eq!(
            options(130_011),
            "-c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off \
             -c idle_in_transaction_session_timeout=0 -c role=none -c statement_timeout=0 -c synchronous_commit=local \
             -c session_replication_role=replica"
        );
        assert!(
            options(150_018).contains("-c idle_session_timeout=0 -c client_connection_check_interval=5s -c session")
        );
        assert!(options(170_002).ends_with("-c transaction_timeout=0 -c event_triggers=off"));
    }
}
