//! Globals: packed as text, replayed statement by statement. What becomes of the passwords of roles that exist,
//! [`passwords`](super::passwords) decides.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_pg::script::{Statement, statements};
use stillpoint_pg::{PgError, Session};

use super::access::{all_or_nothing, server};
use super::passwords::{Roles, of_ours};

/// More than this no server's globals unpack to; a damaged stream must not fill the memory.
const UNPACKED_LIMIT: u64 = 256 << 20;

/// Globals as they are stored. The same text always gives the same bytes.
pub(super) fn pack(text: &str) -> Result<Vec<u8>, StoreError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.map_err(|error| StoreError::Unfit(format!("packing globals: {error}")))
}

/// Globals as they were dumped.
pub(super) fn unpack(packed: &[u8]) -> Result<String, StoreError> {
    let mut text = String::new();
    let read = GzDecoder::new(packed).take(UNPACKED_LIMIT).read_to_string(&mut text);
    read.map_err(|error| StoreError::Damaged(format!("unpacking globals: {error}")))?;
    Ok(text)
}

/// Settings of all roles (`ALTER ROLE ALL SET …`), which `pg_dumpall` leaves out, as statements. A list of names is stored as
/// names in quotes where they need them; an empty one can be written as a string alone.
const OF_ALL_ROLES: &str = "SELECT format('ALTER ROLE ALL SET %I TO %s', split_part(c, '=', 1), \
        CASE WHEN split_part(c, '=', 1) IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', \
            'shared_preload_libraries', 'temp_tablespaces', 'unix_socket_directories') THEN coalesce((SELECT string_agg(quote_literal( \
                CASE WHEN m[1] LIKE '\"%' THEN replace(substr(m[1], 2, length(m[1]) - 2), '\"\"', '\"') ELSE m[1] END), ', ' ORDER BY o) \
            FROM regexp_matches(substr(c, position('=' IN c) + 1), '(\"(?:[^\"]|\"\")*\"|[^\",[:space:]]+)', 'g') WITH ORDINALITY t(m, o)), \
            quote_literal('')) \
        ELSE quote_literal(substr(c, position('=' IN c) + 1)) END) \
    FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = 0 AND setrole = 0 ORDER BY 1";

/// A dump of globals, with what it leaves out put before its last words.
pub(super) async fn completed(cx: &Cx, session: &Session, dump: String) -> Result<String, StoreError> {
    let settings = session.column(cx.idle_limit, OF_ALL_ROLES).await;
    let settings = settings.map_err(|error| server("reading the settings of all roles", error))?;
    let last = dump.rfind("--\n-- PostgreSQL database cluster dump complete");
    Ok(match (settings.is_empty(), last) {
        (false, Some(last)) => format!("{}{};\n\n{}", &dump[..last], settings.join(";\n"), &dump[last..]),
        _ => dump,
    })
}

/// A tablespace inside the server's own data has no location, and is made only where that is allowed.
const IN_PLACE: &str = "SELECT set_config('allow_in_place_tablespaces', 'on', false) FROM pg_settings \
    WHERE name = 'allow_in_place_tablespaces'";

/// Replays a dump of globals. Every statement's outcome is checked.
pub(super) async fn replay(cx: &Cx, session: &Session, script: &str, roles: &Roles<'_>) -> Result<(), StoreError> {
    let names = async |sql| {
        session
            .column(cx.idle_limit, sql)
            .await
            .map_err(|error| server("reading what the server has", error))
    };
    let spaces: BTreeSet<String> = names("SELECT spcname FROM pg_tablespace").await?.into_iter().collect();
    let version = names("SHOW server_version_num").await?;
    names(IN_PLACE).await?;
    let knows_grantors = version.first().and_then(|number| number.parse().ok()) >= Some(160_000_u32);
    let statements = statements(script);
    let ours = of_ours(&statements);
    let mut fit = Vec::new();
    for statement in &statements {
        match fitting(statement, |name| roles.exist(name), &spaces, &ours) {
            Fitting::Out => {}
            Fitting::Same if statement.subject(&["CREATE", "TABLESPACE"]).is_some() => {
                fit.push(statement.without_relative_location());
            }
            Fitting::Same => fit.push(granted(statement.clone(), knows_grantors)),
            Fitting::Alters(role) => fit.extend(roles.altered(cx, session, &role, statement).await?),
        }
    }
    for texts in together(&fit) {
        // They may hold a password's hash: only the first words are shown.
        let head: Vec<&str> = texts.iter().flat_map(|text| text.split_whitespace()).take(3).collect();
        let doing = format!("replaying globals, `{} …`", head.join(" "));
        match &texts[..] {
            // Not all of them may stand in a transaction.
            [text] => replay_one(cx, session, text)
                .await
                .map_err(|error| server(doing, error))?,
            texts => all_or_nothing(cx, session, &doing, texts).await?,
        }
    }
    Ok(())
}

