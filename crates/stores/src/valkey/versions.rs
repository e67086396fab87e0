//! Which server can read which file. There is no way down: a server refuses a file of a newer format
//! and ends (Redis 7.0.15 on `VALKEY080`: "Wrong signature", on `REDIS0011`: "Can't handle RDB format
//! version 11"), so a restore asks here before anything is stopped.

use std::fmt;

use stillpoint_core::manifest::StoreRecord;

use super::info::Info;
use super::rdb::{Format, Maker};

/// The facts of a record: whose version it is stands in their names.
pub(super) const MAGIC: &str = "rdb_magic";
const VALKEY_VERSION: &str = "valkey_version";
const REDIS_VERSION: &str = "redis_version";

/// The newest format of Redis that Valkey reads: 12 and later are Redis' own (Valkey's `rdb.h`).
const NEWEST_OF_REDIS_IN_VALKEY: u32 = 11;

/// From which version Valkey reads which format of its own. Later ones are not known here.
const FORMATS_OF_VALKEY: [((u32, u32), u32); 2] = [((9, 0), 80), ((9, 1), 80)];

/// From which version Redis reads which format (`rdb.h` of each). Later ones are not known here.
const FORMATS_OF_REDIS: [((u32, u32), u32); 4] = [((5, 0), 9), ((7, 0), 10), ((7, 2), 11), ((7, 4), 12)];

/// A server's maker and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) maker: Maker,
    /// In its own words.
    pub(super) number: String,
}

impl Version {
    /// Valkey says `redis_version:7.2.4` as well, for clients that look for nothing else.
    pub(super) fn of(info: &Info) -> Self {
        match info.text(VALKEY_VERSION) {
            "" => Self::new(Maker::Redis, info.text(REDIS_VERSION)),
            number => Self::new(Maker::Valkey, number),
        }
    }

    fn new(maker: Maker, number: &str) -> Self {
        let number = number.to_owned();
        Self { maker, number }
    }

    /// The fact that records it.
    pub(super) fn fact(&self) -> (String, String) {
        let name = match self.maker {
            Maker::Redis => REDIS_VERSION,
            Maker::Valkey => VALKEY_VERSION,
        };
        (name.to_owned(), self.number.clone())
    }

    /// The version that a record was made by; none in one that others made.
    fn recorded(record: &StoreRecord) -> Option<Self> {
        let of = |maker, name| Some(Self::new(maker, record.facts.get(name)?));
        of(Maker::Valkey, VALKEY_VERSION).or_else(|| of(Maker::Redis, REDIS_VERSION))
    }

    /// Major and minor: patches change no format.
    fn release(&self) -> (u32, u32) {
        let mut numbers = self.number.split('.').map(|part| part.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// Why this server cannot take the record; none if it can, as far as the record tells.
    pub(super) fn refuses(&self, record: &StoreRecord) -> Option<String> {
        let backup = Self::recorded(record);
        if let Some(backup) = backup.filter(|backup| backup.maker == self.maker && backup.release() > self.release()) {
            return Some(format!("the backup is of {backup}, the server is the older {self}"));
        }
        let format = record.facts.get(MAGIC).and_then(|magic| Format::parse(magic))?;
        self.cannot_read(format)
    }

    /// Why this server cannot read a file of this format.
    pub(super) fn cannot_read(&self, format: Format) -> Option<String> {
        let can = match (self.maker, format.maker) {
            (Maker::Valkey, Maker::Valkey) => self.reads(&FORMATS_OF_VALKEY, format.number),
            (Maker::Valkey, Maker::Redis) => format.number <= NEWEST_OF_REDIS_IN_VALKEY,
            (Maker::Redis, Maker::Valkey) => false,
            (Maker::Redis, Maker::Redis) => self.reads(&FORMATS_OF_REDIS, format.number),
        };
        (!can).then(|| format!("the file has the format {format}, which {self} cannot read"))
    }

    /// Whether it reads a format of its maker. One that is newer than all that is known here may read any.
    fn reads(&self, formats: &[((u32, u32), u32)], number: u32) -> bool {
        let is_newer = formats.iter().all(|(from, _)| *from < self.release());
        let mut known = formats.iter().rev().filter(|(from, _)| *from <= self.release());
        is_newer || known.next().is_some_and(|(_, newest)| number <= *newest)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let maker = match self.maker {
            Maker::Redis => "Redis",
            Maker::Valkey => "Valkey",
        };
        write!(f, "{maker} {}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valkey(number: &str) -> Version {
        Version::new(Maker::Valkey, number)
    }

    fn redis(number: &str) -> Version {
        Version::new(Maker::Redis, number)
    }

    fn record(version: &Version, magic: &str) -> StoreRecord {
        StoreRecord {
            name: stillpoint_core::names::StoreName::new("cache"),
            kind: stillpoint_core::names::StoreKind::new("valkey"),
            version: version.number.clone(),
            pinned: jiff::Timestamp::UNIX_EPOCH,
            artifacts: Vec::new(),
            inventory: stillpoint_core::manifest::Inventory::default(),
            took: None,
            watermarks: None,
            facts: [version.fact(), (MAGIC.to_owned(), magic.to_owned())].into(),
        }
    }

    #[test]
    fn a_valkey_is_not_taken_for_the_redis_that_it_says_to_be() {
        let info = Info::parse("redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n");
        assert_eq!(Version::of(&info), valkey("9.1.2"));
        assert_eq!(Version::of(&Info::parse("redis_version:7.0.15\r\n")), redis("7.0.15"));
    }

    #[test]
    fn there_is_no_way_down() {
        let fits = |backup: &Version, magic: &str, server: &Version| server.refuses(&record(backup, magic)).is_none();
        for (backup, magic, server, fit) in [
            (valkey("9.1.2"), "VALKEY080", valkey("9.1.0"), true),
            (valkey("9.1.2"), "VALKEY080", valkey("9.0.4"), false),
            (valkey("9.1.2"), "VALKEY080", redis("7.0.15"), false),
            (valkey("9.1.2"), "REDIS0011", redis("7.0.15"), false),
            (valkey("8.1.8"), "REDIS0011", valkey("9.1.2"), true),
            (valkey("8.1.8"), "REDIS0011", redis("7.2.1"), true),
            (valkey("9.1.2"), "VALKEY080", valkey("8.1.8"), false),
            (valkey("9.10.0"), "VALKEY080", valkey("9.9.0"), false),
            (valkey("9.1.2"), "VALKEY081", valkey("9.1.2"), false),
            (valkey("9.3.0"), "VALKEY081", valkey("9.3.1"), true),
            (redis("7.0.15"), "REDIS0010", valkey("9.1.2"), true),
            (redis("7.4.0"), "REDIS0012", valkey("9.1.2"), false),
            (redis("7.0.15"), "REDIS0010", redis("6.2.7"), false),
            (redis("8.2.0"), "REDIS0013", redis("8.2.1"), true),
        ] {
            assert_eq!(fits(&backup, magic, &server), fit, "{backup} {magic} into {server}");
        }
    }

    #[test]
    fn what_others_made_is_judged_by_its_file() {
        let mut nameless = record(&valkey("9.1.2"), "VALKEY080");
        nameless.facts.clear();
        assert_eq!(redis("7.0.15").refuses(&nameless), None);
        let format = Format::parse("VALKEY080").unwrap();
        let why = redis("7.0.15").cannot_read(format).unwrap();
        assert!(why.contains("VALKEY080") && why.contains("Redis 7.0.15"), "{why}");
    }
}
