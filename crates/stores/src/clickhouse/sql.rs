//! Texts of statements: names and strings quoted, lists of what a backup holds. Pure.
//!
//! Never here: an unquoted name.

use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::ports::gateway::Access;

/// A name, quoted.
pub(super) fn ident(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// A text, quoted.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A table's name with its database's.
pub(super) fn of_database(database: &str, name: &str) -> String {
    format!("{}.{}", ident(database), ident(name))
}

/// Texts, quoted, as a list that is never empty: what `IN` takes.
pub(super) fn literals<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let list: Vec<String> = texts.into_iter().map(literal).collect();
    if list.is_empty() {
        "('')".to_owned()
    } else {
        format!("({})", list.join(", "))
    }
}

/// What `BACKUP` and `RESTORE` name: databases, and tables of `system`.
pub(super) fn elements(databases: &[String], system_tables: &[String]) -> String {
    let databases = databases.iter().map(|name| format!("DATABASE {}", ident(name)));
    let tables = system_tables
        .iter()
        .map(|name| format!("TABLE {}", of_database("system", name)));
    databases.chain(tables).collect::<Vec<_>>().join(", ")
}

/// Where a gateway's objects lie, as `BACKUP` and `RESTORE` take it. Holds the secret.
pub(super) fn destination(access: &Access) -> SecretString {
    let url = format!("{}/{}/{}", access.endpoint, access.bucket, access.prefix);
    SecretString::from(format!(
        "S3({}, {}, {})",
        literal(&url),
        literal(&access.access_key_id),
        literal(access.secret_access_key.expose_secret())
    ))
}

/// A text without the secret: a server quotes what it does not understand.
pub(super) fn hidden(text: &str, secret: &SecretString) -> String {
    match secret.expose_secret() {
        "" => text.to_owned(),
        secret => text.replace(secret, "[HIDDEN]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted_whatever_they_hold() {
        assert_eq!(ident("we`ird\\.x y"), "`we\\`ird\\\\.x y`");
        assert_eq!(literal("it's \\ it"), "'it\\'s \\\\ it'");
        assert_eq!(of_database("a.b", "c"), "`a.b`.`c`");
        assert_eq!(literals(["a", "b'"]), "('a', 'b\\'')");
        assert_eq!(literals([]), "('')");
    }

    #[test]
    fn a_backup_names_its_databases_and_nothing_else() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            elements(&list(&["default", "a b"]), &list(&["users"])),
            "DATABASE `default`, DATABASE `a b`, TABLE `system`.`users`"
        );
        assert_eq!(elements(&[], &[]), "");
    }

    #[test]
    fn the_secret_stays_out_of_what_is_told() {
        let access = Access {
            endpoint: "http://10.0.0.1:4000".into(),
            bucket: "2026-02-17".into(),
            prefix: "clickhouse/backup_1".into(),
            access_key_id: "key".into(),
            secret_access_key: SecretString::from("s3cret"),
        };
        let text = destination(&access);
        let text = text.expose_secret();
        assert_eq!(
            text,
            "S3('http://10.0.0.1:4000/2026-02-17/clickhouse/backup_1', 'key', 's3cret')"
        );
        let told = hidden(text, &access.secret_access_key);
        assert!(told.contains("'[HIDDEN]'") && !told.contains("s3cret"), "{told}");
        assert_eq!(hidden("nothing", &SecretString::from("")), "nothing");
    }
}
