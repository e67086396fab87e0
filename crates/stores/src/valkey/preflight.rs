//! Looking, while the platform runs, whether a save or a restore can succeed. Writes nothing.

use redis::Value;
use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::stores::{AtRest, Cx, Preflight, Reasons, StoreError};

use super::access::server;
use super::info::Info;
use super::inventory::{self, highest_database};
use super::layout::{Layout, loses_data_on_stop, unsupported};
use super::session::{Session, Trouble, items, text};
use super::versions::Version;
use super::{CAT, Known, ValkeyStore, aside, watermark};
use crate::toolbox::{mount_of, mounts};

/// The fact that holds the names of loaded modules: a server without them cannot read their data.
pub(super) const MODULES: &str = "modules";

/// A part of Valkey 9.1 and later that shows as a module.
const BUILT_IN: &str = "lua";

impl ValkeyStore {
    pub(super) async fn look_at_server(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        let session = self.open(cx).await?;
        let (info, layout) = self.must_be_supported(&session).await?;
        self.must_be_allowed(&session).await?;
        self.must_have_tools(cx).await?;
        let tight = self.must_be_able_to_save(cx, &info, &layout).await?;
        let mut warnings = self.warnings(cx, &info, &layout).await?;
        warnings.extend(tight);
        Ok(Preflight {
            version: Version::of(&info).number,
            bytes: info.number("used_memory"),
            warnings,
            spool: 0,
            in_volume: None,
        })
    }

    /// What the server is, and where its data lies; an error if it is what this store cannot back up.
    pub(super) async fn must_be_supported(&self, session: &Session) -> Result<(Info, Layout), StoreError> {
        let info = Info::ask(session, None).await?;
        match unsupported(&info) {
            Some(why) => Err(self.unfit(&why)),
            None => Ok((info, Layout::ask(session).await?)),
        }
    }

    /// Asks all that a backup will ask. A save is asked for in a way that no server understands: whether we
    /// may is decided before that.
    async fn must_be_allowed(&self, session: &Session) -> Result<(), StoreError> {
        for words in [&["PING"][..], &["TIME"], &["CLIENT", "LIST"], &["BGSAVE", "?"]] {
            match session.ask(words).await {
                Ok(_) | Err(Trouble::Answer(_)) => {}
                Err(trouble) => return Err(self.login_failed(trouble)),
            }
        }
        watermark::calls(session).await?;
        modules(session).await?;
        inventory::count(session).await.map(drop)
    }

    async fn warnings(&self, cx: &Cx, info: &Info, layout: &Layout) -> Result<Vec<String>, StoreError> {
        let mut warnings = Vec::new();
        if self.may_not_fork(cx, info).await? {
            warnings.push(format!(
                "{}: the host does not overcommit memory, and a save of so much data may fail: set \
                 vm.overcommit_memory to 1",
                self.name
            ));
        }
        if self.has_aside(cx, layout).await? {
            warnings.push(format!(
                "{}: {}, its data as it was before a restore, is not backed up (`stillpoint restore discard-old` frees it)",
                self.name,
                self.aside_folder(layout)
            ));
        }
        Ok(warnings)
    }

