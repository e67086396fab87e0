//! The second try of a load. A dump is loaded with an empty search path, whatever the database's users have: a CHECK, a generated
//! column, a partition's key or an index whose function names another without its schema was served at the source and cannot be
//! loaded that way. And what reads another database of the same server (`postgres_fdw`) cannot be computed before that one
//! is there. So what failed is loaded once more, one database after the other, with the search path that the database
//! itself says, when all others are there.

use stillpoint_core::backups::Artifacts;
use stillpoint_core::ports::{Command, Process};
use stillpoint_core::stores::{Cx, Gap, Source, StoreError};
use stillpoint_pg::Session;
use stillpoint_pg::script::{Statement, comments, statements};

use super::PostgresStore;
use super::access::{MAINTENANCE, server};
use super::ext_catalog::{encoding_of, to_bytes};
use super::load::Dump;
use super::sequences::conninfo;
use super::tools::Tool;
use crate::toolbox::{BY_SIZE, Doing, cancellable, damaged, feed};

/// The search path while a database is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// None, as every dump says: safe, and enough for nearly all.
    None,
    /// The database's own.
    Own,
}

/// What of a dump is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All, in a database that it makes.
    All,
    /// The rows, into a database that is there.
    Rows,
}

/// By this line a dump empties the search path.
const NO_PATH: &str = "SELECT pg_catalog.set_config('search_path', '', false);";

/// The search path that the database's users have, and behind it every schema of the database: clients may set another path
/// than the database's for each of their sessions. It has no single quote in it, and nothing that means something to `sed`.
const OWN_PATH: &str = "RESET search_path; SELECT pg_catalog.set_config($$search_path$$, pg_catalog.concat_ws($$, $$, \
    nullif(nullif(pg_catalog.current_setting($$search_path$$), $$$$), $$\"\"$$), \
    (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(nspname), $$, $$ ORDER BY nspname <> $$public$$, nspname) \
    FROM pg_catalog.pg_namespace WHERE nspname !~ $$^pg_$$ AND nspname <> $$information_schema$$)), false);";

/// Loads the rows with that path instead of none. The line is replaced wherever it is no row of a table. A dump that breaks
/// must end as an error of the SQL that reads it: a pipe's end alone looks like the end of the data.
fn load_with_own_path() -> String {
    format!(
        r#"{{ pg_restore --section=data --file=- || printf '\\.\nSELECT 1/0 AS "the dump could not be read";\n'; }} | \
    sed -e '/^COPY .* FROM stdin;$/,/^\\\.$/!s/^SELECT pg_catalog.set_config(.search_path., .., false);$/{OWN_PATH}/' | \
    psql --no-psqlrc --quiet --no-password --set=ON_ERROR_STOP=1 --output=/dev/null"#
    )
}

/// An index that is built in parallel may need more shared memory than a container has (64 MiB, if nobody says otherwise).
const ONE_BY_ONE: &str = "SET max_parallel_maintenance_workers = 0;\n";

/// How the head of the entry that fills a materialised view is known.
const FILLED: &str = "; Type: MATERIALIZED VIEW DATA; ";

/// A dump's definitions, as a text of bytes, as they are made in a second try: with the search path that the
/// database itself says, and frugal. What fills materialised views is taken out and returned: it decorates, and its failure
/// must not be that of the rest.
pub(super) fn for_second_try(text: &str) -> (String, Vec<String>) {
    let own_path = text.replace(&format!("\n{NO_PATH}\n"), &format!("\n{OWN_PATH}\n{ONE_BY_ONE}"));
    let heads = comments(&own_path);
    let mut refreshes = Vec::new();
    let mut kept = String::with_capacity(own_path.len());
    let mut done = 0;
    for (place, (at, line)) in heads.iter().enumerate() {
        if line.contains(FILLED) && line.starts_with("-- Name: ") {
            // The head ends with a line of two signs; the entry with the next comment.
            let begin = heads
                .get(place + 1)
                .map_or(at + line.len(), |(at, line)| at + line.len());
            let end = heads.get(place + 2).map_or(own_path.len(), |(at, _)| *at);
            kept.push_str(&own_path[done..begin]);
            kept.push('\n');
            refreshes.extend(statements(&own_path[begin..end]).iter().map(Statement::text));
            done = end;
        }
    }
    kept.push_str(&own_path[done..]);
    (kept, refreshes)
}

/// What fills the materialised views of a dump.
#[derive(Debug, Default)]
pub(super) struct Views {
    encoding: String,
    refreshes: Vec<String>,
}

impl Views {
    pub(super) fn of(text: &str, refreshes: Vec<String>) -> Self {
        Self {
            encoding: encoding_of(text).unwrap_or("UTF8").to_owned(),
            refreshes,
        }
    }
}

