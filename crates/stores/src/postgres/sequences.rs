//! Sequences. They obey no snapshot: a dump reads what they are at when it is made, however old its snapshot. So their
//! values are read with the pin, while no client runs, and stored beside the dump; a restore sets them after the load.

use std::fmt::Write;

use bytes::Bytes;
use stillpoint_core::backups::Artifacts;
use stillpoint_core::manifest::{Artifact, Inventory};
use stillpoint_core::names::ArtifactName;
use stillpoint_core::sink::{ArtifactWriter, Sink};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::quote::literal;
use stillpoint_pg::script::statements;
use stillpoint_pg::{PgError, Session};

use super::access::server;
use super::{PostgresStore, globals, repack};
use crate::toolbox::{BY_SIZE, cancellable};

/// What an artifact of this kind holds.
pub(super) const SEQUENCES: &str = "sequences";

/// How such an artifact's name ends, after the name of its database.
pub(super) const FILE: &str = ".sequences.sql.gz";

/// The sequences whose values a dump holds: not those of an extension that has not asked for it, which are
/// [saved apart](super::ext_catalog). What `pg_repack` left behind is not restored.
const NAMES: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND n.nspname !~ '^pg_' \
    AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid \
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
        AND d.refclassid = 'pg_extension'::regclass AND NOT c.oid = ANY(coalesce(e.extconfig, '{}')))";

/// All of them: which of them an extension registers may have changed since a backup.
const ALL_NAMES: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'";

/// How many are read by one statement.
const AT_ONCE: usize = 200;

/// What a sequence was at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Its name with its schema, quoted.
    name: String,
    last: i64,
    is_called: bool,
}

impl Sequence {
    fn of(row: Vec<Option<String>>) -> Option<Self> {
        let [Some(name), Some(last), Some(is_called)] = <[Option<String>; 3]>::try_from(row).ok()? else {
            return None;
        };
        Some(Self {
            name,
            last: last.parse().ok()?,
            is_called: is_called == "t",
        })
    }
}

/// What all sequences are at. The session is in a transaction; the locks that reading takes are let go at once.
pub(super) async fn read(session: &Session) -> Result<Vec<Sequence>, PgError> {
    let names = format!("{NAMES} AND NOT {} ORDER BY 1", repack::IS_LEFT);
    let names = session.column(BY_SIZE, &names).await?;
    read_named(session, &names).await
}

/// What all are at that there are.
pub(super) async fn read_all(session: &Session) -> Result<Vec<Sequence>, PgError> {
    let names = session.column(BY_SIZE, ALL_NAMES).await?;
    read_named(session, &names).await
}

/// What those of these names are at.
pub(super) async fn read_named(session: &Session, names: &[String]) -> Result<Vec<Sequence>, PgError> {
    let mut sequences = Vec::with_capacity(names.len());
    for names in names.chunks(AT_ONCE) {
        let each = |name: &String| format!("SELECT {}, last_value, is_called FROM {name}", literal(name));
        let all: Vec<String> = names.iter().map(each).collect();
        session.run(BY_SIZE, "SAVEPOINT read").await?;
        let rows = session.rows(BY_SIZE, &all.join(" UNION ALL ")).await?;
        session.run(BY_SIZE, "ROLLBACK TO SAVEPOINT read").await?;
        sequences.extend(rows.into_iter().filter_map(Sequence::of));
    }
    Ok(sequences)
}

/// The values as counts, to be compared after a restore. A negative one is set and not compared.
pub(super) fn counted(sequences: &[Sequence], database: &str) -> Inventory {
    let mut inventory = Inventory::default();
    for Sequence { name, last, is_called } in sequences {
        let is = if *is_called { "last value" } else { "first value" };
        if let Ok(last) = u64::try_from(*last) {
            inventory.exact(format!("{database}: {is} of {name}"), last);
        }
    }
    inventory
}

/// A script for psql that sets them, in the database of this name.
fn script(sequences: &[Sequence], database: &str) -> String {
    let mut script = connect(database);
    script.push_str(&settings(sequences));
    script.push_str(LAST_WORDS);
    script
}

