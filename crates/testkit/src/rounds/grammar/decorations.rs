//! What hangs on a table.

use super::functions::Sort;
use super::tables::Table;
use super::words::literal;
use super::{Base, Build};

/// What every decoration is made of.
struct Parts {
    table: Table,
    other: Table,
    name: String,
    role: String,
    text: String,
    /// Of `n`, to a number.
    number: String,
    /// Of `n`, to a truth.
    condition: String,
    /// Of `t`, to a text.
    changed: String,
}

impl Build {
    /// Something that hangs on a table.
    pub(super) fn decoration(&mut self, base: &Base) {
        let tables = base.tables.clone();
        let parts = Parts {
            table: self.random.of(&tables).clone(),
            other: self.random.of(&tables).clone(),
            name: self.name(),
            role: self.role(),
            text: literal(&self.raw_name()),
            number: self.call(base, Sort::Number, "n").unwrap_or_else(|| "n".to_owned()),
            condition: self.call(base, Sort::Test, "n").unwrap_or_else(|| "n > 0".to_owned()),
            changed: self.call(base, Sort::Text, "t").unwrap_or_else(|| "t".to_owned()),
        };
        let beside = self.beside(base);
        let (what, sql) = match self.random.between(0, 3) {
            0 => self.index_or_constraint(&parts),
            1 => self.what_acts(&parts),
            2 => self.what_is_said(&parts),
            _ => self.what_stands_beside(&parts, &beside),
        };
        self.block(&base.database, what, sql);
    }

    fn index_or_constraint(&mut self, parts: &Parts) -> (&'static str, String) {
        let Parts {
            table,
            other,
            name,
            number,
            condition,
            changed,
            ..
        } = parts;
        let (full, other) = (&table.full, &other.full);
        match self.random.between(0, 7) {
            0 => (
                "index on a function",
                format!("create index {name} on {full} (({number}), t collate \"C\" desc)"),
            ),
            1 => (
                "index with a condition",
                format!("create index {name} on {full} (({changed})) where {condition}"),
            ),
            2 => (
                "statistics",
                format!("create statistics {name} on ({number}), t from {full}"),
            ),
            3 => (
                "constraint that is not valid",
                format!("alter table {full} add constraint {name} check ({condition}) not valid"),
            ),
            4 => (
                "constraint",
                format!("alter table {full} add constraint {name} check ({condition})"),
            ),
            5 => ("key", format!("alter table {full} add constraint {name} unique (n)")),
            6 => (
                "key that may wait",
                format!("alter table {full} add constraint {name} unique (n) deferrable initially deferred"),
            ),
            _ => (
                "foreign key",
                format!(
                    "alter table {other} add unique (n);\n\
                     alter table {full} add constraint {name} foreign key (n) references {other} (n) on delete cascade"
                ),
            ),
        }
    }

    fn what_acts(&mut self, parts: &Parts) -> (&'static str, String) {
        let Parts {
            table: Table { full, .. },
            name,
            role,
            condition,
            changed,
            ..
        } = parts;
        match self.random.between(0, 3) {
            0 => (
                "policy",
                format!(
                    "alter table {full} enable row level security, force row level security;\n\
                     create policy {name} on {full} for select to {role} using ({condition})"
                ),
            ),
            1 => {
                let how = self
                    .random
                    .of(&["enable always", "disable", "enable replica", "enable"]);
                let changed = changed.replace("(t)", "(new.t)");
                let condition = condition.replace("(n)", "(new.n)").replace("n > 0", "new.n > 0");
                (
                    "trigger",
                    format!(
                        "create function {name}() returns trigger language plpgsql as $t$ begin new.t := {changed}; return new; end $t$;\n\
                         create trigger {name} before insert or update on {full} for each row when ({condition}) execute function {name}();\n\
                         alter table {full} {how} trigger {name}"
                    ),
                )
            }
            2 => (
                "trigger that refuses",
                format!(
                    "create function {name}() returns trigger language plpgsql as $t$ begin raise 'nobody writes here'; end $t$;\n\
                     create trigger {name} before insert on {full} for each statement execute function {name}()"
                ),
            ),
            _ => (
                "rule",
                format!("create rule {name} as on insert to {full} do also nothing"),
            ),
        }
    }

    fn what_is_said(&mut self, parts: &Parts) -> (&'static str, String) {
        let Parts {
            table: Table { full, .. },
            role,
            text,
            name,
            ..
        } = parts;
        match self.random.between(0, 5) {
            0 => (
                "comment",
                format!("comment on table {full} is {text};\ncomment on column {full}.n is {text}"),
            ),
            1 => (
                "grant",
                format!("grant select (n), update (t) on {full} to {role};\ngrant delete on {full} to public"),
            ),
            2 => ("owner", format!("alter table {full} owner to {role}")),
            3 => (
                "storage",
                format!("alter table {full} alter t set storage external, alter n set statistics 7"),
            ),
            4 => (
                "identity of a replica",
                format!("alter table {full} replica identity full"),
            ),
            _ => (
                "dropped column",
                format!(
                    "alter table {full} add column {name} integer default 7;\nalter table {full} drop column {name}"
                ),
            ),
        }
    }

    fn what_stands_beside(&mut self, parts: &Parts, beside: &str) -> (&'static str, String) {
        let Parts {
            table: Table { full, .. },
            name,
            text,
            condition,
            changed,
            ..
        } = parts;
        match self.random.between(0, 2) {
            0 => (
                "view",
                format!(
                    "create view {beside} with (security_barrier) as select n, {changed} as t from {full} where {condition}"
                ),
            ),
            1 => (
                "publication",
                format!("create publication {name} for table {full} (n, t) where (n > 3)"),
            ),
            _ => (
                "child",
                format!(
                    "create table {beside} (own text) inherits ({full});\ninsert into {beside} (n, t, own) values (7, 'x', {text})"
                ),
            ),
        }
    }
}
