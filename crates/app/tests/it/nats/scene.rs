//! What the tests of NATS share: logins, awkward streams, and what the stock client sees of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{PROGRAM, until};

/// The service.
pub(super) const NATS: &str = "nats";

/// A stream of every kind, consumers in every position, a second account with a stream of the same name.
const AWKWARD: &str = r#"
set -euo pipefail
api() {
  local answer
  answer=$(nats request --raw --no-templates "\$JS.API.$1" "$2")
  case $answer in *'"error":'* | '') echo "$1: $answer" >&2; return 1;; esac
}
api STREAM.CREATE.ORDERS '{"name":"ORDERS","subjects":["orders.>"],"storage":"file","description":"Grüße ✓","metadata":{"team":"shop"}}'
nats publish --jetstream --quiet --count 400 'orders.new.{{Count}}' 'order {{Count}}' --header 'RunRequest:{{Count}}' 2>/dev/null
nats publish --jetstream --quiet orders.empty '' 2>/dev/null
api STREAM.MSG.DELETE.ORDERS '{"seq":7}'
api STREAM.PURGE.ORDERS '{"seq":4}'
api CONSUMER.DURABLE.CREATE.ORDERS.half '{"stream_name":"ORDERS","config":{"durable_name":"half","ack_policy":"explicit","ack_wait":3600000000000}}'
nats consumer next ORDERS half --count 100 --raw >/dev/null
nats consumer next ORDERS half --count 5 --no-ack --raw >/dev/null
api STREAM.CREATE.JOBS '{"name":"JOBS","subjects":["jobs"],"retention":"workqueue","storage":"file"}'
api CONSUMER.DURABLE.CREATE.JOBS.runner '{"stream_name":"JOBS","config":{"durable_name":"runner","ack_policy":"explicit"}}'
nats publish --jetstream --quiet --count 60 jobs 'job {{Count}}' 2>/dev/null
nats consumer next JOBS runner --count 20 --raw >/dev/null
api STREAM.CREATE.A_COPY '{"name":"A_COPY","mirror":{"name":"ORDERS"},"storage":"file"}'
api STREAM.CREATE.A_SUM '{"name":"A_SUM","sources":[{"name":"ORDERS"}],"storage":"file"}'
api STREAM.CREATE.SHORT '{"name":"SHORT","subjects":["short"],"max_age":31536000000000000,"storage":"file"}'
nats publish --jetstream --quiet --count 3 short 'soon {{Count}}' 2>/dev/null
api STREAM.CREATE.NOTHING '{"name":"NOTHING","subjects":["nothing"],"storage":"file"}'
api STREAM.CREATE.QUICK '{"name":"QUICK","subjects":["quick"],"storage":"memory"}'
nats publish --jetstream --quiet --count 8 quick 'quick {{Count}}' 2>/dev/null
nats kv add CONFIG --history 5 --storage file >/dev/null
for n in 1 2 3; do nats kv put CONFIG key "value $n" >/dev/null; done
nats kv put CONFIG gone x >/dev/null; nats kv del CONFIG gone --force >/dev/null
nats object add FILES --storage file >/dev/null
head -c 700000 /dev/urandom > /tmp/file
nats object put FILES /tmp/file --name 'manual 1.pdf' --force --no-progress >/dev/null
export NATS_USER=other NATS_PASSWORD=$NATS_OTHER_PASSWORD
api STREAM.CREATE.ORDERS '{"name":"ORDERS","subjects":["orders"],"storage":"file"}'
nats publish --jetstream --quiet --count 25 orders 'another account, the same name {{Count}}' 2>/dev/null
# The copies must have caught up: they are compared, too.
export NATS_USER=app NATS_PASSWORD=$APP_PASSWORD
for copy in A_COPY A_SUM; do
  for n in $(seq 100); do
    case $(nats request --raw "\$JS.API.STREAM.INFO.$copy" '') in *'"messages":397'*) break;; esac
    sleep 0.1
  done
done
"#;

/// What the stock client is told of every stream and consumer, and a message of each stream.
const FACTS: &str = r#"
set -euo pipefail
look() {
  for stream in $(nats stream ls --all --names); do
    echo "$1/$stream $(nats request --raw "\$JS.API.STREAM.INFO.$stream" '')"
    echo "$1/$stream/consumers $(nats request --raw "\$JS.API.CONSUMER.LIST.$stream" '')"
    echo "$1/$stream/last $(nats request --raw "\$JS.API.STREAM.MSG.GET.$stream" '{"last_by_subj":">"}')"
  done
}
look APP
NATS_USER=other NATS_PASSWORD=$NATS_OTHER_PASSWORD
export NATS_USER NATS_PASSWORD
look OTHER
"#;

/// Everything is deleted, and something else is there.
const WRECK: &str = r#"
set -euo pipefail
for stream in $(nats stream ls --all --names); do nats stream rm "$stream" --force >/dev/null; done
nats request --raw '$JS.API.STREAM.CREATE.ORDERS' '{"name":"ORDERS","subjects":["orders.>"],"storage":"file"}' >/dev/null
nats publish --jetstream --quiet --count 3 orders.new.x 'rubbish' 2>/dev/null
"#;

/// Runs a test on a platform with nothing but NATS, empty.
pub(super) fn on_nats(name: &str, test: impl FnOnce(&Testbed, &Product) -> Result<()>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test(name, Shape::Nats)?.examined(|testbed| {
        testbed.up()?;
        test(testbed, &Product::of(PROGRAM, folder.path(), testbed))
    })
}

/// The same with awkward streams in it.
pub(super) fn on_awkward(name: &str, test: impl FnOnce(&Testbed, &Product) -> Result<()>) -> Result<()> {
    on_nats(name, |testbed, product| {
        by_client(testbed, AWKWARD).context("making awkward streams")?;
        test(testbed, product)
    })
}

