//! The definitions of what is saved, out of a dump that has those of all members (`pg_dump --binary-upgrade`, which is made to
//! rebuild extensions member by member). Nothing of what such a dump does to a server that is being upgraded is taken over.
//! Each definition is wrapped so that it does nothing where its object is there.

use std::collections::BTreeMap;

use stillpoint_pg::script::{comments, statements};

use super::find::Wanted;

/// Every entry of a verbose dump begins so (`_printTocEntry` in `pg_backup_archiver.c`).
const ENTRY: &str = "-- TOC entry ";

/// What `pg_dump` makes after the rows.
const AFTER_THE_DATA: [&str; 10] = [
    "CHECK CONSTRAINT",
    "CONSTRAINT",
    "FK CONSTRAINT",
    "INDEX",
    "INDEX ATTACH",
    "POLICY",
    "ROW SECURITY",
    "RULE",
    "STATISTICS",
    "TRIGGER",
];

/// What only a server that is being upgraded understands, and settings that belong to a dump's own order.
const OF_AN_UPGRADE: [&str; 5] = [
    "SELECT pg_catalog.binary_upgrade_",
    "UPDATE pg_catalog.pg_class",
    "UPDATE pg_catalog.pg_attribute",
    "UPDATE pg_catalog.pg_constraint",
    "SET default_",
];

/// What a dump ends with.
const LAST_WORDS: &str = "-- PostgreSQL database dump complete";

/// So many of the entries that follow a definition are noted: one of them is in the dump that it is put into, or none follows.
const FOLLOWING: usize = 20;

/// A definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) is_after_the_data: bool,
    /// The heads of entries of the whole dump that follow it: it comes before the first of them that is there.
    pub(super) before: Vec<String>,
    /// One statement; does nothing where what it defines is there.
    pub(super) sql: String,
}

/// The statement by which something becomes a member.
const JOINS: &str = "ALTER EXTENSION ";

/// Between two of these are the rights that a member had when it became one.
const RECORDS: &str = "SELECT pg_catalog.binary_upgrade_set_record_init_privs(";

/// The rights on a member.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rights {
    /// What it had when it became one.
    initial: Vec<String>,
    /// What it was given since.
    later: Vec<String>,
}

/// An entry of a dump.
struct Entry<'a> {
    /// `class 1259 OID 16435`.
    number: &'a str,
    /// `-- Name: q; Type: TABLE; Schema: public; Owner: app`.
    head: &'a str,
    body: &'a str,
}

impl<'a> Entry<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (about, body) = text.split_once("\n--\n")?;
        let number = about.split_once('(')?.1.split_once(')')?.0;
        let head = about.lines().find(|line| line.starts_with("-- Name: "))?;
        Some(Self { number, head, body })
    }

    fn is(&self, key: &str) -> bool {
        let name = self.head.strip_prefix("-- ").unwrap_or(self.head);
        self.number == key || name.strip_prefix(key).is_some_and(|rest| rest.starts_with(';'))
    }

    fn is_after_the_data(&self) -> bool {
        let kind = self.head.split("; ").find_map(|part| part.strip_prefix("Type: "));
        kind.is_some_and(|kind| AFTER_THE_DATA.contains(&kind))
    }

    /// Its statements, but for those of an upgrade.
    fn texts(&self) -> Vec<String> {
        let texts = statements(self.body).into_iter().map(|statement| statement.text());
        texts
            .filter(|text| !OF_AN_UPGRADE.iter().any(|begin| text.starts_with(begin)))
            .collect()
    }

    /// With the rights on what it makes: those that it had when it became a member are there when it becomes one, so that the
    /// next dump does not take them for rights that somebody has given since.
    fn sql_with(&self, rights: &[Rights]) -> String {
        let mut texts = self.texts();
        let joins = texts
            .iter()
            .position(|text| text.starts_with(JOINS))
            .unwrap_or(texts.len());
        texts.splice(joins..joins, rights.iter().flat_map(|rights| rights.initial.clone()));
        texts.extend(rights.iter().flat_map(|rights| rights.later.clone()));
        texts.into_iter().flat_map(|text| [text, ";\n".to_owned()]).collect()
    }

    /// Its statements as rights.
    fn rights(&self) -> Rights {
        let mut rights = Rights::default();
        let mut is_initial = false;
        for statement in statements(self.body) {
            let text = statement.text();
            if let Some(said) = text.strip_prefix(RECORDS) {
                is_initial = said.starts_with("true");
            } else if is_initial {
                rights.initial.push(text);
            } else {
                rights.later.push(text);
            }
        }
        rights
    }
}

