//! A template of more than one server: Milvus keeps most of its data in an etcd and an object store, whose volumes belong to its seed. They
//! share the network of its container, which has none but itself, and find each other by their services' names.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::template::{ALONE, Recipe, helper, stop as stop_cleanly, variables};
use crate::seaweed;
use crate::testbed::docker::{Docker, words};
use crate::testbed::places;
use crate::testbed::stores::Store;

/// Of the template, for the volumes after a store's own.
pub(super) const FOLDERS: &[&str] = &["etcd/.", "seaweedfs/."];
const ETCD: &str = "ETCD";
const SEAWEEDFS: &str = "SEAWEEDFS";
const SESSIONS_LIMIT: Duration = Duration::from_secs(30);

/// The images of the servers that a store's template has beside its own.
pub(super) fn of(store: Store) -> &'static [&'static str] {
    match store {
        Store::Milvus => &[ETCD, SEAWEEDFS],
        _ => &[],
    }
}

/// It waits for its neighbours, since it has their network; and its sessions in etcd end soon after it.
pub(super) fn milvus() -> Recipe {
    const WAIT: &str = "until curl -fs http://etcd:2379/health && curl -fs http://seaweedfs-s3:8333/healthz; do sleep 0.1; done; \
        exec milvus run standalone";
    let names = ["etcd", "seaweedfs-s3"].map(|name| format!("--add-host={name}:127.0.0.1"));
    let environment = variables([
        ("ETCD_ENDPOINTS", "etcd:2379"),
        ("MINIO_ADDRESS", "seaweedfs-s3:8333"),
        ("MINIO_BUCKET_NAME", "milvus-bucket"),
        ("MINIO_ACCESS_KEY_ID", seaweed::ADMIN.id),
        ("MINIO_SECRET_ACCESS_KEY", seaweed::ADMIN.secret),
        ("COMMON_SECURITY_AUTHORIZATIONENABLED", "true"),
        ("COMMON_GRACEFULSTOPTIMEOUT", "3"),
        ("COMMON_SESSION_TTL", "5"),
        ("LOCALSTORAGE_PATH", "/seed/milvus/data/"),
        ("ROCKSMQ_PATH", "/seed/milvus/rdb_data"),
    ]);
    Recipe {
        mounted: "/seed",
        data: "milvus/.",
        options: [vec![ALONE.to_owned()], names.to_vec(), environment].concat(),
        command: ["sh", "-c", WAIT].map(str::to_owned).to_vec(),
    }
}

/// Starts them beside the container that the store is in.
pub(super) fn start(store: Store, builder: &str, volume: &str) -> Result<()> {
    let mount = format!("{volume}:/seed");
    if !of(store).is_empty() {
        // The one does not make its folder, and nobody else needs it.
        helper(std::slice::from_ref(&mount), "mkdir -p /seed/seaweedfs")?.run()?;
    }
    for image in of(store) {
        let name = name(builder, image);
        Docker::new(["rm", "--force", "--volumes", &name]).output()?;
        let run = Docker::new(["run", "--detach", "--name", &name]).args([
            format!("--network=container:{builder}"),
            format!("--volume={volume}:/seed"),
        ]);
        run.args(options(image))
            .args([places::image(image)?])
            .args(command(image))
            .run()?;
    }
    Ok(())
}

/// A Milvus that has just written may wait for itself without end, and loses nothing when it is killed. A session of it that is left would
/// hold up every start of a copy.
pub(super) fn stop(store: Store, builder: &str) -> Result<()> {
    Docker::new(["kill", builder]).run()?;
    for image in of(store) {
        let name = name(builder, image);
        if *image == ETCD {
            await_no_session(&name)?;
        }
        stop_cleanly(&name)?;
    }
    Docker::new(["rm", "--volumes", builder]).run().map(drop)
}

fn name(builder: &str, image: &str) -> String {
    format!("{builder}-{}", image.to_lowercase())
}

fn options(image: &str) -> Vec<String> {
    let keys = places::testbed().join("config/s3.json");
    match image {
        ETCD => Vec::new(),
        _ => vec![
            format!("--volume={}:/etc/seaweedfs/s3.json:ro", keys.display()),
            "--env=GOMEMLIMIT=1GiB".to_owned(),
            "--memory=2g".to_owned(),
        ],
    }
}

fn command(image: &str) -> Vec<String> {
    match image {
        ETCD => words(
            "/usr/local/bin/etcd --name=etcd --data-dir=/seed/etcd --listen-client-urls=http://0.0.0.0:2379 --advertise-client-urls=http://etcd:2379",
        ),
        // The last of two folders counts.
        _ => words(&format!("{} {} -dir=/seed/seaweedfs", seaweed::COMMAND, seaweed::ROOMY)),
    }
}

fn await_no_session(etcd: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let leases = Docker::new(["exec", etcd, "etcdctl", "lease", "list"]).run()?;
        if leases.contains("found 0 leases") {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < SESSIONS_LIMIT,
            "{etcd} keeps sessions of a Milvus that is gone: {leases}"
        );
        sleep(Duration::from_millis(200));
    }
}
