//! What extensions own and no dump holds: tables of users that were added to an extension, with awkward rows, and the rows of an
//! extension's own tables that somebody has edited.

use anyhow::Result;

use super::words::TYPES;
use super::{Base, Build};
use crate::lone_postgres::Server;

/// Rows whose text a copy has to escape, and that nobody may take for nothing.
const ROWS: [&str; 9] = [
    "(1, '', '\\x')",
    "(2, null, null)",
    "(3, '\\.', '\\x5c2e0a')",
    "(4, E'\\\\.\\nCOPY x FROM stdin;\\n\\\\.', '\\x00ff0a5c')",
    "(5, '\\N', '\\x5c4e')",
    "(6, E'tab\\there, back\\\\slash, cr\\rlf\\n', '\\x0d0a09')",
    "(7, E'quote '' \"double\" $$dollar$$ -- no comment', '\\x27')",
    "(8, '{\"NULL\",NULL}', '\\x4e554c4c')",
    "(null, 'null', '\\x6e')",
];

/// It registers one table whole, one with a condition, and one not at all; into all it brings rows.
const LEDGER: &str = r"
create table ledger_state (id serial primary key, note text, raw bytea);
insert into ledger_state (note) values ('seeded'), ('seeded too');
create table ledger_names (name text primary key, value text, own boolean default false);
insert into ledger_names values ('one', 'default'), ('two', null);
select pg_catalog.pg_extension_config_dump('ledger_names', 'where own');
create table ledger_jobs (id serial, what text);
insert into ledger_jobs (what) values ('seeded');
select pg_catalog.pg_extension_config_dump('ledger_jobs', '');
select pg_catalog.pg_extension_config_dump('ledger_jobs_id_seq', '');
";

/// The server's system offers the extension of the grammar.
pub(super) fn offer(server: &Server) -> Result<()> {
    let install = format!(
        "cd \"/usr/share/postgresql/$PG_MAJOR/extension\"\n\
         cat >grammar_ledger--1.0.sql <<'END'\n{LEDGER}\nEND\n\
         printf '%s\\n' \"default_version = '1.0'\" >grammar_ledger.control\n"
    );
    server.exec(&["sh", "-euc", &install]).map(drop)
}

impl Build {
    /// Members of extensions in a database.
    pub(super) fn owned(&mut self, base: &Base) {
        for _ in 0..self.random.between(0, 2) {
            self.table_of_an_extension(base);
        }
        if self.random.coin() {
            self.edited_extension(base);
        }
    }

    fn table_of_an_extension(&mut self, base: &Base) {
        let (table, more, index) = (self.beside(base), self.name(), self.name());
        let (of, some) = *self.random.of(&TYPES);
        let value = self.value_of(some);
        let kind = *self.random.of(&["table", "table", "unlogged table"]);
        let key = *self.random.of(&["", " primary key", " unique"]);
        let rows = ROWS
            .map(|row| format!("{}, {value})", row.trim_end_matches(')')))
            .join(", ");
        let mut sql = format!(
            "create extension if not exists hstore;\n\
             create {kind} {table} (id serial{key}, n integer, t text, raw bytea, {more} {of});\n\
             insert into {table} (n, t, raw, {more}) values {rows};\n\
             create index {index} on {table} (t);\n\
             alter extension hstore add table {table}"
        );
        if self.random.coin() {
            let literal = super::literal(&table);
            sql = format!(
                "{sql};\ndo $d$ begin execute format('alter extension hstore add sequence %s', pg_get_serial_sequence({literal}, 'id')); \
                 end $d$;\nselect nextval(pg_get_serial_sequence({literal}, 'id'))"
            );
        }
        self.block(&base.database, "table of an extension", sql);
    }

    fn edited_extension(&mut self, base: &Base) {
        let schema = self.schema(base);
        let rows = ROWS.map(|row| {
            row.split_once(", ")
                .map_or(row.to_owned(), |(_, rest)| format!("({rest}"))
        });
        let edits = [
            format!(
                "insert into {schema}.ledger_state (note, raw) values {}",
                rows.join(", ")
            ),
            format!("delete from {schema}.ledger_state where id = 1"),
            format!("update {schema}.ledger_state set note = E'\\\\.' where id = 2"),
            format!("update {schema}.ledger_names set value = '' where name = 'two'"),
            format!("delete from {schema}.ledger_names where name = 'one'"),
            format!("insert into {schema}.ledger_names values (E'\\\\.', null, true), ('', E'a\\tb', true)"),
            format!("update {schema}.ledger_jobs set what = null"),
            format!("insert into {schema}.ledger_jobs (what) values (E'\\\\N'), ('')"),
            format!("select nextval('{}.ledger_jobs_id_seq')", schema.replace('\'', "''")),
        ];
        let mut sql = format!("create extension grammar_ledger schema {schema}");
        for edit in edits {
            if !self.random.one_in(3) {
                sql = format!("{sql};\n{edit}");
            }
        }
        self.block(&base.database, "edited rows of an extension", sql);
    }
}