/// The definitions of what is wanted, in the order in which they can be made.
pub(super) fn definitions(dump: &str, wanted: &BTreeMap<String, Wanted>) -> Vec<Definition> {
    let entries = entries(dump);
    let named: Vec<Option<(&String, &Wanted)>> = entries.iter().map(|entry| found(entry, wanted)).collect();
    let goes_with = |key: &String| {
        let others = entries.iter().zip(&named);
        let with = others.filter(|(_, named)| named.is_some_and(|(_, other)| other.with.as_ref() == Some(key)));
        with.map(|(entry, _)| entry.rights()).collect::<Vec<Rights>>()
    };
    let heads = |place: usize| {
        let following = entries.iter().zip(&named).skip(place + 1);
        let others = following.filter(|(_, named)| named.is_none());
        others.map(|(entry, _)| entry.head.to_owned()).take(FOLLOWING).collect()
    };
    let mut definitions = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let Some((
            key,
            Wanted {
                missing,
                with: None,
                then,
            },
        )) = named[place]
        else {
            continue;
        };
        let sql = entry.sql_with(&goes_with(key));
        if !sql.is_empty() {
            definitions.push(Definition {
                is_after_the_data: entry.is_after_the_data(),
                before: heads(place),
                sql: if_missing(missing, &sql) + then.as_deref().map_or_else(String::new, block).as_str(),
            });
        }
    }
    definitions
}

/// A dump's entries. What looks like the beginning of one may stand in a text.
fn entries(dump: &str) -> Vec<Entry<'_>> {
    let comments = comments(dump).into_iter();
    let mut begins: Vec<usize> = comments
        .filter(|(_, line)| line.starts_with(ENTRY))
        .map(|(at, _)| at)
        .collect();
    begins.push(dump.len());
    let texts = begins.windows(2).map(|pair| &dump[pair[0]..pair[1]]);
    texts.filter_map(Entry::of).collect()
}

fn found<'a>(entry: &Entry<'_>, wanted: &'a BTreeMap<String, Wanted>) -> Option<(&'a String, &'a Wanted)> {
    match wanted.get_key_value(entry.number) {
        None => wanted.iter().find(|(key, _)| entry.is(key)),
        found => found,
    }
}

/// Statements as one that a script may hold anywhere.
fn block(statements: &str) -> String {
    let tag = tag_for(&[statements]);
    format!("DO ${tag}$ BEGIN\n{statements}\nEND ${tag}$;\n")
}

/// One that none of the texts holds.
fn tag_for(texts: &[&str]) -> String {
    let mut tag = "sp".to_owned();
    while texts.iter().any(|text| text.contains(&format!("${tag}"))) {
        tag.push('x');
    }
    tag
}

fn if_missing(missing: &str, sql: &str) -> String {
    let tag = tag_for(&[missing, sql]);
    format!("DO ${tag}$ BEGIN IF {missing} THEN EXECUTE ${tag}_$\n{sql}${tag}_$; END IF; END ${tag}$;\n")
}

/// A text of bytes in whatever encoding, one sign for each byte: a dump is in that of its database.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes of such a text.
pub(in crate::postgres) fn to_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|sign| u8::try_from(sign).unwrap_or(b'?')).collect()
}

/// By this line a dump says its encoding.
pub(super) const ENCODING: &str = "\nSET client_encoding = '";

/// Between the encoding that a text is read in and that of its database, where they are not the same.
pub(super) const INSTEAD_OF: &str = "'; -- '";

/// The encoding that a dump's text is read in.
pub(in crate::postgres) fn encoding_of(text: &str) -> Option<&str> {
    Some(text.split_once(ENCODING)?.1.split_once('\'')?.0)
}

/// The encoding of its database.
fn encoding_of_database(text: &str) -> Option<&str> {
    let (_, said) = text.split_once(ENCODING)?;
    let line = said.lines().next()?;
    let said = line.split_once(INSTEAD_OF).map_or(said, |(_, database)| database);
    Some(said.split_once('\'')?.0)
}

