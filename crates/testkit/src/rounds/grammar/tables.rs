//! Tables of every make with rows in them.

use super::functions::Sort;
use super::words::{TYPES, literal};
use super::{Base, Build};

/// A table with a column `n integer` and a column `t text`.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) full: String,
    pub(super) short: String,
    pub(super) partitioned: bool,
}

impl Build {
    /// A table and its rows.
    pub(super) fn table(&mut self, base: &mut Base) {
        let schema = self.schema(base);
        let short = self.name();
        let table = Table {
            full: format!("{schema}.{short}"),
            short,
            partitioned: self.random.one_in(3),
        };
        let (mut columns, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.random.between(0, 4) {
            let (of, some) = *self.random.of(&TYPES);
            let name = self.name();
            columns.push(format!("{name} {of}"));
            values.push(format!("({})::{of}", self.value_of(some)));
            names.push(name);
        }
        if let (true, Some((of, some))) = (self.random.coin(), base.types.last().cloned()) {
            let name = self.name();
            columns.push(format!("{name} {of}"));
            values.push(format!("{some}::{of}"));
            names.push(name);
        }
        self.odd_columns(base, &table, &mut columns);
        let columns = columns.iter().fold(String::new(), |all, one| format!("{all}, {one}"));
        let mut sql = if table.partitioned {
            self.partitioned(base, &table, &columns)
        } else {
            let kind = *self.random.of(&["table", "table", "table", "unlogged table"]);
            let with = *self
                .random
                .of(&["", "", " with (fillfactor = 50)", " with (autovacuum_enabled = off)"]);
            format!("create {kind} {} (n integer, t text{columns}){with}", table.full)
        };
        let rows = self.random.between(1, 60);
        let names = names.iter().fold(String::new(), |all, one| format!("{all}, {one}"));
        let values = values.iter().fold(String::new(), |all, one| format!("{all}, {one}"));
        let text = literal(&self.raw_name());
        sql = format!(
            "{sql};\ninsert into {} (n, t{names}) select i, {text} || i{values} from generate_series(1, {rows}) i",
            table.full
        );
        self.block(&base.database, "table", sql);
        base.tables.push(table);
    }

    /// Columns that are computed, counted, checked.
    fn odd_columns(&mut self, base: &Base, table: &Table, columns: &mut Vec<String>) {
        if let (true, Some(call)) = (self.random.one_in(3), self.call(base, Sort::Number, "n")) {
            let name = self.name();
            columns.push(format!("{name} integer generated always as ({call}) stored"));
        }
        if let (true, Some(call)) = (self.random.one_in(3), self.call(base, Sort::Test, "n")) {
            columns.push(format!("check ({call})"));
        }
        if let (true, Some(call)) = (self.random.one_in(3), self.call(base, Sort::Text, "'x'")) {
            let name = self.name();
            columns.push(format!("{name} text default {call}"));
        }
        if self.random.one_in(4) && !table.partitioned {
            let name = self.name();
            let how = *self.random.of(&["always", "by default"]);
            columns.push(format!(
                "{name} bigint generated {how} as identity (increment by -3 start with 5 maxvalue 10)"
            ));
        }
        if self.random.one_in(4) {
            let name = self.name();
            columns.push(format!("{name} serial"));
        }
    }

    fn partitioned(&mut self, base: &Base, table: &Table, columns: &str) -> String {
        let all = &table.full;
        let key = self.call(base, Sort::Number, "n");
        let of = |part: &str| format!("create table {}_{part}\"", all.trim_end_matches('"'));
        let by = match (self.random.between(0, 3), key) {
            (0, Some(call)) => format!("partition by list (({call}))"),
            (0 | 1, _) => "partition by range (n)".to_owned(),
            _ => "partition by hash (n)".to_owned(),
        };
        let root = format!("create table {all} (n integer, t text{columns}) {by}");
        if by.contains("hash") {
            let part = |n: u32| {
                format!(
                    "{} partition of {all} for values with (modulus 2, remainder {n})",
                    of(&format!("p{n}"))
                )
            };
            return format!("{root};\n{};\n{}", part(0), part(1));
        }
        let first = if by.contains("range") {
            format!("{} partition of {all} for values from (minvalue) to (10)", of("low"))
        } else {
            format!("{} partition of {all} for values in (0, 1, 2)", of("low"))
        };
        format!("{root};\n{first};\n{} partition of {all} default", of("rest"))
    }

    /// The name of something new in one of the schemas.
    pub(super) fn beside(&mut self, base: &Base) -> String {
        let schema = self.schema(base);
        format!("{schema}.{}", self.name())
    }
}