    /// A fork counts as much memory again, unless the host looks away (the server's own warning at its start).
    async fn may_not_fork(&self, cx: &Cx, info: &Info) -> Result<bool, StoreError> {
        let read = self.run(
            cx,
            "asking for memory",
            &[CAT, "/proc/sys/vm/overcommit_memory", "/proc/meminfo"],
        );
        match read.await {
            Ok(text) => Ok(text.lines().next() != Some("1") && info.number("used_memory") > available(&text)),
            Err(StoreError::Tool { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn has_aside(&self, cx: &Cx, layout: &Layout) -> Result<bool, StoreError> {
        let old = aside::old(&self.name);
        match self
            .run(cx, "listing the server's files", &["ls", "-a", &layout.folder])
            .await
        {
            Ok(names) => Ok(names.lines().any(|name| name == old)),
            Err(StoreError::Tool { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn aside_folder(&self, layout: &Layout) -> String {
        format!("{}/{}", layout.folder, aside::old(&self.name))
    }

    /// Whether the record's dump can be put in the place of this server's data, and where that is.
    pub(super) async fn fits(&self, cx: &Cx, record: &StoreRecord) -> Result<Known, StoreError> {
        let session = self.open(cx).await?;
        let known = self.learn(&session, record).await?;
        let bytes = record.artifacts.iter().map(|artifact| artifact.size).sum();
        self.must_take(cx, &known.layout, bytes).await?;
        Ok(known)
    }

    /// What a stop would leave: a server that does not save then, or cannot, loses what it has changed since its last save.
    pub(super) async fn left_by_a_stop(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        let session = self.open(cx).await?;
        let (info, layout) = self.must_be_supported(&session).await?;
        let changes = info.number("rdb_changes_since_last_save");
        let mounts = mounts(cx, &self.workload).await?.unwrap_or_default();
        let why = if mount_of(&mounts, &layout.folder).is_some_and(|mount| mount.is_memory()) {
            Some(format!("its folder {} lies in memory (tmpfs)", layout.folder))
        } else if changes == 0 || layout.aof {
            None
        } else if loses_data_on_stop(&session).await? {
            Some("it keeps its data in memory alone (no `save`, no append-only file; `SAVE` makes one)".to_owned())
        } else {
            match self.must_be_able_to_save(cx, &info, &layout).await {
                Ok(_) => None,
                Err(StoreError::Unfit(why)) => Some(why),
                Err(error) => return Err(error),
            }
        };
        Ok(AtRest {
            folders: vec![layout.folder],
            unsaved: why
                .into_iter()
                .map(|why| format!("{why}, with {changes} changes since its last save"))
                .collect(),
            unstartable: Vec::new(),
        })
    }

    /// Learns, from the running server, where the data lies that a restore will replace.
    pub(super) async fn learn(&self, session: &Session, record: &StoreRecord) -> Result<Known, StoreError> {
        let (info, layout) = self.must_be_supported(session).await?;
        let version = Version::of(&info);
        let modules = modules(session).await?;
        let missing = missing(record, &modules);
        let mut reasons = Reasons::default();
        if let Some(why) = version.refuses(record) {
            reasons.note(Err(self.unfit(&why)))?;
        }
        if let Some(why) = layout.unrestorable() {
            reasons.note(Err(self.unfit(why)))?;
        }
        if highest_database(&record.inventory).is_some_and(|highest| highest >= layout.databases) {
            reasons.note(Err(self.unfit(&format!(
                "the server has {} databases, the backup holds database {}",
                layout.databases,
                highest_database(&record.inventory).unwrap_or_default()
            ))))?;
        }
        if !missing.is_empty() {
            reasons.note(Err(self.unfit(&format!(
                "the server lacks modules of the backup: {}",
                missing.join(", ")
            ))))?;
        }
        reasons.into_result()?;
        Ok(Known { layout, version })
    }

    pub(super) fn unfit(&self, why: &str) -> StoreError {
        StoreError::Unfit(format!("{}: {why}", self.name))
    }
}

/// Bytes of memory that are free, or would be when they are needed.
fn available(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.map_or(u64::MAX, |kibibytes| kibibytes << 10)
}

/// The names of the modules that the server has loaded, in order.
pub(super) async fn modules(session: &Session) -> Result<Vec<String>, StoreError> {
    let answer = session.ask(&["MODULE", "LIST"]).await;
    let answer = answer.map_err(|trouble| server("asking for the server's modules", trouble))?;
    Ok(names(&answer))
}

fn names(modules: &Value) -> Vec<String> {
    let name = |module: &Value| {
        let mut fields = items(module).chunks(2);
        fields
            .find(|field| field.first().is_some_and(|key| text(key) == "name"))
            .and_then(|field| field.get(1))
            .map(text)
    };
    let mut names: Vec<String> = items(modules)
        .iter()
        .filter_map(name)
        .filter(|name| name != BUILT_IN)
        .collect();
    names.sort();
    names
}

fn missing(record: &StoreRecord, present: &[String]) -> Vec<String> {
    let needed = record.facts.get(MODULES).map_or("", String::as_str).split(", ");
    let missing = needed.filter(|name| !name.is_empty() && !present.iter().any(|present| present == name));
    missing.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_told_without_what_is_built_in() {
        let word = |word: &str| Value::BulkString(word.into());
        let module = |name: &str| Value::Array(vec![word("name"), word(name), word("ver"), Value::Int(1)]);
        let list = Value::Array(vec![module("search"), module("lua"), module("bloom")]);
        assert_eq!(names(&list), ["bloom", "search"]);
    }

    #[test]
    fn free_memory_is_told_in_bytes() {
        assert_eq!(available("0\nMemTotal: 9 kB\nMemAvailable:    4 kB\n"), 4096);
        assert_eq!(available("1\n"), u64::MAX);
    }
}