/// A dump's text, [of bytes](of_bytes), with the definitions that belong into it put where they belong.
pub(super) fn merged(text: &str, definitions: &[Definition], is_after_the_data: bool) -> String {
    let mut heads: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, line) in comments(text) {
        heads.entry(line).or_insert(at);
    }
    // Two signs and a line's end stand before the head of an entry.
    let at = |head: &str| heads.get(head).map(|at| at.saturating_sub(3));
    let end = at(LAST_WORDS).unwrap_or(text.len());
    let is_converted = encoding_of_database(text).is_some_and(|encoding| !["UTF8", "SQL_ASCII"].contains(&encoding));
    let encoding = encoding_of(text).filter(|_| is_converted);
    let mut places: Vec<(usize, String)> = Vec::new();
    for definition in definitions {
        if definition.is_after_the_data == is_after_the_data {
            let found = definition.before.iter().find_map(|head| at(&of_bytes(head.as_bytes())));
            let sql = of_bytes(definition.sql.as_bytes());
            let sql = match encoding {
                Some(encoding) => format!("SET client_encoding = 'UTF8';\n{sql}SET client_encoding = '{encoding}';\n"),
                None => sql,
            };
            places.push((found.unwrap_or(end), sql));
        }
    }
    // Stable: of one place, in their own order.
    places.sort_by_key(|(place, _)| *place);
    let (mut merged, mut done) = (String::with_capacity(text.len()), 0);
    for (place, sql) in places {
        merged.push_str(&text[done..place]);
        merged.push_str(&sql);
        done = place;
    }
    merged + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\n\
        --\n-- TOC entry 2 (class 1259 OID 7)\n-- Dependencies: 1\n-- Name: q; Type: TABLE; Schema: s; Owner: o\n--\n\n\
        -- For binary upgrade\nSELECT pg_catalog.binary_upgrade_set_next_pg_type_oid('1'::pg_catalog.oid);\n\
        CREATE TABLE s.q (t text DEFAULT '; $sp$');\n\n\n\
        ALTER EXTENSION e ADD TABLE s.q;\n\nSET default_tablespace = '';\n\n\
        --\n-- TOC entry 3 (class 1259 OID 8)\n-- Name: r; Type: TABLE; Schema: s; Owner: o\n--\n\nCREATE TABLE s.r ();\n\n\
        --\n-- TOC entry 4 (class 2606 OID 9)\n-- Name: q q_pkey; Type: CONSTRAINT; Schema: s; Owner: o\n--\n\nALTER TABLE s.q;\n\n\
        --\n-- TOC entry 5 (class 0 OID 0)\n-- Name: TABLE q; Type: ACL; Schema: s; Owner: o\n--\n\n\
        SELECT pg_catalog.binary_upgrade_set_record_init_privs(true);\nGRANT SELECT;\n\
        SELECT pg_catalog.binary_upgrade_set_record_init_privs(false);\nGRANT ALL;\n\n\
        --\n-- PostgreSQL database dump complete\n--\n";

    fn wanted() -> BTreeMap<String, Wanted> {
        let wanted = |missing: &str, with: Option<&str>| Wanted {
            missing: missing.to_owned(),
            with: with.map(str::to_owned),
            then: None,
        };
        [
            ("class 1259 OID 7", wanted("a", None)),
            ("class 2606 OID 9", wanted("b", None)),
            (
                "Name: TABLE q; Type: ACL; Schema: s",
                wanted("c", Some("class 1259 OID 7")),
            ),
        ]
        .map(|(key, wanted)| (key.to_owned(), wanted))
        .into()
    }

    #[test]
    fn what_is_wanted_is_taken_without_what_an_upgrade_needs() {
        let found = definitions(DUMP, &wanted());
        let sql = "DO $spx$ BEGIN IF a THEN EXECUTE $spx_$\nCREATE TABLE s.q (t text DEFAULT '; $sp$');\n\
                   GRANT SELECT;\nALTER EXTENSION e ADD TABLE s.q;\nGRANT ALL;\n$spx_$; END IF; END $spx$;\n";
        assert_eq!(
            found[0],
            Definition {
                is_after_the_data: false,
                before: vec!["-- Name: r; Type: TABLE; Schema: s; Owner: o".to_owned()],
                sql: sql.to_owned()
            }
        );
        assert!(found[1].is_after_the_data && found[1].before.is_empty());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_definition_comes_before_what_follows_it_or_at_the_end() {
        let text = "\n--\n-- Name: f; Type: FUNCTION; Schema: s; Owner: o\n--\n\nf;\n\n--\n\
                    -- Name: r; Type: TABLE; Schema: s; Owner: o\n--\n\nr;\n\n--\n-- PostgreSQL database dump complete\n--\n";
        let found = definitions(DUMP, &wanted());
        let early = merged(text, &found, false);
        assert!(early.find("f;").unwrap() < early.find("CREATE TABLE s.q").unwrap());
        assert!(early.find("END $spx$").unwrap() < early.find("r;").unwrap());
        let late = merged(text, &found, true);
        assert!(late.find("r;").unwrap() < late.find("ALTER TABLE s.q").unwrap());
        assert!(!late.contains("CREATE TABLE s.q") && late.ends_with("dump complete\n--\n"));
    }

    #[test]
    fn a_text_is_read_in_one_encoding_and_belongs_to_a_database_of_another() {
        let plain = "--\nSET client_encoding = 'LATIN1';\nSELECT 1;\n";
        assert_eq!(
            (encoding_of(plain), encoding_of_database(plain)),
            (Some("LATIN1"), Some("LATIN1"))
        );
        let raw = plain.replacen(ENCODING, &format!("{ENCODING}SQL_ASCII{INSTEAD_OF}"), 1);
        assert_eq!(
            (encoding_of(&raw), encoding_of_database(&raw)),
            (Some("SQL_ASCII"), Some("LATIN1"))
        );
    }
}
