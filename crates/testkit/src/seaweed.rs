//! Object stores for tests: disposable SeaweedFS servers in containers, with the keys of
//! `testbed/config/s3.json` and the bucket `backups`. Reached at the container's own address: no port
//! is published. Like the testbed it cleans nothing up in `Drop`: a failed test leaves its server for a
//! look, and the next run removes it.

use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::testbed::docker::Docker;
use crate::testbed::{containers, owner, places, reap};

/// The one bucket, there from the start.
pub const BUCKET: &str = "backups";
/// What to sign with; the server takes every region.
pub const REGION: &str = "us-east-1";

/// An access key of `testbed/config/s3.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The access key's id.
    pub id: &'static str,
    /// Its secret.
    pub secret: &'static str,
}

/// May do everything; its PUT into a bucket that is not there makes the bucket.
pub const ADMIN: Key = Key {
    id: "testbed-admin",
    secret: "testbed-admin-secret",
};
/// May read, list and write in [`BUCKET`] only: the one for ordinary tests.
pub const BACKUP: Key = Key {
    id: "testbed-backup",
    secret: "testbed-backup-secret",
};
/// May read and list in [`BUCKET`] only.
pub const READ_ONLY: Key = Key {
    id: "testbed-ro",
    secret: "testbed-ro-secret",
};

/// As in `testbed/compose.yaml`, where the limits hold its memory below a gigabyte; and a master that, started again, waits one second
/// for others instead of ten to twenty.
pub(crate) const COMMAND: &str = "server -ip=127.0.0.1 -ip.bind=0.0.0.0 -master.telemetry=false \
    -master.volumeSizeLimitMB=1024 -master.electionTimeout=1s -volume.preStopSeconds=1 \
    -filer -filer.localSocket=/run/filer.sock -filer.concurrentUploadLimitMB=256 \
    -s3 -s3.config=/etc/seaweedfs/s3.json -s3.localSocket=/run/s3.sock -s3.concurrentUploadLimitMB=256 \
    -s3.port.iceberg=0 -s3.port.lance=0";

/// Makes the bucket and waits until an object has been written, read and removed with the scoped key:
/// after `/healthz` says 200, the first PUT may still be answered with 500.
/// A second PUT of the bucket is answered with 409, which is as good.
const MAKE_READY: &str = r#"
s3() { curl -s --max-time 10 --aws-sigv4 aws:amz:us-east-1:s3 "$@"; }
admin=testbed-admin:testbed-admin-secret backup=testbed-backup:testbed-backup-secret
bucket=http://127.0.0.1:8333/backups object=http://127.0.0.1:8333/backups/.ready-$$
until curl -fs --max-time 10 -o /dev/null http://127.0.0.1:8333/healthz; do sleep 0.05; done
until s3 --user $admin -o /dev/null -X PUT $bucket &&
  s3 --user $backup -f -o /dev/null -X PUT --data-binary ready $object &&
  [ "$(s3 --user $backup $object)" = ready ] &&
  s3 --user $backup -f -X DELETE $object; do sleep 0.05; done
"#;

/// Room for [`Seaweed::start_roomy`]; without it a server makes at most 8 volumes, of which a bucket gets 7.
pub(crate) const ROOMY: &str = "-volume.max=64";

/// How long a server may take until it is ready, in seconds; a cold start under load takes about 10.
const READY_LIMIT: &str = "90";
/// How long the engine may take to show a container whose name is taken.
const SEEN_LIMIT: Duration = Duration::from_mins(1);

/// A running server.
#[derive(Debug, Clone)]
pub struct Seaweed {
    container: String,
    endpoint: String,
    shared: bool,
}

impl Seaweed {
    /// The server that all tests of one run share, started by the first that asks. It belongs to the process
    /// that runs the tests and is removed after that one has ended, by `cargo xtask check` or by the next run.
    /// What tests write must not meet: see [`prefix`].
    pub fn shared() -> Result<Self> {
        static SHARED: Mutex<Option<Seaweed>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = &*shared {
            return Ok(server.clone());
        }
        let server = Self::join()?;
        Ok(shared.insert(server).clone())
    }

    fn join() -> Result<Self> {
        reap::first()?;
        let runner = owner::the_runner()?;
        let image = places::image("SEAWEEDFS")?;
        let tag = image.rsplit(':').next().unwrap_or_default();
        let name = format!("sp-seaweed-{tag}-{runner}");
        match run(&name, &runner, &[], "") {
            // Another test's process was quicker. It may not have got to the start yet: to start twice does no harm.
            Err(error) if error.to_string().contains("is already in use") => {
                start_once_seen(&name)?;
            }
            outcome => outcome?,
        }
        Self::ready(name, true)
    }

    /// A server of its own, for a test that kills it, holds it or looks at all that it has.
    pub fn start() -> Result<Self> {
        Self::private(&[], "")
    }

    /// A server of its own that takes more than the 7 GiB of the others, as far as the engine's disk has room.
    pub fn start_roomy() -> Result<Self> {
        Self::private(&[], ROOMY)
    }

    /// A server of its own whose disk holds so many bytes (a tmpfs; 32 MiB take a few megabytes of objects).
    ///
    /// When the disk is full, a PUT and an upload of a part are answered at once with 500 `InternalError` ("We encountered an internal
    /// error, please try again."), again and again: nothing in it speaks of the disk. GET, LIST, DELETE and the start of a multipart upload
    /// go on, and so do PUTs of a few bytes. Deleting does not
    /// free space at once: the server compacts its volumes later.
    pub fn start_full_disk(bytes: u64) -> Result<Self> {
        Self::private(&[format!("--tmpfs=/data:size={bytes}")], "")
    }

