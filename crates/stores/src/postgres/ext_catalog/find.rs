//! Finding what extensions own and no dump holds. Asks and writes nothing.

use std::collections::BTreeMap;

use stillpoint_pg::{PgError, Session};

use crate::documentdb;
use crate::postgres::sequences::{self, Sequence};
use crate::toolbox::BY_SIZE;

/// The members of extensions that a dump leaves out, wholly or but for some rows.
const MEMBERS: &str = "(SELECT c.oid, c.relkind, c.relname, n.nspname, format('%I.%I', n.nspname, c.relname) AS name, e.extname \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
    JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid \
    WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND (NOT c.oid = ANY(coalesce(e.extconfig, '{}')) \
        OR coalesce(e.extcondition[array_position(e.extconfig, c.oid)], '') <> ''))";

/// Columns that are computed are not copied.
const COLUMNS: &str = "(SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
    WHERE attrelid = m.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '')";

/// Statements that add the columns which a table lacks: somebody has added them, or the extension has dropped them since.
const ADD_COLUMNS: &str = "(SELECT string_agg(format('IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute \
        WHERE attrelid = %L::pg_catalog.regclass AND attname = %L AND NOT attisdropped) \
        THEN ALTER TABLE %s ADD COLUMN %I %s; END IF;', m.name, attname, m.name, attname, format_type(atttypid, atttypmod)), \
        E'\\n' ORDER BY attnum) \
    FROM pg_attribute JOIN pg_class t ON t.oid = attrelid WHERE attrelid = m.oid AND NOT t.relispartition AND t.relkind = 'r' \
    AND attnum > 0 AND NOT attisdropped AND attgenerated = '')";

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// With its schema, quoted.
    pub(super) name: String,
    pub(super) extension: String,
    /// What is copied; empty where it has no column.
    pub(super) columns: String,
}

/// No encoding: bytes are neither converted nor understood.
pub(in crate::postgres) const NO_ENCODING: &str = "SQL_ASCII";

/// What the extensions of a database own and its dump does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::postgres) struct Catalog {
    /// Those that hold rows.
    pub(super) tables: Vec<Member>,
    pub(in crate::postgres) sequences: Vec<Sequence>,
    /// What any of it is called, each with its extension.
    pub(in crate::postgres) named: Vec<String>,
    /// The statement that follows the rows, in their transaction: what in them another server knows by another number.
    pub(super) mended: Option<String>,
    /// The encoding of its database.
    pub(in crate::postgres) encoding: String,
}

impl Catalog {
    pub(in crate::postgres) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The encoding in which its texts travel unchanged. A server that knows no encoding takes no other for an answer.
    pub(super) fn of_texts(&self) -> &'static str {
        if self.encoding == NO_ENCODING {
            NO_ENCODING
        } else {
            "UTF8"
        }
    }
}

/// The session is in a transaction, whose snapshot no sequence obeys.
pub(in crate::postgres) async fn find(session: &Session) -> Result<Catalog, PgError> {
    let members = format!("SELECT name, extname, relkind, {COLUMNS} FROM {MEMBERS} m ORDER BY 1");
    let (mut tables, mut sequences, mut named) = (Vec::new(), Vec::new(), Vec::new());
    for row in session.rows(BY_SIZE, &members).await? {
        let Ok([Some(name), Some(extension), Some(kind), columns]) = <[Option<String>; 4]>::try_from(row) else {
            continue;
        };
        named.push(format!("{name} ({extension})"));
        match kind.as_str() {
            "S" => sequences.push(name),
            // What is partitioned has its rows in its partitions.
            "p" => {}
            _ => tables.push(Member {
                name,
                extension,
                columns: columns.unwrap_or_default(),
            }),
        }
    }
    Ok(Catalog {
        tables,
        sequences: sequences::read_named(session, &sequences).await?,
        named,
        mended: documentdb::mended(session, BY_SIZE).await?,
        encoding: session.value(BY_SIZE, "SHOW server_encoding").await?,
    })
}

