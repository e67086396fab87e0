//! Whether an artifact is what its name says, whatever its hash: read to its end by us and, where the
//! container has it, by the server's own `valkey-check-rdb`. Also, what artifacts of others are.

use stillpoint_core::backups::{Artifacts, Damage};
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::names::{ArtifactName, StoreName};
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};

use super::ValkeyStore;
use super::drain::{RDB, SUFFIX};
use super::rdb::{Check, Sound};
use super::versions::MAGIC;
use crate::toolbox::{Doing, damage_of_all, damaged, feed_watched};

/// Reads the file `$1` with whatever tool is there, and says on the error output what it finds. Without
/// one it reads nothing but its input.
pub(super) const CHECK_RDB: &str = r#"for tool in valkey-check-rdb redis-check-rdb; do
  if command -v "$tool" >/dev/null 2>&1; then exec "$tool" "$1" >&2; fi
done
[ "$1" != /dev/stdin ] || exec cat >/dev/null"#;

/// The words of a tool for a format that it does not know: it is older than the server that wrote the file, or of another
/// maker (`redis-check-rdb` beside Valkey). Of a file that we found whole they say nothing.
const UNKNOWN_FORMAT: [&str; 2] = ["Can't handle RDB format version", "Wrong signature"];

/// Whether the tool failed only because it does not know the format.
pub(super) fn is_too_old(error: &StoreError) -> bool {
    matches!(error, StoreError::Tool { errors, .. } if UNKNOWN_FORMAT.iter().any(|words| errors.contains(words)))
}

/// What a shell returns when there is no such program: containers without a shell have no tool either.
const NO_PROGRAM: [i64; 2] = [126, 127];

const CHECKING: Doing<'_> = Doing {
    what: "checking the dump",
    tool: "valkey-check-rdb",
};

impl ValkeyStore {
    pub(super) async fn read_along(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifacts: &Artifacts,
    ) -> Result<Vec<Damage>, StoreError> {
        let read = |artifact| async move {
            match self.read_dump(cx, record, artifact, artifacts).await {
                Err(error @ StoreError::Tool { .. }) => Err(StoreError::Damaged(error.to_string())),
                read => read,
            }
        };
        damage_of_all(&self.name, record, read).await
    }

    pub(super) fn leave_out_tool(&self, cx: &Cx) {
        cx.report.warn(format!(
            "{}: the tool in its container that checks dumps is older than its server and does not know the format: the dump \
             was read to its end without it",
            self.name
        ));
    }

    async fn read_dump(
        &self,
        cx: &Cx,
        record: &StoreRecord,
        artifact: &Artifact,
        artifacts: &Artifacts,
    ) -> Result<(), StoreError> {
        let reader = artifacts.open(&self.name, artifact).await.map_err(damaged)?;
        let command = Command::new(["sh", "-c", CHECK_RDB, "sh", "/dev/stdin"]).with_input();
        let process = cx.shell.exec(&self.workload, command).await?;
        let mut check = Check::new();
        let fed = feed_watched(cx, CHECKING, process, reader, &mut |piece| check.take(piece)).await;
        match fed {
            Ok(()) => verdict(check, record).map(drop),
            Err(StoreError::Tool { code, .. }) if NO_PROGRAM.contains(&code) => verdict(check, record).map(drop),
            // What we find ourselves says more than the end of a tool.
            Err(error @ StoreError::Tool { .. }) => match (verdict(check, record), is_too_old(&error)) {
                (Ok(_), true) => {
                    self.leave_out_tool(cx);
                    Ok(())
                }
                (found, _) => found.and(Err(error)),
            },
            Err(error) => Err(error),
        }
    }
}

/// Whether what passed by was a whole file, and the one that the record speaks of.
pub(super) fn verdict(check: Check, record: &StoreRecord) -> Result<Sound, StoreError> {
    let sound = check.finish().map_err(|flaw| StoreError::Damaged(flaw.to_string()))?;
    let (found, recorded) = (sound.format.to_string(), record.facts.get(MAGIC));
    match recorded {
        Some(recorded) if *recorded != found => Err(StoreError::Damaged(format!(
            "its format is {found}, {recorded} in the manifest"
        ))),
        _ => Ok(sound),
    }
}

/// What others have put there under this name: `<store>.rdb`.
pub(super) fn recognise(store: &StoreName, name: &ArtifactName) -> Option<(String, Option<String>)> {
    let own = ArtifactName::of(&[&format!("{store}{SUFFIX}")]);
    (*name == own).then(|| (RDB.to_owned(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_does_not_know_the_format_is_told_from_one_that_found_something() {
        let failed = |errors: &str| StoreError::Tool {
            doing: "checking the dump".into(),
            tool: "sh".into(),
            code: 1,
            errors: errors.into(),
        };
        assert!(is_too_old(&failed(
            "--- RDB ERROR DETECTED ---\n[offset 9] Can't handle RDB format version 11"
        )));
        assert!(!is_too_old(&failed(
            "[offset 70] Internal error in RDB reading offset 0, function at rdb.c:3155"
        )));
    }

    #[test]
    fn what_others_made_is_known_by_its_name() {
        let known = |name: &str| {
            let name = ArtifactName::try_from(name.to_owned()).unwrap();
            recognise(&StoreName::new("my cache"), &name)
        };
        assert_eq!(known("my%20cache.rdb"), Some(("rdb".into(), None)));
        for name in ["valkey.rdb", "my%20cache/x.rdb", "my%20cache", "my%20cache.rdb.gz"] {
            assert_eq!(known(name), None, "{name}");
        }
    }
}
