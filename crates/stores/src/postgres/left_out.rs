//! What a dump leaves out of a database and nothing else holds, found by asking the database itself: what the server lets a
//! superuser put where no dump looks. It is named before the stop, in the manifest, and by a restore.

use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::stores::{Cx, StoreError, together};
use stillpoint_pg::{PgError, Session};

use super::access::{MAINTENANCE, server};
use super::pin::databases;
use super::{PostgresStore, repack};
use crate::toolbox::{BY_SIZE, cancellable};

/// The fact that names what is not in the dumps, with the reason.
pub(super) const LEFT_OUT: &str = "not in the dumps";

/// What a superuser has put among the server's own things. Each query names it; 16384 is the first number that the server
/// gives to what is not its own (`FirstNormalObjectId`).
const AMONG_THE_SERVERS_OWN: [&str; 3] = [
    "SELECT format('function %s in pg_catalog', p.oid::regprocedure) FROM pg_proc p \
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d \
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') ORDER BY 1",
    "SELECT format('%s %s in pg_catalog', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, c.relname) FROM pg_class c \
        WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
        AND NOT EXISTS (SELECT FROM pg_depend d \
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1",
    "SELECT format('operator %s in the built-in family %s', o.amopopr::regoperator, f.opfname) FROM pg_amop o \
        JOIN pg_opfamily f ON f.oid = o.amopfamily WHERE o.amopfamily < 16384 AND o.oid >= 16384 \
        AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_depend m ON m.classid = d.refclassid AND m.objid = d.refobjid \
            WHERE d.classid = 'pg_amop'::regclass AND d.objid = o.oid AND m.deptype = 'e') ORDER BY 1",
];

/// What a dump has and a load makes otherwise.
const OTHERWISE: [&str; 2] = [
    "SELECT format('the name of foreign key %I of %s, which is inherited and comes back as %I', c.conname, \
            c.conrelid::regclass, p.conname) FROM pg_constraint c JOIN pg_constraint p ON p.oid = c.conparentid \
        WHERE c.contype = 'f' AND c.conrelid <> p.conrelid AND c.conname <> p.conname ORDER BY 1",
    "SELECT format('the order of the columns of %s: inherited ones come first', c.oid::regclass) FROM pg_class c \
        WHERE c.relkind IN ('r', 'f') AND NOT c.relispartition AND EXISTS (SELECT FROM pg_attribute i \
            JOIN pg_attribute o ON o.attrelid = i.attrelid AND o.attnum > 0 AND o.attnum < i.attnum AND o.attinhcount = 0 \
                AND NOT o.attisdropped \
            WHERE i.attrelid = c.oid AND i.attinhcount > 0 AND NOT i.attisdropped) ORDER BY 1",
];

/// Members of extensions that were altered or added after the extension was made or updated, and are not what its scripts
/// say. A script's text is read only where something is younger than its extension: rights are younger too, and in the dump.
const ALTERED: &str = "WITH place AS (SELECT setting || '/extension' AS folder FROM pg_config WHERE name = 'SHAREDIR'), \
    young AS (SELECT e.oid AS ext, e.extname, d.classid, d.objid, age(d.xmin) < age(e.xmin) AS is_added \
        FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e' \
        LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid \
        LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid \
        LEFT JOIN pg_rewrite r ON c.relkind = 'v' AND r.ev_class = c.oid \
        LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid \
        WHERE e.oid >= 16384 AND (c.oid IS NULL OR c.relkind NOT IN ('r', 'p', 'S')) \
        AND (t.oid IS NULL OR t.typcategory <> 'A' AND NOT EXISTS (SELECT FROM pg_class r WHERE r.oid = t.typrelid AND r.relkind <> 'c')) \
        AND (age(d.xmin) < age(e.xmin) OR age(p.xmin) < age(e.xmin) OR age(r.xmin) < age(e.xmin))), \
    scripts AS MATERIALIZED (SELECT ext, string_agg(pg_read_file(folder || '/' || file), E'\\n') AS said \
        FROM (SELECT DISTINCT ext, extname FROM young) y, place, pg_ls_dir(folder) file \
        WHERE starts_with(file, extname || '--') AND file LIKE '%.sql' GROUP BY ext) \
    SELECT format('%s, %s extension %I', pg_describe_object(y.classid, y.objid, 0), \
        CASE WHEN is_added THEN 'added to' ELSE 'altered since it was made by' END, extname) \
    FROM young y LEFT JOIN scripts s USING (ext) LEFT JOIN pg_proc p ON y.classid = 'pg_proc'::regclass AND p.oid = y.objid \
    LEFT JOIN pg_class c ON y.classid = 'pg_class'::regclass AND c.oid = y.objid \
    WHERE CASE WHEN is_added THEN s.said IS NULL \
            OR position(coalesce(p.proname, c.relname, (pg_identify_object(y.classid, y.objid, 0)).name, '') IN s.said) = 0 \
        WHEN p.oid IS NOT NULL THEN s.said IS NULL OR position(p.prosrc IN s.said) = 0 ELSE true END ORDER BY 1";

/// New databases are made from `template1`, and no dump looks into it.
const IN_TEMPLATE: &str = "SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view' \
            WHEN 'S' THEN 'sequence' ELSE 'table' END, c.oid::regclass) FROM pg_class c \
        WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (SELECT FROM pg_depend d \
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'a', 'i')) \
    UNION ALL SELECT 'extension ' || extname FROM pg_extension WHERE oid >= 16384 \
    UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE p.oid >= 16384 \
        AND NOT EXISTS (SELECT FROM pg_depend d \
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') \
    UNION ALL SELECT 'schema ' || nspname FROM pg_namespace n WHERE oid >= 16384 AND nspname !~ '^pg_' \
        AND NOT EXISTS (SELECT FROM pg_depend d \
            WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e') \
    UNION ALL SELECT 'setting ' || split_part(c, '=', 1) FROM pg_db_role_setting s, unnest(s.setconfig) c \
        WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = 'template1') AND c NOT LIKE 'stillpoint.%' \
    UNION ALL SELECT 'grants' FROM pg_database WHERE datname = 'template1' AND datacl IS NOT NULL \
        AND datacl <> (SELECT datacl FROM pg_database WHERE datname = 'template0') ORDER BY 1";

/// So many are named; of more, how many.
const NAMED: usize = 10;

/// What of this database no dump holds, in words. Where the server refuses the look, that is what is said: nobody's backup
/// waits for it.
pub(super) async fn of_database(cx: &Cx, session: &Session, database: &str) -> Result<Vec<String>, StoreError> {
    match cancellable(cx, find(session)).await? {
        Ok(found) => Ok(found.into_iter().map(|what| format!("`{database}`: {what}")).collect()),
        Err(error @ PgError::Statement { .. }) => {
            let unknown = format!("`{database}`: whether anything is left out could not be seen: {error}");
            Ok(vec![unknown])
        }
        Err(error) => Err(server(
            format!("looking at what a dump of `{database}` leaves out"),
            error,
        )),
    }
}

async fn find(session: &Session) -> Result<Vec<String>, PgError> {
    let mut found = Vec::new();
    for query in AMONG_THE_SERVERS_OWN.into_iter().chain([ALTERED]).chain(OTHERWISE) {
        let own = session.column(BY_SIZE, query).await?;
        if !own.is_empty() {
            found.push(named(&own));
        }
    }
    Ok(found)
}

/// The first of many.
pub(super) fn named(all: &[String]) -> String {
    let first: Vec<&str> = all.iter().map(String::as_str).take(NAMED).collect();
    match all.len().checked_sub(NAMED) {
        None | Some(0) => first.join(", "),
        Some(more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// What of `template1` no dump holds; the session is in it.
pub(super) async fn of_template(cx: &Cx, session: &Session) -> Result<Option<String>, StoreError> {
    let found = session.column(cx.idle_limit, IN_TEMPLATE).await;
    let found = found.map_err(|error| server(format!("looking into `{MAINTENANCE}`"), error))?;
    Ok((!found.is_empty()).then(|| format!("`{MAINTENANCE}`: {}", named(&found))))
}

/// A restore says it too: whoever reads that all is back must know what never was in the backup.
pub(super) fn tell(cx: &Cx, record: &StoreRecord) {
    if let Some(left_out) = record.facts.get(LEFT_OUT) {
        let said = format!("{}: the backup does not hold: {left_out}", record.name);
        cx.report.warn(said);
    }
}

impl PostgresStore {
    /// Looks into every database: what is found is told before the stop.
    pub(super) async fn warn_of_left_out(&self, cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
        let mut found: Vec<String> = of_template(cx, session).await?.into_iter().collect();
        let look = |name: String, cx: Cx| async move {
            let session = self.open(&cx, &name).await?;
            let found = async {
                let repacked = repack::left_on(&cx, &session).await?;
                Ok((of_database(&cx, &session, &name).await?, name, repacked))
            };
            let found = found.await;
            session.close().await;
            found
        };
        let (more, failure) = together(cx, cx.processors, databases(session).await?, look).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut repacked = Vec::new();
        for (left_out, database, tables) in more {
            found.extend(left_out);
            repacked.extend(
                tables
                    .into_iter()
                    .map(|table| format!("{}: {}", self.name, repack::told(&database, &table))),
            );
        }
        let told = |what| format!("{}: is not in the backup, for pg_dump leaves it out: {what}", self.name);
        Ok(found.into_iter().map(told).chain(repacked).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let all: Vec<String> = (1..=12).map(|n| format!("t{n}")).collect();
        assert_eq!(named(&all), "t1, t2, t3, t4, t5, t6, t7, t8, t9, t10 and 2 more");
        assert_eq!(named(&["a".to_owned()]), "a");
    }
}
