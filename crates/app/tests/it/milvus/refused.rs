//! What cannot be copied is refused by its cause, before anything is stopped: servers of other kinds beside the platform's own, and one
//! whose configuration is changed under it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Shape, Testbed, images};

use crate::common::{PROGRAM, is_back, standing, until};

/// The second server's service.
const OTHER: &str = "vectors";

/// Where it keeps its data, as variables and as its file says it.
const ETCD: (&str, &str) = ("ETCD_ENDPOINTS", "etcd:2379");
const BUCKET: [(&str, &str); 3] = [
    ("MINIO_ADDRESS", "seaweedfs-s3:8333"),
    ("MINIO_ACCESS_KEY_ID", "testbed-admin"),
    ("MINIO_SECRET_ACCESS_KEY", "testbed-admin-secret"),
];

/// A collection with a segment.
const FILL: &str = r#"
python3 - <<'PY'
from milvus import *
m = Milvus()
fields = [schema.FieldSchema(name="id", data_type=schema.Int64, is_primary_key=True),
          schema.FieldSchema(name="vec", data_type=schema.FloatVector, type_params=[pair("dim", 2)])]
described = schema.CollectionSchema(name="some", fields=fields)
m.call("CreateCollection", collection_name="some", schema=described.SerializeToString(), shards_num=1)
m.insert("some", {"id": (schema.Int64, [1]), "vec": (schema.FloatVector, [[0.0, 1.0]])})
m.flush("some")
PY
"#;

#[test]
fn what_cannot_be_copied_is_refused_by_its_cause_and_nothing_is_stopped() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test("mvrefused", Shape::Milvus)?.examined(|testbed| {
        testbed.up()?;
        let product = Product::of(PROGRAM, folder.path(), testbed);
        let natsmq = [&[ETCD, ("MQ_TYPE", "natsmq")], &BUCKET[..]].concat();
        with_second(testbed, &natsmq, &[], || {
            refused(testbed, &product, &["its queue is `natsmq` (mq.type)"])
        })?;
        let embedded = [
            ("ETCD_USE_EMBED", "true"),
            ("ETCD_DATA_DIR", "/var/lib/milvus/etcd"),
            ("COMMON_STORAGETYPE", "local"),
            ("DEPLOY_MODE", "STANDALONE"),
        ];
        with_second(testbed, &embedded, &[], || {
            refused(testbed, &product, &["(etcd.use.embed)", "`local` storage"])
        })?;
        told_by_its_file(testbed, &product, folder.path())
    })
}

/// A server that reads where its data lies in its file alone: it is told something else after its start.
fn told_by_its_file(testbed: &Testbed, product: &Product, folder: &Path) -> Result<()> {
    let image = images()?.remove("IMG_MILVUS").context("no image of Milvus")?;
    let official = testbed.docker(&["run", "--rm", "--entrypoint=cat", &image, "/milvus/configs/milvus.yaml"])?;
    let sound = edited(
        &official,
        &[
            ("endpoints: localhost:2379", "endpoints: etcd:2379"),
            ("address: localhost # Address of MinIO/S3", "address: seaweedfs-s3:8333"),
            ("accessKeyID: minioadmin", "accessKeyID: testbed-admin"),
            ("secretAccessKey: minioadmin", "secretAccessKey: testbed-admin-secret"),
        ],
    )?;
    let file = folder.join("milvus.yaml");
    let mount = format!("--volume={}:/milvus/configs/milvus.yaml:ro", file.display());
    fs::write(&file, &sound)?;
    with_second(testbed, &[], &[&mount], || {
        refused(testbed, product, &["it keeps data in etcd, which a restore would stop"])
    })?;
    let needs = "--label=com.docker.compose.depends_on=etcd:service_healthy:false,seaweedfs-s3:service_healthy:false,\
                 webapp:service_started:false";
    with_second(testbed, &[], &[&mount, needs], || {
        testbed.beside(OTHER, FILL)?;
        let told = |changes: &[(&str, &str)], words: &[&str]| -> Result<()> {
            fs::write(&file, edited(&sound, changes)?)?;
            refused(testbed, product, words).with_context(|| format!("{changes:?}"))
        };
        told(
            &[("testbed-admin-secret", "not-the-secret")],
            &["refuses the server's own key"],
        )?;
        told(&[("endpoints: etcd", "endpoints: webapp")], &["etcd does not answer"])?;
        told(
            &[("endpoints: etcd", "endpoints: nowhere")],
            &["no container of this platform"],
        )?;
        told(&[("rootPath: files", "rootPath: elsewhere")], &["has none there"])
    })
}

fn edited(text: &str, changes: &[(&str, &str)]) -> Result<String> {
    let mut text = text.to_owned();
    for (old, new) in changes {
        ensure!(text.contains(old), "the file does not say `{old}`");
        text = text.replace(old, new);
    }
    Ok(text)
}

/// A backup is refused in these words, and everything runs as before.
fn refused(testbed: &Testbed, product: &Product, words: &[&str]) -> Result<()> {
    let before = standing(testbed)?;
    let mut ran = product.run(&["backup"])?.must_end_with(12)?.must_say(OTHER)?;
    for words in words {
        ran = ran.must_say(words)?;
    }
    is_back(testbed, &before)
}

/// While a second server runs, which has nothing in common with the platform's own but etcd and the object store.
fn with_second(
    testbed: &Testbed,
    settings: &[(&str, &str)],
    options: &[&str],
    deed: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let own = [
        ("ETCD_ROOTPATH", "by-second"),
        ("MINIO_BUCKET_NAME", "second-bucket"),
        ("COMMON_SESSION_TTL", "5"),
    ];
    let variables: BTreeMap<&str, &str> = own.iter().chain(settings).copied().collect();
    let variables = variables.iter().map(|(name, value)| format!("--env={name}={value}"));
    let network = format!("--network={}_backend", testbed.project());
    let all: Vec<String> = variables.chain([network, "--memory=2g".to_owned()]).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).chain(options.iter().copied()).collect();
    let server = testbed.guest(OTHER, "MILVUS", &all, &["milvus", "run", "standalone"])?;
    let healthy = ["exec", &server, "curl", "-fs", "http://localhost:9091/healthz"];
    until("it is healthy", || Ok(testbed.docker(&healthy).is_ok()))?;
    deed()?;
    testbed.docker(&["rm", "--force", "--volumes", &server]).map(drop)
}