/// Filled materialised views that read foreign tables, by however many views between.
const READS_OTHERS: &str = "WITH RECURSIVE reads (view, other) AS (SELECT r.ev_class, d.refobjid FROM pg_rewrite r \
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid \
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class \
    UNION SELECT reads.view, d.refobjid FROM reads JOIN pg_rewrite r ON r.ev_class = reads.other \
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid \
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class), \
    of_others (view) AS (SELECT DISTINCT view FROM reads JOIN pg_class o ON o.oid = reads.other AND o.relkind = 'f') \
    SELECT format('%I.%I', n.nspname, c.relname) FROM of_others v JOIN pg_class c ON c.oid = v.view \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated \
    ORDER BY (SELECT count(*) FROM reads WHERE reads.view = v.view AND reads.other IN (SELECT view FROM of_others)), 1";

impl PostgresStore {
    /// `--create` makes the database with its owner, settings, rights and comment; `--exit-on-error`
    /// because `pg_restore` otherwise goes on after errors.
    pub(super) async fn start_load(&self, cx: &Cx, name: &str, path: Path, part: Part) -> Result<Process, StoreError> {
        let to = match part {
            Part::All => ["--create".to_owned(), format!("--dbname={MAINTENANCE}")],
            Part::Rows => ["--section=data".to_owned(), format!("--dbname={}", conninfo(name))],
        };
        match path {
            Path::None => {
                let arguments = ["--exit-on-error", "--no-password", &to[0], &to[1]];
                self.start(cx, Tool::Restore, MAINTENANCE, &arguments, true).await
            }
            Path::Own => {
                let command = Command::new(["sh", "-c", &load_with_own_path()]).detects_truncated_input();
                self.run(cx, command, name, true).await
            }
        }
    }

