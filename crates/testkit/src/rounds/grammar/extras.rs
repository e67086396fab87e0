//! Everything else that a database may have in it.

use super::functions::Sort;
use super::words::{literal, quoted};
use super::{Base, Build};

impl Build {
    /// Types of its own.
    pub(super) fn type_of_own(&mut self, base: &mut Base) {
        let name = self.beside(base);
        let odd = literal(&self.raw_name());
        let (sql, value) = match self.random.between(0, 4) {
            0 => (format!("create type {name} as enum ('a', {odd}, 'z')"), odd),
            1 => (
                format!("create type {name} as (x integer, y text)"),
                format!("row(1, {odd})"),
            ),
            2 => {
                let test = self.call(base, Sort::Test, "value");
                let test = test.unwrap_or_else(|| "value > 0".to_owned());
                (
                    format!("create domain {name} as integer default 3 check ({test})"),
                    "3".to_owned(),
                )
            }
            _ => (
                format!("create type {name} as range (subtype = numeric)"),
                "'[1,2.5)'".to_owned(),
            ),
        };
        self.block(&base.database, "type", sql);
        base.types.push((name, value));
    }

    /// One thing that no table has.
    pub(super) fn extra(&mut self, base: &Base) {
        let name = self.name();
        let own = self.beside(base);
        let role = self.role();
        let text = literal(&self.raw_name());
        let schema = self.schema(base);
        let database = &base.database;
        let (what, sql) = match self.random.between(0, 17) {
            0 => (
                "sequence",
                format!(
                    "create sequence {own} increment by -7 minvalue -100 maxvalue 100 start with 93 cycle cache 3;\nselect nextval({}), nextval({})",
                    literal(&own),
                    literal(&own)
                ),
            ),
            1 => (
                "sequence that was never used",
                format!("create sequence {own} as smallint"),
            ),
            2 => (
                "large object",
                "select lo_from_bytea(0, '\\x00ff5c2e'::bytea);\ndo $l$ declare l oid; begin select max(oid) into l from pg_largeobject_metadata; execute format('comment on large object %s is %L', l, 'ours'); end $l$".to_owned(),
            ),
            3 => (
                "event trigger",
                format!(
                    "create function {own}() returns event_trigger language plpgsql as $e$ begin raise exception 'no DDL here'; end $e$;\ncreate event trigger {name} on ddl_command_start when tag in ('CREATE TABLE', 'CREATE INDEX', 'ALTER TABLE') execute function {own}()"
                ),
            ),
            4 => (
                "event trigger that writes",
                format!(
                    "create table {own} (at text);\ncreate function {own}() returns event_trigger language plpgsql as $e$ begin insert into {own} values (tg_tag); end $e$;\ncreate event trigger {name} on ddl_command_end execute function {own}()"
                ),
            ),
            5 => (
                "extension in a schema",
                format!("create extension hstore schema {schema}"),
            ),
            6 => (
                "extension",
                "create extension citext;\ncreate extension pg_trgm".to_owned(),
            ),
            7 => (
                "text search",
                format!("create text search configuration {own} (copy = simple)"),
            ),
            8 => (
                "collation",
                format!("create collation {own} (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"),
            ),
            9 => (
                "operator",
                format!("create operator {schema}.=== (leftarg = integer, rightarg = integer, function = int4eq)"),
            ),
            10 => (
                "aggregate",
                format!("create aggregate {own}(integer) (sfunc = int4pl, stype = integer, initcond = '0')"),
            ),
            11 => (
                "default rights",
                format!(
                    "alter default privileges in schema {schema} grant select on tables to {role};\nalter default privileges for role {role} revoke execute on functions from public"
                ),
            ),
            12 => (
                "rights on a schema",
                format!("grant create, usage on schema {schema} to {role};\nalter schema {schema} owner to {role}"),
            ),
            13 => (
                "procedure",
                format!(
                    "create procedure {own}(inout n integer) language plpgsql as $p$ begin n := n + 1; commit; end $p$"
                ),
            ),
            14 => (
                "publication of everything",
                format!("create publication {name} for all tables"),
            ),
            15 => (
                "cast",
                format!(
                    "create type {own} as (x integer);\ncreate function {schema}.{name}(integer) returns {own} immutable language sql as $c$ select row($1)::{own} $c$;\ncreate cast (integer as {own}) with function {schema}.{name}(integer)"
                ),
            ),
            _ => (
                "comment on the database",
                format!("comment on database {} is {text}", quoted(database)),
            ),
        };
        self.block(database, what, sql);
    }

    /// A materialised view that is filled when everything is there.
    pub(super) fn kept_view(&mut self, base: &Base) {
        let tables = base.tables.clone();
        let table = self.random.of(&tables).full.clone();
        let view = self.beside(base);
        let text = self.call(base, Sort::Text, "t").unwrap_or_else(|| "t".to_owned());
        let how = *self.random.of(&["", "", " with no data"]);
        let sql = format!("create materialized view {view} as select n, {text} as t from {table}{how}");
        self.block(&base.database, "materialised view", sql);
    }

    /// A view into another database of the same server, and one that keeps what it reads there.
    pub(super) fn afar(&mut self, base: &Base, other: &Base) {
        let tables = other.tables.clone();
        let table = self.random.of(&tables).clone();
        let (server, foreign, view) = (self.name(), self.beside(base), self.beside(base));
        let (schema, name) = parts(&table.full);
        let sql = format!(
            "create extension if not exists postgres_fdw;\n\
             create server {server} foreign data wrapper postgres_fdw options (host '127.0.0.1', dbname {});\n\
             create user mapping for current_user server {server} options (user 'afar', password 'x');\n\
             create foreign table {foreign} (n integer, t text) server {server} options (schema_name {}, table_name {});\n\
             create materialized view {view} as select n, t from {foreign}",
            literal(&other.database),
            literal(&schema),
            literal(&name)
        );
        self.block(&base.database, "view into another database", sql);
    }
}

/// Schema and name of what is written `"schema"."name"`, without their quotes.
fn parts(full: &str) -> (String, String) {
    let bare = |part: &str| part.trim_matches('"').replace("\"\"", "\"");
    match full.split_once("\".\"") {
        Some((schema, name)) => (bare(schema), bare(name)),
        None => ("public".to_owned(), bare(full)),
    }
}
