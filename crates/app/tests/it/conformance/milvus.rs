//! Milvus in the suite of all stores.

use anyhow::Result;
use stillpoint_testkit::conformance::store::Subject;
use stillpoint_testkit::store_conformance;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::PROGRAM;

struct Milvus;

store_conformance!(Milvus, PROGRAM);

const SERVICE: &str = "milvus";

/// A collection without an index is not loaded, hence nobody copies it into memory.
pub(crate) const BULK: &str = r#"
python3 - <<'PY'
from random import Random
from milvus import Milvus, pair, schema

m, chance, dim, rows = Milvus(), Random(7), 4096, 256
fields = [
    schema.FieldSchema(name="id", data_type=schema.Int64, is_primary_key=True),
    schema.FieldSchema(name="vec", data_type=schema.FloatVector, type_params=[pair("dim", dim)]),
]
described = schema.CollectionSchema(name="bulk", fields=fields)
m.call("CreateCollection", collection_name="bulk", schema=described.SerializeToString(), shards_num=1)
for first in range(0, 5 * rows, rows):
    vectors = [[chance.uniform(-1, 1) for _ in range(dim)] for _ in range(rows)]
    m.insert("bulk", {"id": (schema.Int64, range(first, first + rows)), "vec": (schema.FloatVector, vectors)})
m.flush("bulk")
PY
"#;

/// One more row in a collection that is loaded, so that its truth shows it.
const INTRUDE: &str = r#"
python3 - <<'PY'
from milvus import Milvus, pair, schema

m = Milvus()
if "outside" not in m.collections():
    fields = [
        schema.FieldSchema(name="id", data_type=schema.Int64, is_primary_key=True, autoID=True),
        schema.FieldSchema(name="vec", data_type=schema.FloatVector, type_params=[pair("dim", 2)]),
    ]
    described = schema.CollectionSchema(name="outside", fields=fields, autoID=True)
    m.call("CreateCollection", collection_name="outside", schema=described.SerializeToString(), shards_num=1)
    m.index("outside", "vec", "exact", metric_type="L2", index_type="FLAT", params={})
    m.load("outside")
m.insert("outside", {"vec": (schema.FloatVector, [[0.0, 1.0]])})
PY
"#;

/// Keys of etcd that are not Milvus' own with their revisions, what etcd itself was told, who has a session (each
/// start has a number of its own); and the top of its bucket.
const TRACES: &str = r#"
set -euo pipefail
export ETCDCTL_ENDPOINTS=$ETCD_HTTP
etcdctl get '' --from-key --write-out=json | jq -r '.kvs[]? | (.key | @base64d) as $key
    | if $key | startswith("by-dev/") | not then "key \(.key) \(.version) \(.mod_revision) \(.value)"
      elif $key | startswith("by-dev/meta/session/") then "session \($key | sub("-[0-9]+$"; ""))" else empty end'
etcdctl alarm list
etcdctl auth status | grep Authentication
curl -sS --fail --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_USER" "$S3_HTTP/milvus-bucket?list-type=2&delimiter=%2F" |
    { grep -oE '<(Key|Prefix|ETag)>[^<]+' || true; } | { grep -v '>files/' || true; }
"#;

impl Subject for Milvus {
    fn shape(&self) -> Shape {
        Shape::Milvus
    }

    fn service(&self) -> &'static str {
        SERVICE
    }

    fn password(&self) -> &'static str {
        "STILLPOINT_MILVUS_PASSWORD"
    }

    /// All its objects are told together.
    fn bulk(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, BULK)?;
        Ok("milvus")
    }

    /// Its bucket is.
    fn is_read_while_draining(&self) -> bool {
        false
    }

    fn intrude(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.beside(SERVICE, INTRUDE)?;
        Ok("collection default.outside")
    }

    fn traces(&self, testbed: &Testbed) -> Result<String> {
        let server = testbed.beside(SERVICE, TRACES)?;
        // Whatever lies in its folder beside what is a server's own.
        let store = testbed.container(SERVICE)?;
        let files = ["find", "/var/lib/milvus", "-maxdepth", "1", "-printf", r"%u %p\n"];
        let files = testbed.docker(&[&["exec", &store], &files[..]].concat())?;
        let mut files: Vec<&str> = files.lines().collect();
        files.sort_unstable();
        Ok(format!("{server}\n{}", files.join("\n")))
    }
}
