//! The disaster that a restore has to undo. Destroys data for good, in a testbed's own containers only.

use anyhow::Result;

use super::docker::Docker;

const SQL: &str = include_str!("wreck.sql");

/// Drops all databases and roles of the server in `container` and puts rubbish in their place.
pub(super) fn postgres(container: &str) -> Result<()> {
    Docker::new(["exec", "-i", "-u", "postgres", container, "psql", "-XqAt"])
        .input(SQL)
        .run()
        .map(drop)
}
