//! What the tests of Milvus share: how it and its neighbours are asked past the product, and what belongs to others.

use anyhow::{Result, ensure};
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::testbed::{Shape, Testbed, Truth};

use crate::common::{on, until};

pub(super) const SERVICE: &str = "milvus";
/// Milvus keeps its metadata there. It runs while Milvus does not.
pub(super) const ETCD: &str = "etcd";

/// Every key that is not below the server's own prefix, with how often and when it was written; and every object that is not below its
/// folder.
const STRANGERS: &str = r#"
set -euo pipefail
export ETCDCTL_ENDPOINTS=$ETCD_HTTP
etcdctl get '' --from-key --write-out=json |
    jq -r '.kvs[] | select(.key | @base64d | startswith("by-dev/") | not) | "\(.key) \(.version) \(.mod_revision) \(.value)"'
for place in 'milvus-bucket?list-type=2&start-after=files0' 'milvus-bucket?list-type=2&prefix=files-' 'milvus-bucket?list-type=2&prefix=backup' \
        'another-bucket?list-type=2'; do
    curl -sS --fail --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_USER" "$S3_HTTP/$place" | grep -oE '<(Key|ETag|LastModified)>[^<]+' ||
        { echo "nothing of others in $place" >&2; exit 1; }
done
"#;

/// On a seeded platform with everything in it, whose tick is known.
pub(super) fn on_milvus(name: &str, test: impl FnOnce(&Testbed, &Product) -> Result<()>) -> Result<()> {
    on(name, Shape::Milvus, |testbed, product| {
        testbed.rest()?;
        testbed.tick()?;
        test(testbed, product)
    })
}

/// Runs a script of Python in which `m` is the server, asked by `root`; what it prints.
pub(super) fn ask(testbed: &Testbed, script: &str) -> Result<String> {
    let script = format!("python3 - <<'PY'\nfrom milvus import *\nm = Milvus()\n{script}\nPY");
    Ok(testbed.beside(SERVICE, &script)?.trim().to_owned())
}

/// Waits until a server that was started answers with what it has loaded.
pub(super) fn answers(testbed: &Testbed) -> Result<()> {
    let script = "for d in m.databases():
    at = m.at(d)
    for name in at.collections():
        state = at.call('GetLoadState', collection_name=name).state
        if state != common.LoadStateNotLoad:
            at.count(name)";
    until("the server answers", || Ok(ask(testbed, script).is_ok()))
}

/// What is others' in its etcd and its bucket.
pub(super) fn strangers(testbed: &Testbed) -> Result<String> {
    testbed.beside(ETCD, STRANGERS)
}

/// Everything is as it was.
pub(super) fn same(testbed: &Testbed, was: &Truth) -> Result<()> {
    same_but_for(testbed, was, None)
}

/// The same, but for a place.
pub(super) fn same_but_for(testbed: &Testbed, was: &Truth, place: Option<&str>) -> Result<()> {
    let mut differences = was.differences(&testbed.truth()?);
    differences.retain(|difference| place.is_none_or(|place| !difference.starts_with(place)));
    ensure!(differences.is_empty(), "other data:\n{}", differences.join("\n"));
    Ok(())
}

/// By which indexes the collection of all types is answered for.
pub(super) fn indexes_in_use(testbed: &Testbed) -> Result<()> {
    let script = "infos = lambda: m.call('GetQuerySegmentInfo', collectionName='documents').infos\n\
                  wanted = {'by_meaning', 'by_title', 'by_price'}\n\
                  m.until('indexes in use', lambda: wanted <= {info.index_name for info in infos()})";
    ask(testbed, script).map(drop)
}

pub(super) fn restore(product: &Product, backup: &str) -> Result<Ran> {
    product.run(&["restore", backup, "--confirm", backup])
}

/// A verb about what a restore has replaced.
pub(super) fn about(testbed: &Testbed, product: &Product, verb: &str) -> Result<Ran> {
    product.run(&["restore", verb, "--confirm", testbed.project()])
}

/// A key of Milvus' etcd.
pub(super) fn etcdctl(testbed: &Testbed, command: &str) -> Result<String> {
    let script = format!("set -euo pipefail; export ETCDCTL_ENDPOINTS=$ETCD_HTTP; {command}");
    testbed.beside(ETCD, &script)
}

/// Sends a request for an object or a listing, by its place after the server's name.
pub(super) fn s3(testbed: &Testbed, place: &str, options: &str) -> Result<String> {
    let curl = "curl -sS --fail-with-body --aws-sigv4 aws:amz:us-east-1:s3 --user \"$S3_USER\"";
    testbed.beside(
        ETCD,
        &format!("set -euo pipefail; {curl} {options} \"$S3_HTTP/{place}\""),
    )
}
