//! `TimescaleDB` keeps its tables by triggers and event triggers that must not act on a load, and its catalog is of one version: its
//! manual wants the extension made in the version of the dump, `timescaledb_pre_restore()` before anything else and
//! `timescaledb_post_restore()` after all (`docs.tigerdata.com`, "Logical backups").

use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::quote::literal;

use super::PostgresStore;
use super::access::server;
use super::extensions::{EXTENSIONS, VERSIONS, fact};
use crate::toolbox::{BY_SIZE, cancellable};

/// The extension's name.
pub(super) const NAME: &str = "timescaledb";

/// How a dump makes it.
const MADE: &str = "CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA ";

/// The functions of its own, where the version has them.
const POST: &str = "SELECT format('SELECT %I.%I()', n.nspname, p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'timescaledb' \
    WHERE p.proname = 'timescaledb_post_restore' AND p.pronargs = 0";

/// The version of the backup's, if a database of it has the extension; several where databases differ.
pub(super) fn versions(record: &StoreRecord) -> Option<Vec<&str>> {
    let is_there = fact(record, EXTENSIONS).any(|name| name == NAME);
    let versions = fact(record, VERSIONS).filter_map(|entry| entry.rsplit_once(' '));
    is_there.then(|| {
        versions
            .filter(|(name, _)| *name == NAME)
            .map(|(_, version)| version)
            .collect()
    })
}

/// A dump's definitions, with the extension made in its version and told that a load begins; none where they do not make it.
pub(super) fn prepared(text: &str, versions: &[&str]) -> Option<String> {
    let begin = format!("\n{MADE}");
    let (before, rest) = text.split_once(&begin)?;
    let (schema, after) = rest.split_once(";\n")?;
    let version = match versions {
        [only] => format!(" VERSION {}", literal(only)),
        // Which of them was this database's is not known.
        _ => String::new(),
    };
    Some(format!(
        "{before}{begin}{schema}{version};\nSELECT {schema}.timescaledb_pre_restore();\n{after}"
    ))
}

impl PostgresStore {
    /// The load is over.
    pub(super) async fn finish_timescale(&self, cx: &Cx, name: &str) -> Result<(), StoreError> {
        let failed = |error| server(format!("ending the load of TimescaleDB in database `{name}`"), error);
        let session = self.open(cx, name).await?;
        let finish = async {
            for call in session.column(cx.idle_limit, POST).await.map_err(failed)? {
                cancellable(cx, session.run(BY_SIZE, &call)).await?.map_err(failed)?;
            }
            Ok(())
        };
        let finished = finish.await;
        session.close().await;
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::prepared;

    #[test]
    fn the_extension_is_made_in_its_version_and_told_of_the_load() {
        let text = "SET a;\nCREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA \"s 1\";\n\nCOMMENT;\n";
        assert_eq!(
            prepared(text, &["2.1"]).as_deref(),
            Some(
                "SET a;\nCREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA \"s 1\" VERSION '2.1';\n\
                 SELECT \"s 1\".timescaledb_pre_restore();\n\nCOMMENT;\n"
            )
        );
        assert_eq!(prepared("CREATE TABLE t ();", &[]), None);
    }
}
