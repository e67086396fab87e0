//! What the server tells about itself: the sections of `INFO` (manual: commands, INFO) as names and
//! values. Servers of many versions answer; a field that one does not know reads as empty, or zero.

use std::collections::BTreeMap;

use stillpoint_core::stores::StoreError;

use super::access::server;
use super::session::Session;

/// Fields by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Info(BTreeMap<String, String>);

impl Info {
    /// Asks for a section; all but the statistics of commands if none is named.
    pub(super) async fn ask(session: &Session, section: Option<&str>) -> Result<Self, StoreError> {
        let words: Vec<&str> = ["INFO"].into_iter().chain(section).collect();
        let text = session.text(&words).await;
        Ok(Self::parse(
            &text.map_err(|trouble| server("asking the server for INFO", trouble))?,
        ))
    }

    pub(super) fn parse(text: &str) -> Self {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Self(
            fields
                .map(|(name, value)| (name.to_owned(), value.trim_end().to_owned()))
                .collect(),
        )
    }

    /// A field as it stands.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field that is a number.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// A field that is 0 or 1.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.number(name) != 0
    }

    /// The fields whose names begin so, without that beginning.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let fields = self.0.iter();
        fields.filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }
}

/// One of the numbers in a field such as `calls=12,usec=30`.
pub(super) fn part(field: &str, name: &str) -> u64 {
    let mut parts = field.split(',').filter_map(|part| part.split_once('='));
    let found = parts.find(|(key, _)| *key == name);
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_what_is_missing_is_nothing() {
        let info = Info::parse("# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=9\r\nloading:0\r\nexecutable:/a:b\r\n");
        assert_eq!(info.text("executable"), "/a:b");
        assert_eq!((info.text("rdb_saves"), info.number("rdb_saves")), ("", 0));
        assert!(!info.flag("loading"));
        let (database, field) = info.below("db").next().unwrap();
        assert_eq!((database, part(field, "keys"), part(field, "subexpiry")), ("0", 3, 0));
    }
}
