//! Functions that everything else calls: with and without the schemas of what they use, immutable by their own word.

use super::{Base, Build};

/// What a function takes and returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Number,
    Test,
    Text,
}

/// A function of one argument.
#[derive(Clone)]
pub(super) struct Function {
    pub(super) sort: Sort,
    /// With its schema.
    pub(super) full: String,
    /// Without.
    unqualified: String,
}

impl Sort {
    fn signature(self) -> &'static str {
        match self {
            Self::Number => "(n integer) returns integer",
            Self::Test => "(n integer) returns boolean",
            Self::Text => "(t text) returns text",
        }
    }

    /// What it does of itself.
    fn kernels(self) -> &'static [&'static str] {
        match self {
            Self::Number => &["n / 2", "coalesce(n, 0) + 1", "abs(n % 7)"],
            Self::Test => &["n > 0", "n is not null", "n between 0 and 1000"],
            Self::Text => &["upper(t)", "coalesce(t, '')", "t || '\\.'"],
        }
    }

    fn argument(self) -> &'static str {
        if self == Self::Text { "t" } else { "n" }
    }
}

impl Build {
    /// A function that may call one that is there, or read a table.
    pub(super) fn function(&mut self, base: &mut Base) {
        let sort = *self.random.of(&[Sort::Number, Sort::Test, Sort::Test, Sort::Text]);
        let schema = self.schema(base);
        let unqualified = self.name();
        let full = format!("{schema}.{unqualified}");
        let body = self.body(base, sort);
        let volatility = *self
            .random
            .of(&["immutable", "immutable", "immutable strict", "immutable parallel safe"]);
        let set = *self.random.of(&[
            "",
            "",
            "",
            " set search_path = pg_catalog",
            " set work_mem = '1MB'",
            " security definer",
        ]);
        let sql = match self.random.between(0, 3) {
            0 => format!("language plpgsql {volatility}{set} as $f$ begin return {body}; end $f$"),
            1 => format!("language sql {volatility}{set} begin atomic select {body}; end"),
            _ => format!("language sql {volatility}{set} as $f$ select {body} $f$"),
        };
        // What a body uses need not be there when it is written.
        let sql = format!(
            "set local check_function_bodies = off;\ncreate function {full}{} {sql}",
            sort.signature()
        );
        self.block(&base.database, "function", sql);
        base.functions.push(Function {
            sort,
            full,
            unqualified,
        });
    }

    fn body(&mut self, base: &Base, sort: Sort) -> String {
        let argument = sort.argument();
        let kernel = *self.random.of(sort.kernels());
        let others: Vec<Function> = base
            .functions
            .iter()
            .filter(|other| other.sort == sort)
            .cloned()
            .collect();
        if !others.is_empty() && self.random.coin() {
            let other = self.random.of(&others).clone();
            let called = if self.random.coin() {
                other.unqualified
            } else {
                other.full
            };
            return format!("{called}({argument})");
        }
        if sort == Sort::Test && !base.tables.is_empty() && self.random.one_in(3) {
            let tables = base.tables.clone();
            let table = self.random.of(&tables);
            let called = if self.random.coin() { &table.full } else { &table.short };
            return format!("(select count(*) >= 0 from {called})");
        }
        kernel.to_owned()
    }

    /// A call of a function of this sort, if there is one.
    pub(super) fn call(&mut self, base: &Base, sort: Sort, argument: &str) -> Option<String> {
        let all: Vec<Function> = base.functions.iter().filter(|one| one.sort == sort).cloned().collect();
        (!all.is_empty()).then(|| format!("{}({argument})", self.random.of(&all).full))
    }
}