/// Runs a script with the stock client beside the server.
pub(super) fn by_client(testbed: &Testbed, script: &str) -> Result<String> {
    testbed.beside(NATS, &format!("APP_PASSWORD=app-secret\n{script}"))
}

/// What the stock client sees.
pub(super) fn facts(testbed: &Testbed) -> Result<BTreeMap<String, Value>> {
    let told = by_client(testbed, FACTS)?;
    let facts = told.lines().map(|line| {
        let (what, answer) = line.split_once(' ').context("no fact")?;
        let mut answer: Value = serde_json::from_str(answer).with_context(|| format!("{what}: no JSON"))?;
        forget(&mut answer);
        Ok((what.to_owned(), answer))
    });
    facts.collect()
}

/// Fails with what differs; what is kept in memory is gone since the server was stopped.
pub(super) fn same(expected: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) -> Result<()> {
    let names: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let lasting = names.into_iter().filter(|name| !name.starts_with("APP/QUICK"));
    let differing = lasting.filter(|name| expected.get(*name) != found.get(*name));
    let told =
        |facts: &BTreeMap<String, Value>, name: &str| facts.get(name).map_or("nothing".to_owned(), Value::to_string);
    let lines: Vec<String> = differing
        .map(|name| format!("{name}:\n  {}\n  {}", told(expected, name), told(found, name)))
        .collect();
    ensure!(lines.is_empty(), "what was there, and what is:\n{}", lines.join("\n"));
    Ok(())
}

/// What is another at every look, or is not kept: when a stream was made, who leads, when somebody last came,
/// how the copies are connected, and from where they go on.
fn forget(value: &mut Value) {
    const PASSING: [&str; 9] = [
        "opt_start_seq",
        "created",
        "ts",
        "last_active",
        "cluster",
        "type",
        "num_waiting",
        "mirror",
        "sources",
    ];
    match value {
        Value::Object(members) => {
            let is_info = members.contains_key("state");
            members.retain(|name, _| {
                let of_copies = ["mirror", "sources"].contains(&name.as_str());
                !PASSING.contains(&name.as_str()) || of_copies && !is_info
            });
            if members.get("last_seq").is_some_and(|last| *last == 0) {
                // Where nothing was ever written a new stream says 0 and a restored one 1.
                members.remove("first_seq");
            }
            members.values_mut().for_each(forget);
        }
        Value::Array(entries) => entries.iter_mut().for_each(forget),
        _ => {}
    }
}

/// Waits until the stream that copies from another does so again, and holds so many messages.
pub(super) fn copies_again(testbed: &Testbed, messages: u64) -> Result<()> {
    until("the copying goes on", || {
        let answer = by_client(testbed, "nats request --raw '$JS.API.STREAM.INFO.A_SUM' ''")?;
        let info: Value = serde_json::from_str(&answer)?;
        let (source, found) = (&info["sources"][0], info["state"]["messages"].as_u64());
        ensure!(found <= Some(messages), "{found:?} messages were copied, of {messages}");
        let is_up = source["active"].as_i64().is_some_and(|since| since >= 0) && source["lag"] == 0;
        Ok(is_up && found == Some(messages))
    })
}

/// Nothing is as it was.
pub(super) fn wreck(testbed: &Testbed) -> Result<()> {
    by_client(testbed, WRECK).map(drop)
}

/// Restores, which must succeed.
pub(super) fn restore(product: &Product, backup: &str) -> Result<()> {
    product.restore(backup).map(drop)
}

/// Unpacks an account's artifact below `folder` and returns the folder of its streams.
pub(super) fn unpack(artifact: &Path, folder: &Path) -> Result<PathBuf> {
    tar(&["-xzf", &artifact.to_string_lossy(), "-C", &folder.to_string_lossy()])?;
    Ok(folder.join("nats-backup"))
}

/// Packs `nats-backup` below `folder` as an artifact.
pub(super) fn pack(folder: &Path, artifact: &Path) -> Result<()> {
    tar(&[
        "--sort=name",
        "-czf",
        &artifact.to_string_lossy(),
        "-C",
        &folder.to_string_lossy(),
        "nats-backup",
    ])
}

fn tar(arguments: &[&str]) -> Result<()> {
    let status = Command::new("tar").args(arguments).status()?;
    ensure!(status.success(), "tar {arguments:?}");
    Ok(())
}

/// Makes the manifest say what an artifact is now: damage that no hash tells.
pub(super) fn seal_again(backup: &Path, artifact: &str) -> Result<()> {
    let sum = Command::new("sha256sum").arg(backup.join(artifact)).output()?;
    let sum = String::from_utf8(sum.stdout)?;
    let sum = sum.split(' ').next().context("no sum")?;
    let path = backup.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let artifacts = manifest["stores"][0]["artifacts"]
        .as_array_mut()
        .context("no artifacts")?;
    let entry = artifacts
        .iter_mut()
        .find(|entry| entry["name"] == artifact)
        .context("no such artifact")?;
    entry["sha256"] = sum.into();
    entry["size"] = std::fs::metadata(backup.join(artifact))?.len().into();
    Ok(std::fs::write(&path, serde_json::to_vec_pretty(&manifest)?)?)
}

/// A stream's state, without what passes.
pub(super) fn state(testbed: &Testbed, stream: &str) -> Result<Value> {
    let answer = by_client(
        testbed,
        &format!("nats request --raw '$JS.API.STREAM.INFO.{stream}' ''"),
    )?;
    let answer: Value = serde_json::from_str(&answer)?;
    Ok(answer["state"].clone())
}