/// The line by which psql connects to the database of this name.
pub(super) fn connect(database: &str) -> String {
    let connect = conninfo(database).replace('"', "\"\"");
    format!("\\connect -reuse-previous=on \"{connect}\"\n")
}

/// A connection string that names this database and nothing else, whatever its name.
pub(super) fn conninfo(database: &str) -> String {
    let quoted = database.replace('\\', "\\\\").replace('\'', "\\'");
    format!("dbname='{quoted}'")
}

/// The statements that set them.
pub(super) fn settings(sequences: &[Sequence]) -> String {
    let mut script = String::new();
    for sequences in sequences.chunks(AT_ONCE) {
        let each = |Sequence { name, last, is_called }: &Sequence| {
            format!("pg_catalog.setval({}, {last}, {is_called})", literal(name))
        };
        let all: Vec<String> = sequences.iter().map(each).collect();
        // Writing into a text cannot fail.
        let _ = writeln!(script, "SELECT {};", all.join(",\n  "));
    }
    script
}

/// Without them the script is not whole.
const LAST_WORDS: &str = "-- the sequences are complete\n";

/// Unpacks such a script.
fn unpack(packed: &[u8]) -> Result<String, StoreError> {
    let script = globals::unpack(packed)?;
    if script.ends_with(LAST_WORDS) {
        return Ok(script);
    }
    Err(StoreError::Damaged("it ends before its end".to_owned()))
}

/// Whether such an artifact is whole.
pub(super) fn is_whole(packed: &[u8]) -> Result<(), StoreError> {
    unpack(packed).map(drop)
}

impl PostgresStore {
    /// Stores them beside the dump of their database; nothing where it has none.
    pub(super) async fn drain_sequences(
        &self,
        sink: &Sink,
        sequences: &[Sequence],
        database: &str,
    ) -> Result<Option<Artifact>, StoreError> {
        if sequences.is_empty() {
            return Ok(None);
        }
        let packed = globals::pack(&script(sequences, database))?;
        let name = ArtifactName::of(&[self.name.as_str(), &format!("{database}{FILE}")]);
        let write = async |writer: &mut ArtifactWriter| writer.write(Bytes::from(packed)).await;
        let put = sink.put(&self.name, name, (SEQUENCES, Some(database)), write).await?;
        Ok(Some(put.0))
    }

    /// Sets the sequences of a loaded database.
    pub(super) async fn set_sequences(
        &self,
        cx: &Cx,
        artifact: &Artifact,
        artifacts: &Artifacts,
        database: &str,
    ) -> Result<(), StoreError> {
        let script = unpack(&self.read(artifact, artifacts).await?)?;
        let session = self.open(cx, database).await?;
        let set = cancellable(cx, set_all(&session, &script)).await;
        session.close().await;
        set?.map_err(|error| server(format!("setting the sequences of database `{database}`"), error))
    }
}

async fn set_all(session: &Session, script: &str) -> Result<(), PgError> {
    for statement in statements(script) {
        session.run(BY_SIZE, &statement.text()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_sets_what_was_read_whatever_the_names() {
        let row = |name: &str, last: &str, is_called: &str| {
            Sequence::of([name, last, is_called].map(|text| Some(text.to_owned())).to_vec()).unwrap()
        };
        let sequences = [row("s.\"it's; a\"", "5", "t"), row("public.b", "-1", "f")];
        let script = script(&sequences, "we \"ird' db");
        assert!(script.starts_with("\\connect -reuse-previous=on \"dbname='we \"\"ird\\' db'\"\n"));
        let texts: Vec<String> = statements(&script)
            .iter()
            .map(stillpoint_pg::script::Statement::text)
            .collect();
        assert_eq!(
            texts.iter().map(|text| text.trim()).collect::<Vec<_>>(),
            ["SELECT pg_catalog.setval('s.\"it''s; a\"', 5, true),\n  pg_catalog.setval('public.b', -1, false)"]
        );
        let counts = counted(&sequences, "db");
        assert_eq!(counts.0.len(), 1);
        assert_eq!(counts.0["db: last value of s.\"it's; a\""].count, 5);
        assert!(is_whole(&globals::pack(&script).unwrap()).is_ok());
        assert!(is_whole(&globals::pack("SELECT 1;").unwrap()).is_err());
    }
}