/// Who has granted may be somebody who cannot grant here: the superuser of the first hour has another name on every server that
/// was told one (`POSTGRES_USER`). What was granted counts, and is granted by ours then.
async fn replay_one(cx: &Cx, session: &Session, text: &str) -> Result<(), PgError> {
    let done = session.run(cx.idle_limit, text).await;
    if !matches!(done, Err(PgError::Statement { .. })) {
        return done;
    }
    let anonymous = statements(text).first().map(Statement::without_grantor);
    match anonymous.filter(|statement| statement.has("GRANT") && statement.text() != text) {
        Some(statement) => session.run(cx.idle_limit, &statement.text()).await,
        None => done,
    }
}

/// What is done together or not at all: a role that a death left without its password would be one that exists, and keep
/// none.
fn together(statements: &[Statement]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut made = None;
    for statement in statements {
        let altered = statement.subject(&["ALTER", "ROLE"]);
        match groups.last_mut() {
            Some(group) if made.is_some() && altered == made => group.push(statement.text()),
            _ => groups.push(vec![statement.text()]),
        }
        made = statement.subject(&["CREATE", "ROLE"]);
    }
    groups
}

/// How a statement fits the server.
#[derive(Debug, PartialEq, Eq)]
enum Fitting {
    /// Not: what it makes is there already, or is ours.
    Out,
    /// As it is.
    Same,
    /// It alters this role, which exists.
    Alters(String),
}

fn fitting(
    statement: &Statement,
    exists: impl Fn(&str) -> bool,
    spaces: &BTreeSet<String>,
    ours: &[String],
) -> Fitting {
    let created = statement.subject(&["CREATE", "ROLE"]);
    let altered = statement.subject(&["ALTER", "ROLE"]);
    let space = statement.subject(&["CREATE", "TABLESPACE"]);
    let is_ours = created.iter().chain(&altered).any(|name| ours.contains(name));
    let is_there = created.is_some_and(|name| exists(&name)) || space.is_some_and(|name| spaces.contains(&name));
    if is_ours || is_there {
        return Fitting::Out;
    }
    altered
        .filter(|name| exists(name))
        .map_or(Fitting::Same, Fitting::Alters)
}

/// Since 16 who grants a role must have its ADMIN OPTION. Before, the grantor was noted and could be anybody; those
/// dumps say nothing of INHERIT. `pg_dumpall` 16 leaves such grantors out too (`dumpRoleMembership`).
fn granted(statement: Statement, knows_grantors: bool) -> Statement {
    if knows_grantors && !statement.has("INHERIT") {
        return statement.without_grantor();
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grantor_of_before_16_is_left_out_where_it_would_be_refused() {
        let texts = |script: &str, knows_grantors: bool| -> Vec<String> {
            let statements = statements(script).into_iter();
            statements
                .map(|statement| granted(statement, knows_grantors).text())
                .collect()
        };
        let (old, new) = (
            "GRANT a TO b GRANTED BY c",
            "GRANT a TO b WITH INHERIT TRUE GRANTED BY c",
        );
        assert_eq!(texts(old, true), ["GRANT a TO b"]);
        assert_eq!(texts(old, false), [old]);
        assert_eq!(texts(new, true), [new]);
    }

    #[test]
    fn a_role_comes_with_its_password_or_not_at_all() {
        let script = "CREATE ROLE a; ALTER ROLE a WITH LOGIN PASSWORD 'x'; ALTER ROLE a SET work_mem TO '8MB'; \
                      CREATE ROLE b; CREATE ROLE c; ALTER ROLE c WITH NOLOGIN; ALTER ROLE b WITH LOGIN;";
        assert_eq!(
            together(&statements(script)),
            [
                &["CREATE ROLE a", "ALTER ROLE a WITH LOGIN PASSWORD 'x'"][..],
                &["ALTER ROLE a SET work_mem TO '8MB'"],
                &["CREATE ROLE b"],
                &["CREATE ROLE c", "ALTER ROLE c WITH NOLOGIN"],
                &["ALTER ROLE b WITH LOGIN"],
            ]
        );
    }

    #[test]
    fn globals_survive_packing() {
        let text = "CREATE ROLE \"größe\";\n";
        assert_eq!(unpack(&pack(text).unwrap()).unwrap(), text);
        assert_eq!(pack(text).unwrap(), pack(text).unwrap());
    }

    #[test]
    fn what_exists_is_not_made_again_and_what_is_ours_never() {
        let script = "CREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER PASSWORD 'old';\nCREATE ROLE app;\n\
                      ALTER ROLE app WITH LOGIN PASSWORD 'x';\nCREATE TABLESPACE fast OWNER app LOCATION '/fast';\n\
                      CREATE ROLE sp_12345678;\nALTER ROLE sp_12345678 WITH NOLOGIN;\n";
        let (spaces, ours) = (BTreeSet::from(["fast".to_owned()]), ["sp_12345678".to_owned()]);
        let fitted: Vec<Fitting> = statements(script)
            .iter()
            .map(|statement| fitting(statement, |name| name == "postgres", &spaces, &ours))
            .collect();
        assert_eq!(
            fitted,
            [
                Fitting::Out,
                Fitting::Alters("postgres".to_owned()),
                Fitting::Same,
                Fitting::Same,
                Fitting::Out,
                Fitting::Out,
                Fitting::Out,
            ]
        );
    }
}