/// What of a dump with every definition is wanted: the members, and what belongs to them alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// An expression that says whether it is missing.
    pub(super) missing: String,
    /// It goes with this one.
    pub(super) with: Option<String>,
    /// What is done after it, whether or not it was missing.
    pub(super) then: Option<String>,
}

/// By what a dump says of each entry: class and number, or, of those that have none, name, type and schema.
pub(super) async fn wanted(session: &Session) -> Result<BTreeMap<String, Wanted>, PgError> {
    let rows = session.rows(BY_SIZE, &wanted_sql()).await?;
    let wanted = rows.into_iter().filter_map(|row| {
        let [key, missing, with, then] = <[Option<String>; 4]>::try_from(row).ok()?;
        let missing = missing?;
        Some((key?, Wanted { missing, with, then }))
    });
    Ok(wanted.collect())
}

fn wanted_sql() -> String {
    let relation = |name: &str| format!("format('pg_catalog.to_regclass(%L) IS NULL', {name})");
    let of_table = |class: u32, table: &str, on: &str, name: &str, part: &str| {
        format!(
            "SELECT 'class {class} OID ' || x.oid, format('NOT EXISTS (SELECT FROM pg_catalog.{table} WHERE {on} = \
             %L::pg_catalog.regclass AND {name} = %L)', m.name, x.{name}), NULL, NULL FROM m JOIN {table} x ON x.{on} = m.oid{part}"
        )
    };
    [
        format!("WITH m AS {MEMBERS}"),
        "s AS (SELECT s.oid, s.relname, n.nspname, d.deptype, format('%I.%I', n.nspname, s.relname) AS name FROM m \
            JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = m.oid AND d.deptype IN ('a', 'i') \
            JOIN pg_class s ON d.classid = 'pg_class'::regclass AND s.oid = d.objid AND s.relkind = 'S' \
            JOIN pg_namespace n ON n.oid = s.relnamespace) "
            .to_owned()
            + [
                format!("SELECT 'class 1259 OID ' || oid, {}, NULL, {ADD_COLUMNS} FROM m", relation("name")),
                // One that is no identity's is in the dump.
                format!(
                    "SELECT 'class 1259 OID ' || oid, {}, NULL, NULL FROM s WHERE deptype = 'i'",
                    relation("name")
                ),
                "SELECT format('Name: %s; Type: SEQUENCE OWNED BY; Schema: %s', relname, nspname), 'true', NULL, NULL FROM s".to_owned(),
                "SELECT format('Name: %s %s; Type: ACL; Schema: %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, \
                    relname, nspname), 'true', 'class 1259 OID ' || oid, NULL FROM m"
                    .to_owned(),
                "SELECT format('Name: %s; Type: TABLE ATTACH; Schema: %s', relname, nspname), \
                    format('NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = %L::pg_catalog.regclass)', name), \
                    NULL, NULL FROM m"
                    .to_owned(),
                format!(
                    "SELECT 'class 1259 OID ' || i.indexrelid, {}, NULL, NULL FROM m JOIN pg_index i ON i.indrelid = m.oid \
                        JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace xn ON xn.oid = x.relnamespace",
                    relation("format('%I.%I', xn.nspname, x.relname)")
                ),
                of_table(2604, "pg_attrdef", "adrelid", "adnum", ""),
                of_table(2606, "pg_constraint", "conrelid", "conname", ""),
                of_table(2620, "pg_trigger", "tgrelid", "tgname", " AND NOT x.tgisinternal"),
                of_table(2618, "pg_rewrite", "ev_class", "rulename", ""),
                of_table(3256, "pg_policy", "polrelid", "polname", ""),
                of_table(3381, "pg_statistic_ext", "stxrelid", "stxname", ""),
            ]
            .join(" UNION ALL ").as_str(),
    ]
    .join(", ")
}
