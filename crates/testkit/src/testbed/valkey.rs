//! Words for `valkey-cli` in Valkey's own container. Nothing here knows what the keys mean.

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use super::docker::{Docker, LONG};
use super::stores;

/// The databases that the seed fills; each holds a witness.
pub(super) const DATABASES: [&str; 3] = ["0", "1", "3"];

/// `valkey-cli` in the store's container, which reads commands, one a line, from its standard input.
pub(super) fn cli(container: &str) -> Docker {
    exec(container, &["valkey-cli", "-e"])
}

/// What a Lua script that writes nothing returns: lines, each a JSON document.
pub(super) fn asked<T: DeserializeOwned>(container: &str, lua: &str, arguments: &[&str]) -> Result<Vec<T>> {
    let read = "exec valkey-cli -e EVAL_RO \"$(cat)\" 0 \"$@\"";
    let call = exec(container, &["sh", "-c", read, "sh"]).args(arguments.iter().copied());
    let answer = call.input(lua).run()?;
    let lines = answer.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).with_context(|| format!("Valkey shows {line}")))
        .collect()
}

fn exec(container: &str, command: &[&str]) -> Docker {
    let password = format!("REDISCLI_AUTH={}", stores::VALKEY.1);
    Docker::new(["exec", "-i", "-e", &password, container])
        .args(command.iter().copied())
        .limit(LONG)
}
