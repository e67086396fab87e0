//! What no session and no tool of ours takes over from the role and the database that it logs in to, where anything can be
//! set (`ALTER DATABASE … SET`, `ALTER ROLE … SET`), and which triggers stay silent. Given with the login: it stands
//! above both, and a login trigger has run before the first statement.

/// For the login that asks for the version: a role may be told to have no time for anything.
pub(crate) const PATIENT: &str = "-c statement_timeout=0";

/// No library that the role or the database names is loaded: one that is not there ends the login.
pub(crate) const NO_LIBRARIES: &str = "-c local_preload_libraries= -c session_preload_libraries=";

/// An event trigger that notes logins would write while we back up, and one on definitions would note or refuse the
/// refresh of materialised views, with which a load ends. Before 17 they can be silenced only as a replica does, but for
/// those that are `ENABLE ALWAYS`.
pub(crate) fn options(version: u32) -> String {
    // `role`: who logs in as a superuser is to stay one. `synchronous_commit`: what we write waits for no standby, of
    // which there may be none left. `array_nulls`: a dump says NULL for what is missing in an array.
    let mut settings = vec![
        "array_nulls=on",
        "default_transaction_isolation=read\\ committed",
        "default_transaction_read_only=off",
        "idle_in_transaction_session_timeout=0",
        "role=none",
        "standard_conforming_strings=on",
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
    format!("{NO_LIBRARIES} {}", options.join(" "))
}

/// For work that is like any client's. Everybody may set these.
pub(crate) fn ordinary(version: u32) -> String {
    let mut settings = vec![
        "default_transaction_isolation=read\\ committed",
        "default_transaction_read_only=off",
        "idle_in_transaction_session_timeout=0",
        "statement_timeout=0",
        "synchronous_commit=local",
    ];
    if version >= 140_000 {
        settings.extend(["idle_session_timeout=0", "client_connection_check_interval=5s"]);
    }
    if version >= 170_000 {
        settings.push("transaction_timeout=0");
    }
    let options: Vec<String> = settings.into_iter().map(|setting| format!("-c {setting}")).collect();
    options.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_work_fires_triggers_and_needs_no_privilege() {
        for version in [130_000, 150_000, 170_000] {
            let options = ordinary(version);
            for privileged in ["session_replication_role", "event_triggers", "libraries"] {
                assert!(!options.contains(privileged), "{options}");
            }
            assert_eq!(options.contains("idle_session_timeout"), version >= 140_000);
        }
    }

    #[test]
    fn no_server_is_given_what_it_does_not_know() {
        assert_eq!(
            options(130_011),
            "-c local_preload_libraries= -c session_preload_libraries= -c array_nulls=on \
             -c default_transaction_isolation=read\\ committed \
             -c default_transaction_read_only=off -c idle_in_transaction_session_timeout=0 -c role=none \
             -c standard_conforming_strings=on -c statement_timeout=0 -c synchronous_commit=local \
             -c session_replication_role=replica"
        );
        assert!(
            options(150_018).contains("-c idle_session_timeout=0 -c client_connection_check_interval=5s -c session")
        );
        assert!(options(170_002).ends_with("-c transaction_timeout=0 -c event_triggers=off"));
    }
}
