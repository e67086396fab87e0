//! One SeaweedFS in a container, shared by all tests of this crate: whoever comes first starts it.
//! Every test keeps to a prefix of its own.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use secrecy::SecretString;
use stillpoint_adapters::repository::s3::{S3Repository, S3Settings};

/// The container's name. It mounts a file of this checkout, so every checkout has its own.
pub(crate) fn name() -> &'static str {
    use std::hash::{DefaultHasher, Hash, Hasher};
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let mut place = DefaultHasher::new();
        env!("CARGO_MANIFEST_DIR").hash(&mut place);
        format!("stillpoint-tests-s3-{:x}", place.finish())
    })
}

/// As in `testbed/compose.yaml`.
const COMMAND: &str = "server -ip=127.0.0.1 -ip.bind=0.0.0.0 -master.telemetry=false -master.volumeSizeLimitMB=1024 \
     -volume.preStopSeconds=1 -filer -filer.localSocket=/run/filer.sock -filer.concurrentUploadLimitMB=256 \
     -s3 -s3.config=/etc/seaweedfs/s3.json -s3.localSocket=/run/s3.sock -s3.concurrentUploadLimitMB=256 \
     -s3.port.iceberg=0";

/// The bucket of all tests.
pub(crate) const BUCKET: &str = "backups";

pub(crate) fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("docker").args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "docker {}: {said}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Where the server listens; it answers when this returns.
pub(crate) fn start() -> anyhow::Result<&'static str> {
    static ENDPOINT: OnceLock<Result<String, String>> = OnceLock::new();
    match ENDPOINT.get_or_init(|| started().map_err(|error| format!("{error:#}"))) {
        Ok(endpoint) => Ok(endpoint),
        Err(error) => bail!("the tests' object store: {error}"),
    }
}

fn started() -> anyhow::Result<String> {
    let testbed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testbed");
    let images = std::fs::read_to_string(format!("{testbed}/.state/images.env"));
    let images = images.context("run testbed/images/build.sh first")?;
    let image = images.lines().find_map(|line| line.strip_prefix("IMG_SEAWEEDFS="));
    let image = image.context("IMG_SEAWEEDFS")?;
    let keys = format!("{testbed}/config/s3.json:/etc/seaweedfs/s3.json:ro");
    let run = [
        "run",
        "--detach",
        "--env=GOMEMLIMIT=1GiB",
        "--memory=2g",
        "--name",
        name(),
    ];
    let mut run = run.to_vec();
    run.extend(["--volume", &keys, image]);
    run.extend(COMMAND.split_whitespace());
    // Another process may start it at this moment, or have done so long ago.
    if let Err(error) = docker(&run) {
        let error = error.to_string();
        ensure!(error.contains("already in use"), "{error}");
        start_again()?;
    }
    let format = "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = docker(&["inspect", format, name()])?;
    wait(&format!("http://{address}:8333"))
}

/// The name is taken before its container can be seen.
fn start_again() -> anyhow::Result<()> {
    let began = Instant::now();
    while let Err(error) = docker(&["start", name()]) {
        let unseen = error.to_string().contains("No such container");
        ensure!(unseen && began.elapsed() < Duration::from_mins(1), "{error}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn wait(endpoint: &str) -> anyhow::Result<String> {
    let began = Instant::now();
    let url = format!("{endpoint}/healthz");
    while !Command::new("curl")
        .args(["-fs", "--max-time", "2", &url])
        .output()?
        .status
        .success()
    {
        ensure!(began.elapsed() < Duration::from_mins(1), "{url} does not answer");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(endpoint.to_owned())
}

/// A place that no other test has.
pub(crate) fn prefix() -> String {
    format!("test/{:032x}", rand::random::<u128>())
}

/// The administrator's settings for a place of its own.
pub(crate) fn settings() -> anyhow::Result<S3Settings> {
    Ok(S3Settings {
        endpoint: Some(start()?.to_owned()),
        region: "us-east-1".into(),
        bucket: BUCKET.into(),
        prefix: prefix(),
        access_key_id: Some(SecretString::from("testbed-admin")),
        secret_access_key: Some(SecretString::from("testbed-admin-secret")),
        ca_file: None,
        path_style: true,
        create_bucket: true,
        conditional_writes: true,
        part: 0,
    })
}

/// A repository at a place of its own.
pub(crate) async fn repository() -> anyhow::Result<S3Repository> {
    Ok(S3Repository::open(&settings()?, None).await?)
}

/// The address behind [`start`].
pub(crate) fn address() -> anyhow::Result<SocketAddr> {
    Ok(start()?.trim_start_matches("http://").parse()?)
}

/// Asks the server by another client than ours.
fn curl(arguments: &[&str]) -> anyhow::Result<String> {
    let signed = [
        "--aws-sigv4",
        "aws:amz:us-east-1:s3",
        "--user",
        "testbed-admin:testbed-admin-secret",
    ];
    let curl = ["exec", name(), "curl", "-sSf", "--max-time", "20"];
    docker(&[&curl[..], &signed, arguments].concat())
}

/// How many uploads below a prefix nobody has ended.
pub(crate) fn unfinished(prefix: &str) -> anyhow::Result<usize> {
    start()?;
    let listed = curl(&[&format!("http://127.0.0.1:8333/{BUCKET}?max-uploads=1000&uploads=")])?;
    Ok(listed.matches(&format!("<Key>{prefix}/")).count())
}

/// The names of the files in a directory of the bucket, as the store's own file system has them.
pub(crate) fn files(directory: &str) -> anyhow::Result<Vec<String>> {
    let url = format!("http://127.0.0.1:8888/buckets/{BUCKET}/{directory}/");
    let listed = docker(&["exec", name(), "curl", "-sSf", "-H", "Accept: application/json", &url])?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let entries = listed["Entries"].as_array().context("no entries")?;
    let names = entries
        .iter()
        .filter_map(|entry| entry["FullPath"].as_str()?.rsplit_once('/'));
    Ok(names.map(|(_, name)| name.to_owned()).collect())
}

/// Removes a bucket that a test made.
pub(crate) fn remove_bucket(name: &str) -> anyhow::Result<()> {
    curl(&["-X", "DELETE", &format!("http://127.0.0.1:8333/{name}")]).map(drop)
}