    fn private(options: &[String], arguments: &str) -> Result<Self> {
        reap::first()?;
        let name = format!("sp-seaweed-{}", unique()?);
        run(&name, &owner::this_process()?, options, arguments)?;
        Self::ready(name, false)
    }

    fn ready(container: String, shared: bool) -> Result<Self> {
        make_ready(&container)?;
        let endpoint = format!("http://{}:8333", containers::address(&container)?);
        Ok(Self {
            container,
            endpoint,
            shared,
        })
    }

    /// `http://ADDRESS:8333`, for path-style requests.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// The container's name.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Ends it with SIGKILL: connections are reset, new ones refused or without an answer.
    pub fn kill(&self) -> Result<()> {
        self.act("kill")
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.act("pause")
    }

    /// Lets it go on.
    pub fn unpause(&self) -> Result<()> {
        self.act("unpause")
    }

    /// Starts it again after [`Seaweed::kill`], with what it had stored (a tmpfs is empty then), and waits until it is ready. The address may
    /// be another one.
    pub fn start_again(&mut self) -> Result<()> {
        self.act("start")?;
        *self = Self::ready(self.container.clone(), false)?;
        Ok(())
    }

    /// Removes it and all that it has stored.
    pub fn remove(self) -> Result<()> {
        self.own()?;
        Docker::new(["rm", "--force", "--volumes", &self.container])
            .run()
            .map(drop)
    }

    /// What the server answers to a request of its administrator for a path: by curl in its container, with further options
    /// of curl. An answer that is no success is an error.
    pub fn s3(&self, path: &str, options: &[&str]) -> Result<String> {
        let user = format!("{}:{}", ADMIN.id, ADMIN.secret);
        let sign = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user];
        Docker::new([
            "exec",
            &self.container,
            "curl",
            "-sS",
            "--fail-with-body",
            "--max-time",
            "30",
        ])
        .args(sign)
        .args(options.iter().copied())
        .args([format!("http://127.0.0.1:8333/{path}")])
        .run()
    }

    /// Writes an object of so many random bytes at a path.
    pub(crate) fn noise(&self, path: &str, bytes: u64) -> Result<()> {
        let script = format!(
            "head -c {bytes} /dev/urandom >/tmp/noise && curl -sS -f --max-time 30 --aws-sigv4 aws:amz:us-east-1:s3 \
             --user {}:{} -T /tmp/noise http://127.0.0.1:8333/{path}",
            ADMIN.id, ADMIN.secret
        );
        Docker::new(["exec", &self.container, "sh", "-c", &script])
            .run()
            .map(drop)
    }

    /// Runs a test with it and removes it if all went well.
    pub fn examined(mut self, test: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        test(&mut self).with_context(|| format!("{} stays for a look", self.container))?;
        self.remove()
    }

    fn act(&self, verb: &str) -> Result<()> {
        self.own()?;
        Docker::new([verb, &self.container]).run().map(drop)
    }

    fn own(&self) -> Result<()> {
        if self.shared {
            bail!("other tests use {}: start a server of your own", self.container);
        }
        Ok(())
    }
}

/// A prefix in [`BUCKET`] that no other test uses, without a slash at its end.
pub fn prefix(test: &str) -> Result<String> {
    Ok(format!("{test}-{}", unique()?))
}

/// Waits until the server in a container stores objects, with the bucket made. May be repeated.
pub(crate) fn make_ready(container: &str) -> Result<()> {
    let ready = Docker::new(["exec", container, "timeout", READY_LIMIT, "sh", "-c", MAKE_READY]).run();
    ready.map(drop).with_context(|| {
        // It logs to standard error.
        let log = Docker::new(["logs", "--tail", "30", container]).output();
        let log = log.map(|said| String::from_utf8_lossy(&said.stderr).into_owned());
        format!(
            "{container} stores no objects; its log ends with:\n{}",
            log.unwrap_or_default()
        )
    })
}

fn run(name: &str, owner: &str, options: &[String], arguments: &str) -> Result<()> {
    let keys = places::testbed().join("config/s3.json");
    Docker::new(["run", "--detach", "--name", name])
        .args([
            format!("--label={}={owner}", owner::LABEL),
            format!("--volume={}:/etc/seaweedfs/s3.json:ro", keys.display()),
        ])
        .args(["--env=GOMEMLIMIT=1GiB", "--memory=2g"])
        .args(options)
        .args([places::image("SEAWEEDFS")?])
        .args(COMMAND.split_whitespace().chain(arguments.split_whitespace()))
        .run()
        .map(drop)
}

fn unique() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now: Duration = now.context("the clock is before 1970")?;
    Ok(format!("{}-{:08x}", std::process::id(), now.subsec_nanos()))
}

/// Another process's container: its name is taken before it can be seen.
fn start_once_seen(name: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        match Docker::new(["start", name]).run() {
            Err(error) if error.to_string().contains("No such container") && begun.elapsed() < SEEN_LIMIT => {
                sleep(Duration::from_millis(100));
            }
            started => return started.map(drop),
        }
    }
}
