//! Random servers from a grammar of the awkward: whatever a server accepts, its users may have. A server is one script of many
//! small blocks, each in a transaction of its own; a block that the server does not accept is no part of what it holds.

mod cluster;
mod decorations;
mod extras;
mod functions;
mod owned;
mod round;
mod tables;
mod words;

pub use round::{Ended, round};

use self::functions::Function;
use self::tables::Table;
use self::words::{literal, quoted};
use super::Random;

/// Tells the chance of what extensions own from that of all else.
const OWNED: u64 = 0x6f77_6e65;

/// A script that fills an empty server.
#[derive(Clone, Debug)]
pub struct Case {
    /// What brings the same script again.
    pub seed: u64,
    blocks: Vec<Block>,
}

/// A part of it that is accepted as a whole, or not.
#[derive(Clone, Debug)]
struct Block {
    database: String,
    what: &'static str,
    sql: String,
    /// It may stand in a transaction.
    together: bool,
}

/// What is being written.
struct Build {
    random: Random,
    names: u32,
    roles: Vec<String>,
    blocks: Vec<Block>,
}

/// What a database has so far.
struct Base {
    database: String,
    /// In quotes, like all names here.
    schemas: Vec<String>,
    functions: Vec<Function>,
    tables: Vec<Table>,
    /// Each with a value of it.
    types: Vec<(String, String)>,
}

impl Case {
    /// The script of this seed.
    pub fn of(seed: u64) -> Self {
        let mut build = Build {
            random: Random::seeded(seed),
            names: 0,
            roles: Vec::new(),
            blocks: Vec::new(),
        };
        build.roles();
        build.block(
            "postgres",
            "role",
            "create role afar superuser login password 'x'".into(),
        );
        let mut bases = Vec::new();
        for _ in 0..build.random.between(1, 3) {
            bases.push(build.base());
        }
        for at in 1..bases.len() {
            build.afar(&bases[at], &bases[at - 1]);
        }
        // A chance of its own: what else a seed brings stays as it is.
        let rest = std::mem::replace(&mut build.random, Random::seeded(seed ^ OWNED));
        for base in &bases {
            build.owned(base);
        }
        build.random = rest;
        for base in &bases {
            build.settle(&base.database);
        }
        build.settings_of_roles();
        Self {
            seed,
            blocks: build.blocks,
        }
    }

    /// For psql, which says the number of each block that was accepted.
    fn script(&self) -> String {
        let mut script = Vec::new();
        let mut database = "";
        for (number, block) in self.blocks.iter().enumerate() {
            if block.database != database {
                database = &block.database;
                script.push(connect(database));
            }
            let Block { what, sql, .. } = block;
            script.push(if block.together {
                format!("-- {what}\nbegin;\n{sql};\nselect 'accepted', {number};\ncommit;\n")
            } else {
                format!("-- {what}\n{sql};\n\\if :ERROR\n\\else\nselect 'accepted', {number};\n\\endif\n")
            });
        }
        script.concat()
    }

    /// What a block is, by its number.
    fn what(&self, number: usize) -> Option<&'static str> {
        self.blocks.get(number).map(|block| block.what)
    }
}

/// Goes to a database whatever it is called. What its users have set does not count for whoever fills it.
fn connect(database: &str) -> String {
    let options = "-c default_transaction_read_only=off -c search_path=public -c standard_conforming_strings=on -c statement_timeout=0";
    let value = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let info = format!("dbname='{}' options='{}'", value(database), value(options));
    format!(
        "\\connect -reuse-previous=on '{}'\n",
        info.replace('\\', "\\\\").replace('\'', "''")
    )
}

impl Block {
    fn alone(database: &str, what: &'static str, sql: String) -> Self {
        Self {
            together: false,
            ..Self::of(database, what, sql)
        }
    }

    fn of(database: &str, what: &'static str, sql: String) -> Self {
        Self {
            database: database.to_owned(),
            what,
            sql,
            together: true,
        }
    }
}

impl Build {
    fn block(&mut self, database: &str, what: &'static str, sql: String) {
        self.blocks.push(Block::of(database, what, sql));
    }

    /// A database with everything in it.
    fn base(&mut self) -> Base {
        let database = self.database();
        let mut base = Base {
            database,
            schemas: vec![quoted("public")],
            functions: Vec::new(),
            tables: Vec::new(),
            types: Vec::new(),
        };
        for _ in 0..self.random.between(0, 2) {
            let schema = self.name();
            let sql = format!(
                "create schema {schema};\ncomment on schema {schema} is {}",
                literal(&schema)
            );
            self.block(&base.database, "schema", sql);
            base.schemas.push(schema);
        }
        for _ in 0..self.random.between(1, 3) {
            self.function(&mut base);
            self.type_of_own(&mut base);
            self.function(&mut base);
            self.table(&mut base);
        }
        for _ in 0..self.random.between(3, 12) {
            self.decoration(&base);
        }
        for _ in 0..self.random.between(1, 6) {
            self.extra(&base);
        }
        for _ in 0..self.random.between(0, 2) {
            self.kept_view(&base);
        }
        base
    }

    /// One of the schemas.
    fn schema(&mut self, base: &Base) -> String {
        self.random.of(&base.schemas).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_brings_the_same_server_again_and_another_brings_another() {
        assert_eq!(Case::of(7).script(), Case::of(7).script());
        assert_ne!(Case::of(7).script(), Case::of(8).script());
    }

    #[test]
    fn a_few_hundred_servers_have_everything_of_the_grammar() {
        let all: BTreeSet<&str> = (0..300)
            .flat_map(|seed| Case::of(seed).blocks)
            .map(|block| block.what)
            .collect();
        assert!(all.len() >= 47, "{} kinds of block: {all:?}", all.len());
    }
}