    /// Loads once more what failed. What fails again is named, each with its reason, unless it may be missing: of that, what
    /// can be is loaded, and the rest is returned.
    pub(super) async fn load_again(
        &self,
        cx: &Cx,
        failed: &[(Dump<'_>, StoreError)],
        source: &Source,
    ) -> Result<Vec<Gap>, StoreError> {
        let artifacts = &source.artifacts;
        let (mut left, mut gaps) = (Vec::new(), Vec::new());
        for (dump, first) in failed {
            let name = dump.name;
            self.make_room_again(cx, name).await?;
            match self.load_database(cx, *dump, artifacts, Path::Own).await {
                Ok(()) => cx.report.warn(format!(
                    "{}: database `{name}` was loaded with its own search path and after the others, for its dump alone does \
                     not load: {first}",
                    self.name
                )),
                Err(StoreError::Tool { .. } | StoreError::Server { .. })
                    // By any other name `pg_restore` would make another database.
                    if name.is_ascii() && source.accepted.iter().any(|part| part == name) =>
                {
                    gaps.push(self.load_what_loads(cx, *dump, artifacts).await?);
                }
                Err(error @ (StoreError::Tool { .. } | StoreError::Server { .. })) => left.push((name.to_owned(), error)),
                Err(error) => return Err(error),
            }
        }
        if left.is_empty() {
            return Ok(gaps);
        }
        Err(StoreError::Parts {
            part: "database",
            failed: left,
        })
    }

    async fn make_room_again(&self, cx: &Cx, name: &str) -> Result<(), StoreError> {
        let session = self.open(cx, MAINTENANCE).await?;
        let room = self.make_room(cx, &session, name).await;
        session.close().await;
        room
    }

    /// Loads a database beyond every error of its dump. By `pg_restore` itself: to a `psql` that goes on, the rows of a table
    /// that could not be made would be commands.
    async fn load_what_loads(&self, cx: &Cx, dump: Dump<'_>, artifacts: &Artifacts) -> Result<Gap, StoreError> {
        let name = dump.name;
        self.make_room_again(cx, name).await?;
        let reader = artifacts.open(&self.name, dump.rows).await.map_err(damaged)?;
        let arguments = ["--create", "--no-password", "--dbname", MAINTENANCE];
        let process = self.start(cx, Tool::Restore, MAINTENANCE, &arguments, true).await?;
        let what = format!("loading what can be loaded of database `{name}`");
        let doing = Doing {
            what: &what,
            tool: Tool::Restore.program(),
        };
        let mut missing = said(feed(cx, doing, process, reader).await)?;
        if self.is_there(cx, name).await? {
            if let Some(catalog) = dump.catalog {
                missing.extend(said(self.replay_catalog(cx, catalog, artifacts, name).await)?);
            }
            missing.extend(said(self.finish_load(cx, name, dump.sequences, artifacts).await)?);
        }
        Ok(Gap {
            part: name.to_owned(),
            missing,
        })
    }

    /// A materialised view over another database was computed while that one was being loaded: it is computed anew. The
    /// data that it is computed from is there, so what fails is told and no more.
    pub(super) async fn refresh_what_reads_others(&self, cx: &Cx, dumps: &[Dump<'_>]) -> Result<(), StoreError> {
        for Dump { name, .. } in dumps {
            let session = self.open(cx, name).await?;
            let refreshed = refresh(cx, &session).await;
            session.close().await;
            for failed in refreshed? {
                cx.report.warn(format!(
                    "{}: database `{name}`: materialised view {failed}; REFRESH MATERIALIZED VIEW computes it",
                    self.name
                ));
            }
        }
        Ok(())
    }
}

/// What a server or a tool said against it, in lines.
fn said(done: Result<(), StoreError>) -> Result<Vec<String>, StoreError> {
    match done {
        Ok(()) => Ok(Vec::new()),
        Err(StoreError::Tool { errors, .. }) => Ok(what_failed(&errors)),
        Err(error @ StoreError::Server { .. }) => Ok(vec![error.to_string()]),
        Err(error) => Err(error),
    }
}

/// Of the many lines that `pg_restore` says about each error those that say what failed and why.
fn what_failed(errors: &str) -> Vec<String> {
    let lines = || {
        errors
            .lines()
            .map(|line| line.trim_start_matches("pg_restore: ").trim())
    };
    let tells = |line: &&str| line.starts_with("error: ") || line.starts_with("from TOC entry ");
    let told: Vec<String> = lines().filter(tells).map(str::to_owned).collect();
    if told.is_empty() {
        return lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    }
    told
}

impl PostgresStore {
    /// Fills materialised views as the database's users would. What fails is told and no more. The statements are texts
    /// of bytes in the encoding of their dump.
    pub(super) async fn fill_views(&self, cx: &Cx, name: &str, views: &Views) -> Result<(), StoreError> {
        let encoding = &views.encoding;
        for refresh in &views.refreshes {
            let script = format!("SET client_encoding = '{encoding}';\n{OWN_PATH}\n{refresh}\n");
            match self.run_text(cx, name, name, &script).await {
                Ok(()) => {}
                Err(error @ (StoreError::Tool { .. } | StoreError::Server { .. })) => cx.report.warn(format!(
                    "{}: database `{name}`: a materialised view is empty until `{}` succeeds: {error}",
                    self.name,
                    String::from_utf8_lossy(&to_bytes(refresh)).trim_end_matches(';')
                )),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

async fn refresh(cx: &Cx, session: &Session) -> Result<Vec<String>, StoreError> {
    let views = session.column(cx.idle_limit, READS_OTHERS).await;
    let views = views.map_err(|error| server("looking for materialised views", error))?;
    let mut failed = Vec::new();
    for view in views {
        let refresh = format!("{OWN_PATH} REFRESH MATERIALIZED VIEW {view}");
        if let Err(error) = cancellable(cx, session.run(BY_SIZE, &refresh)).await? {
            failed.push(format!("{view}: {error}"));
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::{NO_PATH, for_second_try, what_failed};

    #[test]
    fn what_failed_and_why_is_told_without_the_statements() {
        let errors = "pg_restore: while PROCESSING TOC:\n\
            pg_restore: from TOC entry 3388; 0 16385 TABLE DATA public bad app\n\
            pg_restore: error: COPY failed for table \"bad\": ERROR:  new row violates check constraint\n\
            DETAIL:  Failing row contains (1).\n\
            Command was: COPY public.bad (n) FROM stdin;\n\
            pg_restore: warning: errors ignored on restore: 1\n";
        assert_eq!(
            what_failed(errors),
            [
                "from TOC entry 3388; 0 16385 TABLE DATA public bad app",
                "error: COPY failed for table \"bad\": ERROR:  new row violates check constraint",
            ]
        );
        assert_eq!(what_failed("out of memory\n"), ["out of memory"]);
    }

    #[test]
    fn a_second_try_has_the_users_path_and_fills_views_apart() {
        let text = "--\n-- PostgreSQL database dump\n--\n\nSELECT pg_catalog.set_config('search_path', '', false);\n\n\
            --\n-- Name: i; Type: INDEX; Schema: s; Owner: o\n--\n\nCREATE INDEX i;\n\n\
            --\n-- Name: v; Type: MATERIALIZED VIEW DATA; Schema: s; Owner: o\n--\n\nREFRESH MATERIALIZED VIEW s.v;\n\n\
            --\n-- Name: j; Type: INDEX; Schema: s; Owner: o\n--\n\nCREATE INDEX j;\n\n";
        let (kept, refreshes) = for_second_try(text);
        assert_eq!(refreshes, ["REFRESH MATERIALIZED VIEW s.v"]);
        assert!(!kept.contains("REFRESH") && !kept.contains(NO_PATH), "{kept}");
        assert!(kept.contains("\nRESET search_path; SELECT "), "{kept}");
        assert!(kept.contains(", false);\nSET max_parallel_maintenance_workers = 0;\n"));
        assert!(
            kept.contains("CREATE INDEX i;") && kept.contains("\n--\n-- Name: j; Type: INDEX"),
            "{kept}"
        );
    }
}
