//! What belongs to the server: roles, their memberships, databases, and settings of both.

use super::words::{SETTINGS, literal, quoted};
use super::{Block, Build};

const ATTRIBUTES: [&str; 10] = [
    "login",
    "createdb",
    "createrole",
    "noinherit",
    "replication",
    "bypassrls",
    "superuser",
    "connection limit 3",
    "valid until 'infinity'",
    "valid until '2001-01-01'",
];

/// How a database may be made. `OWNER` is the database's; each is followed by `template template0`.
const DATABASES: [&str; 7] = [
    "",
    "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'",
    "encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'",
    "encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'",
    "encoding 'UTF8' locale_provider icu icu_locale 'de-u-ks-level2'",
    "connection limit 5",
    "allow_connections true",
];

impl Build {
    /// Roles with odd names, attributes, passwords and memberships that some of them have granted.
    pub(super) fn roles(&mut self) {
        for _ in 0..self.random.between(2, 5) {
            let role = self.name();
            let mut sql = format!("create role {role}");
            for attribute in ATTRIBUTES {
                if self.random.one_in(4) {
                    sql.push(' ');
                    sql.push_str(attribute);
                }
            }
            if self.random.coin() {
                let password = self.raw_name();
                sql = format!("{sql} password {}", literal(&password));
            }
            let comment = literal(&self.raw_name());
            sql = format!("{sql};\ncomment on role {role} is {comment}");
            self.block("postgres", "role", sql);
            self.roles.push(role);
        }
        for _ in 0..self.random.between(0, 4) {
            let (group, member) = (self.role(), self.role());
            let with = *self
                .random
                .of(&["", " with admin option", " with inherit false", " with set false"]);
            let sql = format!("grant {group} to {member}{with}");
            self.block("postgres", "membership", sql);
            if self.random.coin() {
                let other = self.role();
                let sql = format!("grant {group} to {other} granted by {member}");
                self.block("postgres", "membership by another", sql);
            }
        }
    }

    /// One of the roles.
    pub(super) fn role(&mut self) -> String {
        let roles = self.roles.clone();
        self.random.of(&roles).clone()
    }

    /// A database; its name is told without quotes.
    pub(super) fn database(&mut self) -> String {
        // psql takes the double quotes out of what it is to connect to.
        let database = self.raw_name().replace('"', "'");
        let how = *self.random.of(&DATABASES);
        let sql = format!("create database {} {how} template template0", quoted(&database));
        self.blocks.push(Block::alone("postgres", "database", sql));
        database
    }

    /// What its owner may say of a database, once everything is in it.
    pub(super) fn settle(&mut self, database: &str) {
        let name = quoted(database);
        if self.random.coin() {
            let role = self.role();
            let sql = format!("alter database {name} owner to {role}");
            self.block("postgres", "owner of a database", sql);
        }
        if self.random.one_in(3) {
            let role = self.role();
            let sql = format!(
                "revoke all on database {name} from public;\ngrant connect, temporary on database {name} to {role}"
            );
            self.block("postgres", "rights on a database", sql);
        }
        for _ in 0..self.random.between(0, 4) {
            let (setting, value) = *self.random.of(&SETTINGS);
            self.block(
                "postgres",
                "setting of a database",
                format!("alter database {name} set {setting} = {value}"),
            );
        }
        if self.random.coin() {
            let (setting, value) = *self.random.of(&SETTINGS);
            let role = self.role();
            let sql = format!("alter role {role} in database {name} set {setting} = {value}");
            self.block("postgres", "setting of a role in a database", sql);
        }
        if self.random.one_in(4) {
            // The superuser that everybody here logs in as.
            let (setting, value) = *self.random.of(&SETTINGS);
            let sql = format!("alter role current_user in database {name} set {setting} = {value}");
            self.block("postgres", "setting of the superuser in a database", sql);
        }
    }

    /// Settings of all roles and of some.
    pub(super) fn settings_of_roles(&mut self) {
        let (setting, value) = *self.random.of(&SETTINGS);
        if self.random.coin() {
            self.block(
                "postgres",
                "setting of all roles",
                format!("alter role all set {setting} = {value}"),
            );
        }
        let role = self.role();
        let (setting, value) = *self.random.of(&SETTINGS);
        self.block(
            "postgres",
            "setting of a role",
            format!("alter role {role} set {setting} = {value}"),
        );
    }
}
